// What a program that calls a tool tells its shim besides its output: one sentence, and JSON.
//
// It lies in a file in memory that the shim has made and the program has as its descriptor 3: no
// name, nothing to clean up, and it is there as a whole or not at all.
#pragma once

#include <optional>
#include <string>

#include "workers/descriptor.h"

namespace mahavishnu::workers {

inline constexpr int kReportDescriptor = 3;

struct Report {
  std::string message;     // why it failed, or what is left out of `structured`; "": nothing to say
  std::string structured;  // JSON, "" when none; domain::kMostStructured
};

// In the shim. Not there: the system gives none, and the program's words are lost.
Descriptor make_report();
std::optional<Report> read_report(int file);

// In the program, once.
bool write_report(const Report& report, int file = kReportDescriptor);

}  // namespace mahavishnu::workers
