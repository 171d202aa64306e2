#include "workers/shell_executor.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "tests/workers/proc.h"
#include "tests/workers/world.h"

using namespace mahavishnu::workers;
using namespace mahavishnu::workers::test;

namespace {

// But folders: the sweep of output has one open now and then, on a thread of its own.
std::ptrdiff_t open_descriptors() {
  const std::filesystem::directory_iterator open("/proc/self/fd");
  return std::count_if(begin(open), end(open), [](const auto& each) {
    std::error_code closed_since;
    const auto type = each.status(closed_since).type();
    return type != std::filesystem::file_type::not_found &&
           type != std::filesystem::file_type::directory;
  });
}

}  // namespace

TEST_SUITE("ShellExecutor") {
  TEST_CASE("a command runs, and its output and exit code come back") {
    Ready ready;
    const auto& end = ready.world.run(shell("echo hello; exit 3"));
    CHECK(end.reason == Reason::ExitCode);
    CHECK(end.exit_code == 3);
    CHECK(end.result.message == "ended with exit code 3");
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

  TEST_CASE("a signal is told by number and name") {
    Ready ready;
    const auto& end = ready.world.run(shell("kill -SEGV $$"));
    CHECK(end.reason == Reason::Signal);
    CHECK(end.signal == SIGSEGV);
    CHECK_FALSE(end.exit_code.has_value());
    CHECK(end.result.message == "ended by signal 11 (Segmentation fault)");
  }

  TEST_CASE("stdin is the order's text, however long, and empty when there is none") {
    Ready ready;
    auto order = shell("wc -c; echo done", 1);
    order.work.stdin_text = std::string(1U << 20U, 'x');
    CHECK(ready.world.run(order).result.text == "1048576\ndone\n");
    CHECK(ready.world.run(shell("wc -c", 2)).result.text == "0\n");
  }

  TEST_CASE("a command that does not read its stdin is none the worse for it") {
    Ready ready;
    auto order = shell("exec <&-; echo ok");
    order.work.stdin_text = std::string(1U << 20U, 'x');
    CHECK(ready.world.run(order).reason == Reason::Ok);
  }

  TEST_CASE("the environment is the order's and the attempt's mark, and nothing else") {
    ::setenv("WORKERS_TEST_SECRET", "leaked", 1);
    Ready ready;
    auto order = program({"env"});
    order.work.env = {{"PATH", "/usr/bin:/bin"}, {"GREETING", "hello\nworld"}};
    CHECK(ready.world.run(order).result.text ==
          "GREETING=hello\nworld\nPATH=/usr/bin:/bin\n"
          "MAHAVISHNU_ATTEMPT=" +
              mark_of(order) + "\n");
  }

  TEST_CASE("the child has three descriptors, no blocked and no ignored signal, its own session") {
    Ready ready;
    const auto& fds = ready.world.run(shell("ls /proc/$$/fd", 1));
    CHECK(fds.result.text == "0\n1\n2\n");
    // The low 31: beyond are the C library's own, as whoever started us left them.
    const auto& signals =
        ready.world.run(shell("while read -r name bits; do case $name in SigBlk:|SigIgn:) "
                              "echo $((0x$bits & 0x7fffffff));; esac; done < /proc/$$/status",
                              2));
    CHECK(signals.result.text == "0\n0\n");
    CHECK(ready.world.run(shell("set -- $(cat /proc/$$/stat); test $6 = $$", 3)).reason ==
          Reason::Ok);
  }

  TEST_CASE("stdout and stderr are kept in the order they were read, and can be told apart") {
    Ready ready;
    const auto& end = ready.world.run(shell("echo a; sleep 0.1; echo b >&2; sleep 0.1; echo c"));
    CHECK(end.result.text == "a\nb\nc\n");
    CHECK(end.result.streams == "o2e2o2");
    CHECK(ready.world.read(end.fence, OutputStream::Stdout).text == "a\nc\n");
    CHECK(ready.world.read(end.fence, OutputStream::Stderr).text == "b\n");
  }

  TEST_CASE("output without newline, with NULs and with bytes that are no text") {
    Ready ready;
    const auto& end = ready.world.run(shell("printf 'a\\0b\\377c'"));
    CHECK(end.result.text ==
          "a\xEF\xBF\xBD"
          "b\xEF\xBF\xBD"
          "c");
    CHECK(end.result.output_bytes == 5);
  }

  TEST_CASE("the output of a live attempt can be read from any place, also from its end") {
    Ready ready;
    ready.world.executor->start(shell("printf 'one \\342\\202\\254 two'; echo err >&2; sleep 60"));
    ready.world.wait_output({7, 1}, "err");
    const auto first = ready.world.read({7, 1}, OutputStream::Stdout, 0, 5);
    CHECK(first.text == "one ");  // not half a character
    CHECK(first.next_offset == 4);
    const auto rest = ready.world.read({7, 1}, OutputStream::Stdout, first.next_offset);
    CHECK(rest.text == "\xE2\x82\xAC two");
    CHECK_FALSE(rest.eof);
    CHECK(ready.world.read({7, 1}, OutputStream::Stdout, -1, 4).text == " two");
    CHECK(ready.world.read({7, 1}, OutputStream::Stderr).text == "err\n");
    ready.world.executor->stop({7, 1}, Reason::CancelledByCaller);
    ready.world.end_of({7, 1});
    CHECK(ready.world.read({7, 1}, OutputStream::Stdout).eof);
  }

  TEST_CASE("the output of an attempt that nobody knows is not found") {
    Ready ready;
    std::optional<mahavishnu::base::Result<mahavishnu::domain::OutputChunk>> answer;
    ready.world.executor->read_output({9, 9}, OutputStream::All, 0, 100,
                                      [&](auto chunk) { answer = chunk; });
    ready.world.until([&] { return answer.has_value(); });
    CHECK(answer->error().code == mahavishnu::base::ErrorCode::NotFound);
  }

  TEST_CASE("growing output is told, but not for every line") {
    Ready ready;
    const auto& end = ready.world.run(
        shell("i=0; while [ $i -lt 20 ]; do echo line; sleep 0.05; i=$((i+1)); done"));
    const auto& told = ready.world.grown[{7, 1}];
    CHECK(end.result.output_bytes == 100);
    CHECK(told.size() >= 2);
    CHECK(told.size() <= 15);
    CHECK(std::is_sorted(told.begin(), told.end()));
  }

  TEST_CASE("a command that does not exist is refused with the places that were searched") {
    Ready ready;
    const auto& end = ready.world.run(program({"no-such-command"}));
    CHECK(end.reason == Reason::Rejected);
    CHECK(end.result.message ==
          "command not found: \"no-such-command\" (searched PATH /usr/bin:/bin)");
    CHECK(ready.world.started.empty());
  }

  TEST_CASE("a file that may not be run is refused") {
    Ready ready;
    const auto file = (ready.folder.path() / "plain").string();
    std::ofstream(file) << "text\n";
    const auto& end = ready.world.run(program({file}));
    CHECK(end.reason == Reason::Rejected);
    CHECK(end.result.message == "cannot run \"" + file + "\": Permission denied");
  }

  TEST_CASE("commands are found by the order's PATH; a script needs no interpreter line") {
    Ready ready;
    const auto tool = ready.folder.path() / "mytool";
    std::ofstream(tool) << "echo tool \"$1\"\n";
    std::filesystem::permissions(tool, std::filesystem::perms::owner_all);
    auto order = program({"mytool", "a b"});
    order.work.env["PATH"] = "/nowhere:" + ready.folder.path().string();
    CHECK(ready.world.run(order).result.text == "tool a b\n");
  }

  TEST_CASE("a directory that does not exist is refused") {
    Ready ready;
    auto order = shell("true");
    order.cwd = "/nonexistent/repo";
    const auto& end = ready.world.run(order);
    CHECK(end.reason == Reason::Rejected);
    CHECK(end.result.message ==
          "the directory /nonexistent/repo does not exist (was the repository deleted?)");
  }

  TEST_CASE("with no directory a scratch folder is made, and removed with what is in it") {
    Ready ready;
    auto order = shell("mkdir -p a/b; echo x > a/b/c; pwd");
    order.cwd = "";
    const auto& end = ready.world.run(order);
    REQUIRE(end.reason == Reason::Ok);
    const std::string dir = end.result.text.substr(0, end.result.text.size() - 1);
    CHECK(dir.starts_with(ready.folder.path().string()));
    CHECK_FALSE(std::filesystem::exists(dir));
  }

  TEST_CASE("verify runs in the same place after a success, its output behind the work's") {
    Ready ready;
    auto order = shell("echo work > made; echo working", 1);
    order.cwd = ready.folder.path();
    order.work.verify = "cat made; exit 4";
    const auto& end = ready.world.run(order);
    CHECK(end.reason == Reason::VerifyFailed);
    CHECK(end.exit_code == 4);
    CHECK(end.result.text == "working\nwork\n");
    CHECK(end.result.message == "verify ended with exit code 4");
    auto good = shell("true", 2);
    good.work.verify = "echo checked";
    CHECK(ready.world.run(good).reason == Reason::Ok);
    auto bad = shell("exit 1", 3);
    bad.work.verify = "echo never";
    CHECK(ready.world.run(bad).result.text.empty());
  }

  TEST_CASE("200 attempts at once each end once, with their own output") {
    Folder folder;
    World world(folder.path(), Millis(30000), Millis(10));
    REQUIRE(world.recover().empty());
    const auto before = open_descriptors();
    for (std::uint64_t i = 1; i <= 200; ++i) {
      world.executor->start(program({"echo", std::to_string(i)}, i));
    }
    world.until([&] { return world.ended.size() == 200; });
    for (std::uint64_t i = 1; i <= 200; ++i) {
      CHECK(world.ended[{7, i}].result.text == std::to_string(i) + "\n");
      CHECK(world.ends[{7, i}] == 1);
      CHECK(world.started[{7, i}] == 1);
    }
    world.until([&] { return open_descriptors() == before; });  // once the shims are dismissed
  }

  TEST_CASE("an order that has not been started is taken back") {
    Folder folder;
    World world(folder.path() / "run");
    world.executor->start(shell("echo ran >> " + (folder.path() / "ran").string()));
    world.executor->stop({7, 1}, Reason::CancelledByCaller);
    CHECK(world.end_of({7, 1}).reason == Reason::CancelledByCaller);
    CHECK(world.recover().empty());
    CHECK_FALSE(std::filesystem::exists(folder.path() / "ran"));
  }

  TEST_CASE("the memory of an attempt is that of all it started") {
    Ready ready;
    const Gate gate(ready.folder);
    ready.world.executor->start(
        shell("(head -c 30000000 /dev/zero | tail -c 30000000 | (" + gate.wait() +
              "cat >/dev/null)) & x=$(head -c 20000000 /dev/zero | tr '\\0' x); echo full; wait"));
    ready.world.wait_output({7, 1}, "full");
    std::optional<mahavishnu::base::Result<std::vector<std::int64_t>>> bytes;
    ready.world.until([&] {
      bytes.reset();
      ready.world.executor->resident({{7, 1}, {7, 99}}, [&](auto answer) { bytes = answer; });
      ready.world.until([&] { return bytes.has_value(); });
      return (**bytes)[0] > 40000000;  // the shell's and the 30 MB that tail holds below it
    });
    CHECK((**bytes)[0] < 400000000);
    CHECK((**bytes)[1] == 0);
    gate.open();
    ready.world.end_of({7, 1});
  }

  TEST_CASE("what was released leaves no file but its spool and a spare") {
    Ready ready;
    ready.world.run(shell("yes | head -c 10000"));
    ready.world.executor->release({7, 1});
    ready.world.executor->stop();
    const auto files = std::filesystem::directory_iterator(ready.folder.path() / "run" / "a");
    std::vector<std::string> names;
    for (const auto& file : files) names.push_back(file.path().filename().string());
    CHECK(names == std::vector<std::string>{"spare-7-1"});
    CHECK_FALSE(std::filesystem::is_empty(ready.folder.path() / "run" / "output"));
  }
}
