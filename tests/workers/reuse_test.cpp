// A shim whose attempt left nothing behind runs the next one, and nobody can tell.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/socket.h>

#include "tests/workers/proc.h"
#include "tests/workers/world.h"
#include "workers/server_link.h"
#include "workers/start_lock.h"

using namespace mahavishnu::workers;
using namespace mahavishnu::workers::test;

namespace {

// What lies there under the name of an attempt; a spare has another.
std::string left_of_attempts(const Folder& folder) {
  std::string left;
  for (const auto& entry :
       std::filesystem::directory_iterator(attempts_dir(folder.path().string()))) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kSparePrefix)) left += name + " ";
  }
  return left;
}

ShimOrder order_number(std::uint64_t counter) {
  return {order_of(counter), Millis(1000), "/run", "here", ""};
}

}  // namespace

TEST_SUITE("reused shims") {
  TEST_CASE("one attempt after another runs under the same shim") {
    Ready ready;
    const pid_t first = shim_that_ran(ready.world, 1);
    CHECK(first > 1);
    CHECK(shim_that_ran(ready.world, 2) == first);
  }

  TEST_CASE("nothing of an attempt is there for the next one") {
    Ready ready;
    auto first = shell("cat; exec 7<&1; umask 000; cd /; echo $PPID", 1);
    first.work.stdin_text = "text\n";
    first.work.env["SECRET"] = "yes";
    first.work.limits.cpu_ms = 5000;
    const auto& end = ready.world.run(first);
    CHECK(end.result.unenforced.size() == 1);
    auto second = shell("cat; echo \"${SECRET:-no} $(ulimit -t) $(pwd)\"; ls /proc/self/fd", 2);
    second.cwd = ready.folder.path();
    const auto& next = ready.world.run(second);
    CHECK(next.result.text == "no unlimited " + ready.folder.path().string() + "\n0\n1\n2\n3\n");
    CHECK(next.result.unenforced.empty());
    CHECK(next.reason == Reason::Ok);
  }

  TEST_CASE("an attempt that fails or is stopped ends as itself only") {
    Ready ready;
    CHECK(ready.world.run(shell("exit 3", 1)).exit_code == 3);
    CHECK(ready.world.run(program({"no-such-command"}, 2)).reason == Reason::Rejected);
    ready.world.executor->start(shell("echo on; sleep 1000", 3));
    ready.world.wait_output({7, 3}, "on");
    ready.world.executor->stop({7, 3}, Reason::CancelledByCaller);
    CHECK(ready.world.end_of({7, 3}).reason == Reason::CancelledByCaller);
    const auto& end = ready.world.run(shell("true", 4));
    CHECK(end.reason == Reason::Ok);
    CHECK(end.exit_code == 0);
    CHECK_FALSE(end.signal.has_value());
    CHECK(end.result.message.empty());
  }

  TEST_CASE("what an attempt left running is gone before its shim runs another") {
    Ready ready;
    const std::string sleep = long_sleep();
    auto order = shell("setsid sleep " + sleep + " & echo $PPID", 1);
    const auto text = ready.world.run(order).result.text;
    ready.world.executor->release(order.fence);
    CHECK(with_argument(sleep).empty());
    CHECK(std::to_string(shim_that_ran(ready.world, 2)) + "\n" == text);
  }

  TEST_CASE("a waiting shim that is ended costs no order, and the order runs once") {
    Ready ready;
    const auto ran = ready.folder.path() / "ran";
    std::uint64_t counter = 0;
    for (const int ending : {SIGKILL, SIGTERM, SIGKILL, SIGTERM}) {
      const pid_t shim = shim_that_ran(ready.world, ++counter);
      ::kill(shim, ending);
      CHECK(ready.world.run(shell("echo x >> " + ran.string(), ++counter)).reason == Reason::Ok);
    }
    CHECK(slurp(ran) == "x\nx\nx\nx\n");
  }

  TEST_CASE("an attempt under a shim that has run others is adopted") {
    Folder folder;
    const Gate gate(folder);
    pid_t shim = 0;
    {
      World first(folder.path());
      first.recover();
      shim = shim_that_ran(first, 1);
      first.executor->start(shell("echo one; " + gate.wait() + "echo two", 2));
      first.wait_output({7, 2}, "one");
      CHECK(shim_of(folder, {7, 2}) == shim);
    }
    World second(folder.path());
    const auto found = second.recover();
    REQUIRE(found.size() == 1);
    CHECK(found[0].fence == Fence{7, 2});
    gate.open();
    CHECK(second.end_of({7, 2}).result.text == "one\ntwo\n");
    const Watched watched(shim);
    CHECK(watched.ended_within(20000));
  }

  TEST_CASE("waiting shims end with their server, and are dismissed when there is no work") {
    Folder folder;
    for (const Millis idle : {Millis(100000), Millis(10)}) {
      World world(folder.path(), Millis(30000), idle);
      world.recover();
      const std::uint64_t counter = idle.count() > 10 ? 1 : 2;
      const Watched shim(shim_that_ran(world, counter));
      if (counter == 1) world.executor.reset();
      if (counter == 2) world.until([&] { return shim.ended_within(0); });
      CHECK(shim.ended_within(20000));
    }
  }

  TEST_CASE("the waiting shims of a zygote that died are not used any more") {
    Ready ready;
    const pid_t shim = shim_that_ran(ready.world, 1);
    const Watched watched(shim);
    ::kill(zygote_of_this_process(), SIGKILL);
    ready.world.until([&] { return watched.ended_within(0); });
    const pid_t next = shim_that_ran(ready.world, 2);
    CHECK(next != shim);
    CHECK(shim_that_ran(ready.world, 3) == next);
  }

  TEST_CASE("a shim takes the file and the empty folder of its released attempt along") {
    Ready ready;
    const auto run_dir = (ready.folder.path() / "run").string();
    auto first = shell("echo $PPID; pwd; chmod 755 .", 1);
    first.cwd.clear();
    const auto text = ready.world.run(first).result.text;
    CHECK(text.ends_with("/a/7-1.d\n"));
    const ino_t file = inode_of(attempt_path(run_dir, {7, 1}));
    const ino_t folder = inode_of(scratch_path(run_dir, {7, 1}));
    REQUIRE(file != 0);
    ready.world.executor->release({7, 1});
    auto second = shell("echo $PPID; pwd; stat -c %a .", 2);
    second.cwd.clear();
    const auto& end = ready.world.run(second);
    CHECK(end.result.text == text + "700\n");
    CHECK(inode_of(attempt_path(run_dir, {7, 2})) == file);
    CHECK(inode_of(scratch_path(run_dir, {7, 1})) == folder);
    CHECK_FALSE(std::filesystem::exists(attempt_path(run_dir, {7, 1})));
    CHECK_FALSE(std::filesystem::exists(scratch_path(run_dir, {7, 2})));
    const auto state = read_attempt(attempt_path(run_dir, {7, 2}));
    REQUIRE(state);
    CHECK(state->header.fence == Fence{7, 2});
    CHECK_FALSE(state->alive);
    REQUIRE(state->end);
    CHECK(state->end->result.text == end.result.text);
  }

  TEST_CASE("a scratch folder that an attempt left full, moved or replaced is not the next one's") {
    Ready ready;
    const auto run_dir = (ready.folder.path() / "run").string();
    std::uint64_t counter = 0;
    for (const char* command :
         {"echo x > left", "mv \"$PWD\" \"$PWD.away\"", "rmdir \"$PWD\"",
          "rmdir \"$PWD\"; echo x > \"$PWD\"",
          "mv \"$PWD\" \"$PWD.gone\"; mkdir -m 777 \"$PWD\"; echo x > \"$PWD/left\""}) {
      for (const std::string& each : {std::string(command), std::string("ls -a; stat -c %a .")}) {
        auto order = shell(each, ++counter);
        order.cwd.clear();
        CHECK(ready.world.run(order).result.text == (counter % 2 == 0 ? ".\n..\n700\n" : ""));
        ready.world.executor->release({7, counter});
      }
    }
  }

  TEST_CASE("the scratch folder of a shim leaves with it, whichever attempt it was made for") {
    Folder folder;
    {
      World world(folder.path());
      world.recover();
      for (std::uint64_t counter = 1; counter <= 3; ++counter) {
        auto order = shell("pwd", counter);
        order.cwd.clear();
        CHECK(world.run(order).result.text.ends_with("/a/7-1.d\n"));
        world.executor->release({7, counter});
      }
    }
    CHECK_FALSE(std::filesystem::exists(scratch_path(folder.path().string(), {7, 1})));
  }

  TEST_CASE("also when an attempt that was stopped before it needed one came first") {
    Folder folder;
    {
      World world(folder.path());
      world.recover();
      shim_that_ran(world, 1);
      for (std::uint64_t counter = 2; counter <= 4; ++counter) {
        auto order = shell("pwd", counter);
        order.cwd.clear();
        world.executor->start(order);
        if (counter == 2) world.executor->stop(order.fence, Reason::CancelledByCaller);
        world.end_of(order.fence);
        world.executor->release(order.fence);
      }
    }
    CHECK(left_of_attempts(folder) == "");
  }

  TEST_CASE("also when the shim that was to take it along was killed before it could") {
    for (const bool next_has_a_directory : {false, true}) {
      Folder folder;
      {
        World world(folder.path());
        world.recover();
        for (std::uint64_t counter = 1; counter <= 4; ++counter) {
          auto order = shell("echo $PPID", counter);
          order.cwd = counter == 2 && next_has_a_directory ? folder.path().string() : "";
          const pid_t shim = std::atoi(world.run(order).result.text.c_str());
          world.executor->release(order.fence);
          if (counter == 1) ::kill(shim, SIGKILL);
        }
      }
      CHECK(left_of_attempts(folder) == "");
    }
  }

  TEST_CASE("an adopted attempt takes its scratch folder away with it") {
    Folder folder;
    const Gate gate(folder);
    {
      World first(folder.path());
      first.recover();
      auto order = shell("true", 1);
      order.cwd.clear();
      first.run(order);
      first.executor->release({7, 1});
      order = shell("pwd; echo one > file; " + gate.wait() + "cat file", 2);
      order.cwd.clear();
      first.executor->start(order);
      first.wait_output({7, 2}, "7-1.d");
    }
    World second(folder.path());
    REQUIRE(second.recover().size() == 1);
    gate.open();
    CHECK(second.end_of({7, 2}).result.text.ends_with("7-1.d\none\n"));
    CHECK_FALSE(std::filesystem::exists(scratch_path(folder.path().string(), {7, 1})));
  }

  TEST_CASE("a scratch folder whose shim died with its server is removed by the next one") {
    Folder folder;
    const auto run_dir = folder.path().string();
    std::filesystem::create_directories(scratch_path(run_dir, {7, 1}) + "/deep");
    std::filesystem::create_directories(spare_scratch_path(run_dir, "7-3"));
    std::filesystem::create_directories(scratch_path(run_dir, {7, 2}));
    const Descriptor held(::open(scratch_path(run_dir, {7, 2}).c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(::flock(held.get(), LOCK_EX) == 0);
    World world(folder.path());
    world.recover();
    CHECK_FALSE(std::filesystem::exists(scratch_path(run_dir, {7, 1})));
    CHECK_FALSE(std::filesystem::exists(spare_scratch_path(run_dir, "7-3")));
    CHECK(std::filesystem::exists(scratch_path(run_dir, {7, 2})));
  }

  TEST_CASE("the folder of a spare whose file went to an attempt with a directory goes, too") {
    Folder folder;
    const auto run_dir = folder.path().string();
    std::filesystem::create_directories(spare_scratch_path(run_dir, "6-1"));
    {
      const Descriptor spare(::open(spare_path(run_dir, "6-1").c_str(), O_WRONLY | O_CREAT, 0600));
    }
    World world(folder.path());
    world.recover();
    CHECK(std::filesystem::exists(spare_scratch_path(run_dir, "6-1")));
    auto order = shell("true", 1);
    order.cwd = run_dir;
    world.run(order);
    CHECK_FALSE(std::filesystem::exists(spare_path(run_dir, "6-1")));
    CHECK_FALSE(std::filesystem::exists(spare_scratch_path(run_dir, "6-1")));
  }

  TEST_CASE("an attempt that is not released keeps its file, whoever runs next") {
    Ready ready;
    const auto run_dir = (ready.folder.path() / "run").string();
    for (std::uint64_t i = 1; i <= 50; ++i) ready.world.run(shell("echo " + std::to_string(i), i));
    for (std::uint64_t i = 1; i <= 50; ++i) {
      const auto state = read_attempt(attempt_path(run_dir, {7, i}));
      REQUIRE(state);
      CHECK(state->header.fence == Fence{7, i});
      REQUIRE(state->end);
      CHECK(state->end->result.text == std::to_string(i) + "\n");
    }
  }

  TEST_CASE("what waiting shims hold of released attempts is cleared with them") {
    Folder folder;
    {
      World world(folder.path());
      world.recover();
      auto order = shell("echo on", 1);
      order.cwd.clear();
      world.run(order);
      world.executor->release({7, 1});
    }
    CHECK_FALSE(std::filesystem::exists(attempt_path(folder.path().string(), {7, 1})));
    World next(folder.path());
    CHECK(next.recover().empty());
  }

  TEST_CASE("a waiting shim that was killed leaves nothing of the attempt it was to take along") {
    Ready ready;
    const auto run_dir = (ready.folder.path() / "run").string();
    const pid_t shim = shim_that_ran(ready.world, 1);
    ::kill(shim, SIGKILL);
    CHECK(ready.world.run(shell("true", 2)).reason == Reason::Ok);
    ready.world.until([&] { return !std::filesystem::exists(attempt_path(run_dir, {7, 1})); });
  }

  TEST_CASE("a file whose shim died while it moved it on is removed") {
    Folder folder;
    const auto run_dir = folder.path().string();
    std::filesystem::create_directories(attempts_dir(run_dir));
    AttemptHeader header;
    header.fence = {7, 2};
    header.node = "here";
    { REQUIRE(AttemptFile::claim(run_dir, header)); }
    std::filesystem::rename(attempt_path(run_dir, {7, 2}), attempt_path(run_dir, {7, 1}));
    World world(folder.path());
    CHECK(world.recover().empty());
    CHECK_FALSE(std::filesystem::exists(attempt_path(run_dir, {7, 1})));
  }

  TEST_CASE("an attempt whose file another shim has claimed is not started again") {
    Folder folder;
    const auto run_dir = folder.path().string();
    std::filesystem::create_directories(attempts_dir(run_dir));
    AttemptHeader header;
    header.fence = {7, 1};
    auto file = AttemptFile::claim(run_dir, header);
    REQUIRE(file);
    file->unlock();
    AttemptHeader next = header;
    next.fence = {7, 2};
    REQUIRE(AttemptFile::claim(run_dir, next));
    CHECK_FALSE(file->claim_next(run_dir, {7, 1}, next));
    CHECK_FALSE(std::filesystem::exists(attempt_path(run_dir, {7, 1})));
    CHECK(AttemptFile::claim(run_dir, next).error().code == mahavishnu::base::ErrorCode::Conflict);
  }

  TEST_CASE("an attempt of a former life that is not wanted is cleared once its end is in") {
    Folder folder;
    {
      World first(folder.path());
      first.recover();
      first.run(shell("echo on", 1));
    }
    World second(folder.path());
    std::optional<bool> recovered;
    second.executor->recover([&](auto found) {
      recovered = found && found->size() == 1;
      second.executor->release({7, 1});  // before its end is told, as the core does
    });
    second.until([&] { return recovered.has_value(); });
    CHECK(*recovered);
    second.until([&] {
      return !std::filesystem::exists(attempt_path(folder.path().string(), {7, 1}));
    });
    CHECK(second.ended.empty());
  }

  TEST_CASE("who waits for an order holds the lock a new zygote needs, who has claimed does not") {
    Folder folder;
    const std::string path = zygote_lock(folder.path().string());
    Descriptor inherited(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    ::flock(inherited.get(), LOCK_SH);
    StartLock lock(std::move(inherited));
    const Descriptor zygote(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    const auto free = [&] { return ::flock(zygote.get(), LOCK_EX | LOCK_NB) == 0; };
    CHECK_FALSE(free());
    lock.give_up();
    CHECK(free());
    CHECK_FALSE(lock.take(folder.path().string()));
    ::flock(zygote.get(), LOCK_UN);
    CHECK(lock.take(folder.path().string()));
    CHECK_FALSE(free());
    lock.give_up();
    CHECK(free());
  }

  TEST_CASE("what was meant for an ended attempt does not reach the next one") {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const Descriptor server(ends[0]);
    ServerLink link{Descriptor(ends[1])};
    const std::string sent = encode_stop(Reason::CancelledByCaller) +
                             encode_read({1, OutputStream::All, 0, 10}) +
                             encode_order(order_number(2)) + encode_stop(Reason::TimedOut);
    REQUIRE(::send(server.get(), sent.data(), sent.size(), 0) == static_cast<ssize_t>(sent.size()));
    const auto order = link.take_order();
    REQUIRE(order.has_value());
    CHECK(order->attempt.fence == Fence{7, 2});
    const auto frames = link.take_now();
    REQUIRE(frames.size() == 1);
    CHECK(Reader(frames[0].body).number() == static_cast<std::uint64_t>(Reason::TimedOut));
  }
}
