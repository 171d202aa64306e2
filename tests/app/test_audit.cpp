// Who called what: rows before calls, ends after them, refusals once a minute.
#include <doctest/doctest.h>

#include <optional>
#include <stdexcept>

#include "app/audit.h"
#include "base/sha256.h"
#include "three_tools.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::Millis;
using base::WallTime;

constexpr WallTime kNoon{Millis(1800000000000)};

// A trail in memory, which can keep its answers back.
class HandTrail final : public domain::AuditTrail {
 public:
  void append(domain::AuditChange change, std::function<void(base::Status)> done) override {
    for (auto& row : change.rows) rows.push_back(std::move(row));
    for (auto& end : change.ends) {
      for (auto& row : rows) {
        if (row.seq == end.seq) std::tie(row.outcome, row.made) = std::tie(end.outcome, end.made);
      }
    }
    if (done) waiting.push_back(std::move(done));
  }
  void find(domain::AuditFilter, domain::Page,
            std::function<void(base::Result<domain::Listing<domain::AuditRow>>)>) override {}
  base::Result<std::uint64_t> newest() override { return 41; }

  std::vector<domain::AuditRow> rows;
  std::vector<std::function<void(base::Status)>> waiting;
};

class ByHand final : public mcp::Call {
 public:
  const std::string& caller() const override { return caller_; }
  bool wants_progress() const override { return false; }
  void progress(double, double, std::string) override {}
  const std::string& working_directory() const override { return none_; }
  std::shared_ptr<const std::map<std::string, std::string>> environment() const override {
    return nullptr;
  }

 private:
  std::string caller_ = "ci";
  std::string none_;
};

// The audit of a few tools, which end as the test says.
struct Followed {
  Followed() {
    std::vector<mcp::Tool> tools;
    for (const mcp::Tool* one : {&kRead, &kRun, &kAdmin}) {
      tools.push_back(*one);
      tools.back().handler = [this](mcp::Json, mcp::Call&) { return handle(this); };
    }
    all = audit.followed(std::move(tools));
    REQUIRE(audit.start());
  }
  ~Followed() {
    asio::co_spawn(io, audit.stop(), [](std::exception_ptr) {});
    io.poll();
  }
  static base::awaitable<mcp::ToolResult> handle(Followed* self) {
    ++self->ran;
    if (self->crash) throw std::runtime_error("bug");
    co_return self->result;
  }
  static base::awaitable<void> call(Followed* self, std::size_t which, mcp::Json arguments) {
    self->answer = co_await self->all[which].handler(std::move(arguments), self->caller);
  }
  void call(std::size_t which, mcp::Json arguments = mcp::Json::object()) {
    asio::co_spawn(io, call(this, which, std::move(arguments)), [](std::exception_ptr) {});
    io.restart();
    io.poll();
  }

  asio::io_context io;
  HandTrail trail;
  ByHand caller;
  WallTime wall = kNoon;
  Audit audit{
      io.get_executor(), trail, {Millis(1000), 100, Millis(60000), [this] { return wall; }}};
  std::vector<mcp::Tool> all;
  mcp::ToolResult result = std::string(R"({"task":"task_7","state":"queued"})");
  std::optional<mcp::ToolResult> answer;
  bool crash = false;
  int ran = 0;
};

base::awaitable<base::Result<std::vector<mcp::ResourceContents>>> nothing_read(std::string,
                                                                               mcp::UriVariables,
                                                                               mcp::Call&) {
  co_return base::fail(ErrorCode::NotFound, "nothing");
}

base::awaitable<base::Result<std::vector<mcp::PromptMessage>>> nothing_got(mcp::Arguments,
                                                                           mcp::Call&) {
  co_return base::fail(ErrorCode::NotFound, "nothing");
}

}  // namespace

TEST_SUITE("Audit") {
  TEST_CASE("a change has a row, completed by what it made; its arguments are a hash") {
    Followed world;
    world.call(1, {{"command", "secret"}});
    REQUIRE(world.trail.rows.size() == 1);
    const auto& row = world.trail.rows[0];
    CHECK(row.seq == 42);
    CHECK(row.time == kNoon);
    CHECK(row.caller == "ci");
    CHECK(row.tool == "task_submit");
    CHECK(row.outcome == "ok");
    CHECK(row.made == "task_7");
    CHECK(row.arguments == base::sha256_hex(R"({"command":"secret"})"));
    CHECK(world.trail.waiting.empty());
  }

  TEST_CASE("a failure is told by its code, an exception as the bug it is") {
    Followed world;
    world.result = base::fail(ErrorCode::NotFound, "no such repository");
    world.call(1);
    CHECK(world.trail.rows[0].outcome == "NotFound");
    world.crash = true;
    world.call(1);
    CHECK(world.trail.rows[1].outcome == "Internal");
  }

  TEST_CASE("administration waits until its row is on the disk") {
    Followed world;
    world.call(2);
    CHECK(world.ran == 0);
    REQUIRE(world.trail.waiting.size() == 1);
    world.trail.waiting[0]({});
    world.io.poll();
    CHECK(world.ran == 1);
    CHECK(world.trail.rows[0].outcome == "ok");
  }

  TEST_CASE("an audit that cannot be written holds up nothing") {
    Followed world;
    world.call(2);
    REQUIRE(world.trail.waiting.size() == 1);
    world.trail.waiting[0](base::fail(ErrorCode::Exhausted, "the disk is full"));
    world.io.poll();
    CHECK(world.ran == 1);
  }

  TEST_CASE("what only reads is counted, and written together") {
    Followed world;
    world.call(0);
    CHECK(world.trail.rows.empty());
    for (int i = 0; i < 3; ++i) world.audit.decided("ci", kRead, {}, {});
    world.audit.decided("web", kRead, {}, {});
    world.audit.decided("ci", kRun, {}, {});  // has its row when it runs
    world.audit.flush();
    REQUIRE(world.trail.rows.size() == 2);
    CHECK(world.trail.rows[0].calls == 3);
    CHECK(world.trail.rows[0].caller == "ci");
    CHECK(world.trail.rows[1].calls == 1);
    world.audit.flush();
    CHECK(world.trail.rows.size() == 2);
  }

  TEST_CASE("resources and prompts that are read are counted") {
    Followed world;
    mcp::Offer offer;
    offer.resources.emplace_back().read = nothing_read;
    offer.templates.emplace_back().read = nothing_read;
    offer.prompts.emplace_back().get = nothing_got;
    offer = world.audit.followed(std::move(offer));
    static_cast<void>(offer.resources[0].read("a:", {}, world.caller));
    static_cast<void>(offer.templates[0].read("b:", {}, world.caller));
    static_cast<void>(offer.prompts[0].get({}, world.caller));
    world.audit.flush();
    REQUIRE(world.trail.rows.size() == 2);
    CHECK(world.trail.rows[0].tool == "(prompts/get)");
    CHECK(world.trail.rows[0].calls == 1);
    CHECK(world.trail.rows[1].tool == "(resources/read)");
    CHECK(world.trail.rows[1].calls == 2);
    CHECK(world.trail.rows[1].caller == "ci");
  }

  TEST_CASE("of many refusals of a minute the first has a row, the others are counted") {
    Followed world;
    const base::Status denied = base::fail(ErrorCode::Denied, "no");
    for (int i = 0; i < 1000; ++i) world.audit.decided("ci", kAdmin, {{"pool", "p"}}, denied);
    world.audit.decided("ci", kRun, {}, base::fail(ErrorCode::Exhausted, "too many"));
    REQUIRE(world.trail.rows.size() == 2);
    CHECK(world.trail.rows[0].decision == domain::AuditDecision::Denied);
    CHECK(world.trail.rows[0].arguments == base::sha256_hex(R"({"pool":"p"})"));
    CHECK(world.trail.rows[1].decision == domain::AuditDecision::Limited);
    world.audit.flush();
    REQUIRE(world.trail.rows.size() == 3);
    CHECK(world.trail.rows[2].calls == 999);
    world.audit.decided("ci", kAdmin, {}, denied);
    CHECK(world.trail.rows.size() == 4);
  }

  TEST_CASE("who is turned away at the door has a row a minute, by whom and why") {
    Followed world;
    for (int i = 0; i < 1000; ++i) world.audit.turned_away("", 401);
    world.audit.turned_away("ci", 429);
    REQUIRE(world.trail.rows.size() == 2);
    const auto& nobody = world.trail.rows[0];
    CHECK(std::tie(nobody.caller, nobody.tool, nobody.outcome) ==
          std::tuple("(nobody)", "(http)", "401"));
    CHECK(nobody.decision == domain::AuditDecision::Denied);
    CHECK(nobody.arguments.empty());
    CHECK(world.trail.rows[1].caller == "ci");
    CHECK(world.trail.rows[1].decision == domain::AuditDecision::Limited);
    world.audit.flush();
    REQUIRE(world.trail.rows.size() == 3);
    CHECK(world.trail.rows[2].calls == 999);
  }

  TEST_CASE("what a call made is what its answer names") {
    CHECK(made_by("task_submit", R"({"task":"task_1"})") == "task_1");
    CHECK(made_by("task_batch", R"({"batch":"batch_1","tasks":[]})") == "batch_1");
    CHECK(made_by("workflow_run", R"({"workflow":"wf_1"})") == "wf_1");
    CHECK(made_by("task_cancel", R"({"task":"task_1"})").empty());
    for (const char* odd : {"", "{", "[]", R"({"task":7})"})
      CHECK(made_by("task_submit", odd).empty());
  }
}

}  // namespace mahavishnu::app
