// The verbs of the command line, one function each; each answers the exit code.
#pragma once

#include <string>

#include "app/command_line.h"
#include "app/follow.h"
#include "app/tool_door.h"

namespace mahavishnu::app {

CommandLine command_line();

int serve_verb(const Arguments& arguments);
int run_verb(const Arguments& arguments);
int call_verb(const Arguments& arguments);
int status_verb(const Arguments& arguments);
int stop_verb(const Arguments& arguments);
int repos_verb(const Arguments& arguments);
int token_verb(const Arguments& arguments);
int doctor_verb(const Arguments& arguments);
int config_verb(const Arguments& arguments);
int version_verb(const Arguments& arguments);

// Shows a workflow until its end, then the end of what failed. 0: all of it completed.
base::awaitable<int> watch_workflow(ToolDoor& tools, std::string workflow,
                                    const Interrupt& interrupt);

}  // namespace mahavishnu::app
