// Attempts that call a tool: how they are ordered, ended, and what they report.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "support/hand_executor.h"
#include "workers/mcp_executor.h"
#include "workers/pool_check.h"
#include "workers/report.h"
#include "world.h"

namespace mahavishnu::workers::test {
namespace {

AttemptOrder calling(std::string script, std::uint64_t counter = 1) {
  AttemptOrder order = program({"/bin/bash", "-c", std::move(script)}, counter);
  order.calls_tool = true;
  return order;
}

// What a program writes as its report, as a script of bash.
std::string reporting(const std::string& message, const std::string& structured) {
  const std::string bytes = Writer().text(message).text(structured).take();
  std::string script = "printf '";
  for (const char c : bytes) {
    char escaped[8];
    std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned char>(c));
    script += escaped;
  }
  return script + "' >&3";
}

domain::PoolSpec by_command(std::vector<std::string> command) {
  domain::PoolSpec spec;
  spec.settings.command = std::move(command);
  return spec;
}

domain::PoolSpec by_token(const std::string& file) {
  domain::PoolSpec spec;
  spec.settings.url = "http://host/mcp";
  spec.settings.token_file = file;
  return spec;
}

}  // namespace

TEST_SUITE("report") {
  TEST_CASE("it comes out as it was written, its sentence cut where it is too long") {
    const Descriptor file = make_report();
    REQUIRE(file);
    CHECK_FALSE(read_report(file.get()).has_value());
    REQUIRE(write_report({std::string(3000, 'x'), R"({"a":1})"}, file.get()));
    const auto report = read_report(file.get());
    REQUIRE(report.has_value());
    CHECK(report->message.size() < 2100);
    CHECK(report->message.ends_with("…"));
    CHECK(report->structured == R"({"a":1})");
  }

  TEST_CASE("what is no report, or too large, is none") {
    const Descriptor noise = make_report();
    REQUIRE(::pwrite(noise.get(), "not a report at all", 19, 0) == 19);
    CHECK_FALSE(read_report(noise.get()).has_value());
    const Descriptor large = make_report();
    REQUIRE(write_report({"", std::string(domain::kMostStructured + 1, 'x')}, large.get()));
    CHECK_FALSE(read_report(large.get()).has_value());
  }
}

TEST_SUITE("attempts that call a tool") {
  TEST_CASE("the report's sentence stands for the exit code, and its JSON is the result's") {
    Ready ready;
    const auto& failed =
        ready.world.run(calling("echo text; " + reporting("no such tool", "[1]") + "; exit 2"));
    CHECK(failed.reason == Reason::ExitCode);
    CHECK(failed.exit_code == 2);
    CHECK(failed.result.message == "no such tool");
    CHECK(failed.result.structured == "[1]");
    CHECK(failed.result.text == "text\n");
    const auto& plain = ready.world.run(calling("exit 4", 2));
    CHECK(plain.result.message == "ended with exit code 4");
  }

  TEST_CASE("an order's program has no report, and nothing else on that descriptor") {
    Ready ready;
    CHECK(ready.world.run(shell("test ! -e /proc/self/fd/3")).reason == Reason::Ok);
  }

  TEST_CASE("asked to end, the program alone is told: it ends what it has started") {
    Ready ready;
    const AttemptOrder order = calling(
        "sleep 600 & child=$!; trap 'kill -0 $child && echo child lives; kill $child; exit 143' "
        "TERM; echo ready; wait");
    ready.world.executor->start(order);
    ready.world.wait_output(order.fence, "ready");
    ready.world.executor->stop(order.fence, Reason::CancelledByCaller);
    const auto& end = ready.world.end_of(order.fence);
    CHECK(end.reason == Reason::CancelledByCaller);
    CHECK(end.result.text.find("child lives") != std::string::npos);
    CHECK(end.processes_left == 0);
  }

  TEST_CASE("one that does not end is killed with all it has started") {
    Ready ready;
    const AttemptOrder order = calling("trap '' TERM; sleep 600 & echo ready; wait; wait");
    ready.world.executor->start(order);
    ready.world.wait_output(order.fence, "ready");
    ready.world.executor->stop(order.fence, Reason::CancelledByCaller);
    CHECK(ready.world.end_of(order.fence).processes_left == 0);
  }
}

TEST_SUITE("McpExecutor") {
  TEST_CASE("a call is this program, with what to call on its stdin and nothing in its arguments") {
    support::HandExecutor shell;
    McpExecutor executor(shell, "/proc/self/exe");
    AttemptOrder order = order_of(1);
    order.work.tool = "search";
    order.work.arguments = R"({"big":12345678901234567890123,"q":"é"})";
    order.settings.url = "https://host/mcp";
    order.settings.token_file = "/etc/token";
    order.settings.headers = {{"X-Team", "core"}};
    executor.start(order);
    const auto& sent = shell.attempt(order.fence).order;
    CHECK(sent.calls_tool);
    CHECK(sent.work.argv == std::vector<std::string>{"/proc/self/exe", "__mcp"});
    CHECK(sent.work.tool.empty());
    CHECK(sent.work.stdin_text.ends_with("\"arguments\":" + order.work.arguments + "}"));
    const auto call = nlohmann::json::parse(sent.work.stdin_text);
    CHECK(call["url"] == "https://host/mcp");
    CHECK(call["tool"] == "search");
    CHECK(call["headers"]["X-Team"] == "core");
    CHECK_FALSE(call.contains("command"));
  }

  TEST_CASE("without arguments there are none, and a command goes word by word") {
    domain::PoolSettings settings;
    settings.command = {"npx", "-y", "a b"};
    domain::Work work;
    work.tool = "ping";
    const auto call = nlohmann::json::parse(call_text(settings, work));
    CHECK(call["command"] == nlohmann::json{"npx", "-y", "a b"});
    CHECK(call["arguments"] == nlohmann::json::object());
  }

  TEST_CASE("everything else is the shell executor's") {
    support::HandExecutor shell;
    McpExecutor executor(shell, "x");
    AttemptOrder order = order_of(1);
    executor.start(order);
    executor.stop(order.fence, Reason::TimedOut);
    executor.release(order.fence);
    CHECK(shell.attempt(order.fence).stop == Reason::TimedOut);
    CHECK(shell.attempt(order.fence).released);
    shell.found.push_back({order.task, 1, order.fence});
    std::size_t found = 9;
    executor.recover([&found](const auto& answer) { found = answer->size(); });
    CHECK(found == 0);
  }
}

TEST_SUITE("what a pool needs of this machine") {
  TEST_CASE("a command is looked for on the PATH its work will have") {
    CHECK(missing_for(by_command({"sh"}), {{"PATH", "/usr/bin:/bin"}}) == "");
    CHECK(missing_for(by_command({"sh"}), {{"PATH", "/nowhere"}}) ==
          "command not found: \"sh\" (searched PATH /nowhere)");
    CHECK(missing_for(by_command({"/nowhere/server"}), {}).find("cannot be run") !=
          std::string::npos);
    CHECK(missing_for(by_command({"./server"}), {}) == "");  // where that is differs by task
  }

  TEST_CASE("a token's file is there, and nobody else reads it") {
    Folder folder;
    const std::string file = (folder.path() / "token").string();
    CHECK(missing_for(by_token(file), {}) ==
          "token_file " + file + " cannot be read: No such file or directory");
    CHECK(missing_for(by_token(folder.path().string()), {}).find("it is a directory") !=
          std::string::npos);
    { std::ofstream(file) << "secret"; }
    ::chmod(file.c_str(), 0644);
    CHECK(missing_for(by_token(file), {}).find("chmod 600") != std::string::npos);
    ::chmod(file.c_str(), 0600);
    CHECK(missing_for(by_token(file), {}) == "");
  }

  TEST_CASE("the executor answers it on its own time") {
    Ready ready;
    std::optional<std::string> missing;
    ready.world.executor->examine(by_command({"no-such-server"}), {{"PATH", "/bin"}},
                                  [&](auto answer) { missing = *answer; });
    CHECK_FALSE(missing.has_value());
    ready.world.until([&] { return missing.has_value(); });
    CHECK(missing->find("no-such-server") != std::string::npos);
  }
}

}  // namespace mahavishnu::workers::test
