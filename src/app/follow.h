// Follows a workflow or a task to its end and shows it: a live table on a terminal, plain lines
// elsewhere, then the end of what failed. For the client verbs.
#pragma once

#include <ostream>
#include <string>

#include "app/tool_door.h"
#include "app/workflow_table.h"

namespace mahavishnu::app {

// What the person at the terminal asked for meanwhile; set from a signal.
struct Interrupt {
  bool asked = false;
};

struct Screen {
  std::ostream& out;
  bool live = false;  // `out` is a terminal: lines may be drawn again
  TableSize size;
};
// stdout as it is now.
Screen standard_screen();

// The workflow's last answer. When interrupted it is cancelled first, and what that did is said.
base::awaitable<base::Result<rpc::Json>> follow_workflow(ToolDoor& tools, std::string workflow,
                                                         Screen screen, const Interrupt& interrupt);

// Prints the end of the output of what failed (ten at most), each under its repository and step.
base::awaitable<void> print_failures(ToolDoor& tools, std::string workflow, std::ostream& out);

// The task's last answer; its output is printed as it comes.
base::awaitable<base::Result<rpc::Json>> follow_task(ToolDoor& tools, std::string task,
                                                     std::ostream& out, const Interrupt& interrupt);

}  // namespace mahavishnu::app
