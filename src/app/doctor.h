// The checks of `mahavishnu doctor`, each a fact about this machine with the way out.
#pragma once

#include <string>
#include <vector>

#include "app/setup.h"

namespace mahavishnu::app {

struct Finding {
  enum class Grade { Ok, Warn, Fail };
  Grade grade = Grade::Ok;
  std::string what;  // "git"
  std::string text;  // what was found, and for Warn and Fail the way out
};

// Everything that needs a configuration; a broken one is a finding by itself.
std::vector<Finding> examine(const Setup& setup);

Finding examine_data(const std::string& data);
Finding examine_repositories(const Setup& setup);
Finding examine_tool(const std::string& name, const std::string& search_path,
                     const std::string& way_out);
Finding examine_listen(const std::string& address, const std::string& data);
// Only where one is configured.
Finding examine_certificate(const Config& config);
Finding examine_open_files();
// Which limits on memory and processes can be enforced on work here.
Finding examine_limits_on_work();
// The servers that the configuration names, each asked once; blocks for as long as the slowest
// takes, a few seconds at most. Empty where none is named.
std::vector<Finding> examine_servers(const Config& config);

}  // namespace mahavishnu::app
