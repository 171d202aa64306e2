// Specifications as compact JSON texts, for the `spec` columns, and back.
//
// Only what differs from the default is written, in the words of the tools' arguments, so that a
// person who opens the file can read it. Written straight into a buffer (no document is built: this
// is on the path of every admission); read by nlohmann. A text that is not valid UTF-8 (a path may
// be anything) becomes {"hex":"…"}, so that what is read equals what was written. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "domain/types.h"

namespace mahavishnu::journal {

// Each appends to `out`. Repo, caller, worker type, priority and labels of a task have columns of
// their own and are not in its text.
void write_json(const domain::TaskSpec& spec, std::string& out);
void write_json(const domain::WorkflowSpec& spec, std::string& out);
void write_json(const domain::PoolSpec& spec, std::string& out);
void write_json(const domain::StringMap& map, std::string& out);
void write_json(const std::vector<std::string>& list, std::string& out);

// An Internal error says what does not read; fields that are not there keep their defaults.
base::Status read_json(std::string_view text, domain::TaskSpec& spec);
base::Status read_json(std::string_view text, domain::WorkflowSpec& spec);
base::Status read_json(std::string_view text, domain::PoolSpec& spec);
base::Status read_json(std::string_view text, domain::StringMap& map);
base::Status read_json(std::string_view text, std::vector<std::string>& list);

}  // namespace mahavishnu::journal
