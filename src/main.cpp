// The one binary: the server, its command line and, under other names, its own child processes.
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "app/tool_attempt.h"
#include "app/verbs.h"
#include "workers/zygote.h"

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "__zygote") {
    return mahavishnu::workers::zygote_main(argc, argv);
  }
  try {
    if (argc == 2 && std::string_view(argv[1]) == "__mcp") {
      return mahavishnu::app::tool_attempt_main();
    }
    const std::vector<std::string> words(argv + 1, argv + argc);
    return mahavishnu::app::command_line().run(words);
  } catch (const std::exception& bug) {
    std::cerr << "mahavishnu: internal error: " << bug.what() << "\n";
    return 1;
  }
}
