#include "workers/shell_executor.h"

#include <doctest/doctest.h>

#include "tests/workers/world.h"

using namespace mahavishnu::workers;
using namespace mahavishnu::workers::test;

TEST_SUITE("ShellExecutor") {
  TEST_CASE("a command runs, and its output and exit code come back") {
    Ready ready;
    const auto& end = ready.world.run(shell("echo hello; exit 3"));
    CHECK(end.reason == Reason::ExitCode);
    CHECK(end.exit_code == 3);
    CHECK(end.result.text == "hello\n");
    CHECK(end.result.output_bytes == 6);
    CHECK(end.processes_left == 0);
    CHECK(ready.world.started[{7, 1}] == 1);
  }

  TEST_CASE("a program runs without a shell") {
    Ready ready;
    const auto& end = ready.world.run(program({"printf", "%s|", "a b", "$HOME", "*"}));
    CHECK(end.reason == Reason::Ok);
    CHECK(end.exit_code == 0);
    CHECK(end.result.text == "a b|$HOME|*|");
  }
}
