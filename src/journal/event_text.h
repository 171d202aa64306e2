// What the text of a line tells: the ids in it, and whether it holds the words of a search.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "domain/log_archive.h"

namespace mahavishnu::journal {

// Fills the task, workflow and pool of an entry from the first id of each kind in its text, where
// it has none.
void find_ids(domain::LogEntry& entry);

// The words of a query: parts between blanks, each of which a text must hold somewhere, in any
// order. Nothing in them has a meaning of its own, so whatever a person pastes is a good query.
// Upper and lower case are alike in ASCII; other characters are compared as they are.
class Words {
 public:
  explicit Words(std::string_view query);

  bool none() const { return words_.empty(); }
  // Each is part of `kind` or of `text`.
  bool in(std::string_view kind, std::string_view text);

 private:
  std::vector<std::string> words_;
  std::string lowered_;  // kept for its room
};

}  // namespace mahavishnu::journal
