// What a tool's answer becomes as an attempt of a task: an exit code, a text, a report.
//
// Text parts are the output; what is no text is told by its kind and size; structured content goes
// beside the output while it is small enough. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "outbound/mcp_protocol.h"
#include "workers/report.h"

namespace mahavishnu::app {

struct ToolOutcome {
  enum Exit : int {
    kDone = 0,
    kToolFailed = 1,    // the tool said so (isError)
    kRefused = 2,       // its server did not make the call: no such tool, wrong arguments
    kNoAnswer = 3,      // there is no conversation with the server, or it broke off
    kTerminated = 143,  // asked to end
  };
  int exit_code = kDone;
  std::string output = {};  // for stdout
  workers::Report report = {};
};

// Of the result of tools/call. `server`: how messages call it.
ToolOutcome outcome_of(const rpc::Json& result, const std::string& server, const std::string& tool);
// Of a call that came to none. `tools`: the names of those there are, where they were asked for.
ToolOutcome outcome_of(const outbound::Verdict& verdict, const std::string& server,
                       const std::string& tool, const std::vector<std::string>& tools);

// A line on stderr for a notification, "" for those that say nothing to a reader:
// "progress 3/10: indexing", "[warning] indexer: low on memory".
std::string line_of(const rpc::Json& notification);

}  // namespace mahavishnu::app
