// Attempts outlive their server: adoption, leases, lost shims and zygotes.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/workers/proc.h"
#include "tests/workers/world.h"
#include "workers/run_dir.h"

using namespace mahavishnu::workers;
using namespace mahavishnu::workers::test;

namespace {

// Once there is one: it may just be started anew.
void signal_zygote(World& world, int signal) {
  pid_t zygote = 0;
  world.until([&] { return (zygote = zygote_of_this_process()) > 0; });
  ::kill(zygote, signal);
}

int lines_in(const std::filesystem::path& path) {
  const std::string text = slurp(path);
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_SUITE("recovery") {
  TEST_CASE("a running attempt is adopted, with all its output and its true status") {
    Folder folder;
    const Gate gate(folder);
    auto order = shell("echo one; " + gate.wait() + "echo two; exit 5");
    {
      World first(folder.path());
      first.recover();
      first.executor->start(order);
      first.wait_output(order.fence, "one");
    }
    World second(folder.path());
    const auto found = second.recover();
    REQUIRE(found.size() == 1);
    CHECK(found[0].task == order.task);
    CHECK(found[0].attempt == 1);
    CHECK(found[0].fence == order.fence);
    second.until_started(order.fence);
    CHECK(second.read(order.fence, OutputStream::All).text == "one\n");
    gate.open();
    const auto& end = second.end_of(order.fence);
    CHECK(end.exit_code == 5);
    CHECK(end.result.text == "one\ntwo\n");
    CHECK(second.ends[order.fence] == 1);
  }

  TEST_CASE("an attempt that ended with no server is found with its end, until it is released") {
    Folder folder;
    const Gate gate(folder);
    auto order = shell("echo one; " + gate.wait() + "echo two >&2; exit 6");
    std::optional<Watched> shim;
    {
      World first(folder.path());
      first.recover();
      first.executor->start(order);
      first.wait_output(order.fence, "one");
      shim.emplace(shim_of(folder, order.fence));
    }
    gate.open();
    REQUIRE(shim->ended_within(20000));
    for (int life = 0; life < 2; ++life) {
      World next(folder.path());
      REQUIRE(next.recover().size() == 1);
      const auto& end = next.end_of(order.fence);
      CHECK(end.exit_code == 6);
      CHECK(end.result.text == "one\ntwo\n");
      CHECK(next.read(order.fence, OutputStream::Stderr).text == "two\n");
      if (life == 1) next.executor->release(order.fence);
    }
    World last(folder.path());
    CHECK(last.recover().empty());
  }

  TEST_CASE("an adopted attempt can be stopped") {
    Folder folder;
    const std::string sleep = long_sleep();
    auto order = shell("echo ready; sleep " + sleep);
    {
      World first(folder.path());
      first.recover();
      first.executor->start(order);
      first.wait_output(order.fence, "ready");
    }
    World second(folder.path());
    REQUIRE(second.recover().size() == 1);
    second.executor->stop(order.fence, Reason::CancelledByCaller);
    CHECK(second.end_of(order.fence).reason == Reason::CancelledByCaller);
    CHECK(with_argument(sleep).empty());
  }

  TEST_CASE("a lease that lapses with no server ends everything, and the attempt is lost") {
    Folder folder;
    const std::string sleep = long_sleep();
    auto order = shell("setsid sleep " + sleep + " & echo ready; sleep " + sleep);
    std::optional<Watched> shim;
    {
      World first(folder.path(), Millis(300));
      first.recover();
      first.executor->start(order);
      first.wait_output(order.fence, "ready");
      shim.emplace(shim_of(folder, order.fence));
    }
    REQUIRE(shim->ended_within(20000));
    CHECK(with_argument(sleep).empty());
    World second(folder.path());
    REQUIRE(second.recover().size() == 1);
    const auto& end = second.end_of(order.fence);
    CHECK(end.reason == Reason::Lost);
    CHECK(end.result.message == "no server for 300 ms: ended by its lease");
  }

  TEST_CASE("a shim that was killed with no server is a lost attempt, with the output on disk") {
    Folder folder;
    const std::string sleep = long_sleep();
    auto order = shell("setsid sleep " + sleep + " & seq 1 4000; echo ready; sleep " + sleep);
    order.cwd.clear();
    {
      World first(folder.path());
      first.recover();
      first.executor->start(order);
      first.wait_output(order.fence, "ready");
      ::kill(shim_of(folder, order.fence), SIGKILL);
    }
    World second(folder.path());
    REQUIRE(second.recover().size() == 1);
    const auto& end = second.end_of(order.fence);
    CHECK(end.reason == Reason::Lost);
    CHECK(end.result.message.find(" was killed; what it had started") != std::string::npos);
    CHECK(end.result.text.ends_with("4000\nready\n"));
    CHECK(end.result.truncated);
    CHECK_FALSE(end.result.spool.empty());
    CHECK(with_argument(sleep).empty());
    second.executor->release(order.fence);
    second.executor->stop();
    CHECK_FALSE(std::filesystem::exists(attempt_path(folder.path().string(), order.fence)));
    CHECK_FALSE(std::filesystem::exists(scratch_path(folder.path().string(), order.fence)));
  }

  TEST_CASE("a shim that was stopped goes on when its server vanishes, and is adopted") {
    Folder folder;
    const Gate gate(folder);
    auto order = shell("echo ready; " + gate.wait() + "echo went on");
    {
      World first(folder.path());
      first.recover();
      first.executor->start(order);
      first.wait_output(order.fence, "ready");
      ::kill(shim_of(folder, order.fence), SIGSTOP);
    }
    World second(folder.path());
    REQUIRE(second.recover().size() == 1);
    gate.open();
    CHECK(second.end_of(order.fence).result.text == "ready\nwent on\n");
  }

  TEST_CASE("a shim that cannot be reached is ended, and its attempt is lost") {
    Folder folder;
    const std::string sleep = long_sleep();
    auto order = shell("setsid sleep " + sleep + " & echo ready; sleep " + sleep);
    {
      World first(folder.path());
      first.recover();
      first.executor->start(order);
      first.wait_output(order.fence, "ready");
      // In the way of the socket on which it would be adopted.
      REQUIRE(std::filesystem::create_directory(attempt_path(folder.path().string(), order.fence) +
                                                ".sock"));
    }
    World second(folder.path());
    REQUIRE(second.recover().size() == 1);
    const auto& end = second.end_of(order.fence);
    CHECK(end.reason == Reason::Lost);
    CHECK(end.result.message.find(" did not answer the server that took over") !=
          std::string::npos);
    CHECK(with_argument(sleep).empty());
  }

  TEST_CASE("recovery waits until nothing of a former life can start") {
    Folder folder;
    const Descriptor former(
        ::open(zygote_lock(folder.path().string()).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(::flock(former.get(), LOCK_EX) == 0);
    World world(folder.path());
    bool answered = false;
    world.executor->recover([&](auto found) { answered = found.has_value(); });
    world.executor->start(shell("true"));
    world.io.run_for(std::chrono::milliseconds(100));
    CHECK_FALSE(answered);
    CHECK(world.started.empty());
    ::flock(former.get(), LOCK_UN);
    world.until([&] { return answered; });
    CHECK(world.end_of({7, 1}).reason == Reason::Ok);
  }

  TEST_CASE("a zygote that is killed costs no running attempt and no later one") {
    Ready ready;
    const Gate gate(ready.folder);
    ready.world.executor->start(shell("echo one; " + gate.wait() + "echo two", 1));
    ready.world.wait_output({7, 1}, "one");
    signal_zygote(ready.world, SIGKILL);
    CHECK(ready.world.run(shell("echo later", 2)).result.text == "later\n");
    gate.open();
    CHECK(ready.world.end_of({7, 1}).result.text == "one\ntwo\n");
  }

  TEST_CASE("orders that were in a zygote when it died run exactly once") {
    Ready ready;
    const auto ran = ready.folder.path() / "ran";
    for (std::uint64_t round = 0; round < 5; ++round) {
      for (std::uint64_t i = 1; i <= 20; ++i) {
        ready.world.executor->start(shell("echo x >> " + ran.string(), round * 20 + i));
      }
      signal_zygote(ready.world, SIGKILL);
      ready.world.until([&] { return ready.world.ended.size() == (round + 1) * 20; });
    }
    CHECK(lines_in(ran) == 100);
    for (const auto& [fence, end] : ready.world.ended) CHECK(end.reason == Reason::Ok);
  }

  TEST_CASE("a zygote that hangs is replaced, and the attempt it held is a start timeout") {
    Ready ready;
    signal_zygote(ready.world, SIGSTOP);
    auto order = shell("true", 1);
    order.timeouts.start = Millis(100);
    CHECK(ready.world.run(order).reason == Reason::StartTimeout);
    CHECK(ready.world.run(shell("true", 2)).reason == Reason::Ok);
  }

  TEST_CASE("an executable that is gone is told, and orders wait no longer than their limit") {
    Folder folder;
    asio::io_context io;
    ShellExecutor executor(io.get_executor(),
                           {folder.path(), "/nonexistent/mahavishnu", "here", Millis(1000)});
    const auto started = executor.start_zygote();
    REQUIRE_FALSE(started.has_value());
    CHECK(started.error().message ==
          "cannot start the zygote /nonexistent/mahavishnu: No such file or directory");
    std::optional<AttemptEnded> ended;
    executor.subscribe({nullptr, [&](AttemptEnded end) { ended = std::move(end); }, nullptr});
    auto order = shell("true");
    order.timeouts.start = Millis(100);
    executor.start(order);
    while (!ended && io.run_one_for(kGuard) != 0) {
    }
    REQUIRE(ended.has_value());
    CHECK(ended->reason == Reason::StartTimeout);
    CHECK(ended->result.message.find("No such file") != std::string::npos);
  }

  TEST_CASE("without descriptors no zygote starts, nothing is left of it, and later it does") {
    Folder folder;
    asio::io_context io;
    ShellExecutor executor(io.get_executor(),
                           {folder.path(), zygote_program(), "here", Millis(1000)});
    rlimit usual{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &usual) == 0);
    const int next = ::dup(0);
    ::close(next);
    for (rlim_t left = 0; left < 3; ++left) {  // the socket pair takes two
      const rlimit few{static_cast<rlim_t>(next) + left, usual.rlim_max};
      REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
      const auto started = executor.start_zygote();
      REQUIRE(::setrlimit(RLIMIT_NOFILE, &usual) == 0);
      REQUIRE_FALSE(started.has_value());
      CHECK(started.error().message.find("Too many open files") != std::string::npos);
      CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
    }
    CHECK(executor.start_zygote());
  }

  TEST_CASE("a long run directory is no obstacle") {
    Folder folder;
    const auto deep = folder.path() / std::string(100, 'd') / std::string(100, 'e');
    auto order = shell("echo one; sleep 60");
    {
      World first(deep);
      first.recover();
      first.executor->start(order);
      first.wait_output(order.fence, "one");
    }
    World second(deep);
    REQUIRE(second.recover().size() == 1);
    second.executor->stop(order.fence, Reason::CancelledByCaller);
    CHECK(second.end_of(order.fence).result.text == "one\n");
  }
}
