// The tools over a whole server in memory, called as a client would: arguments are checked by the
// input schema, answers by the output schema.
#pragma once

#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/message_bus.h"
#include "mcp/schema.h"
#include "support/hand_remote.h"
#include "support/manual_timers.h"
#include "support/memory_messages.h"
#include "support/world.h"
#include "tools/registry.h"

namespace mahavishnu::support {

using rpc::Json;

// Checkouts that are what the test says. With `hold`, looks wait for release().
class HandGit final : public domain::GitFacts {
 public:
  explicit HandGit(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  void look(std::vector<std::string> paths, Answer answer) override {
    ++looks;
    waiting_.emplace_back(std::move(paths), std::move(answer));
    if (!hold) release();
  }
  void release() {
    for (; !waiting_.empty(); waiting_.pop_front()) {
      auto& [paths, answer] = waiting_.front();
      base::Result<std::vector<domain::GitState>> states = std::vector<domain::GitState>();
      for (const auto& path : paths) states->push_back(at[path]);
      if (fail_with) states = base::fail(*fail_with);
      asio::post(executor_,
                 [answer = std::move(answer), states = std::move(states)] { answer(states); });
    }
  }

  std::map<std::string, domain::GitState> at;
  std::optional<base::Error> fail_with;
  bool hold = false;
  int looks = 0;

 private:
  asio::any_io_executor executor_;
  std::deque<std::pair<std::vector<std::string>, Answer>> waiting_;
};

// Memories that answer what the test says.
class HandMemories final : public domain::Memories {
 public:
  explicit HandMemories(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  void store(domain::NewMemory memory, Answer<domain::StoredMemory> answer) override {
    asked_to_store = std::move(memory);
    post(std::move(answer), stored);
  }
  void search(domain::MemoryQuery query, Answer<domain::MemoriesFound> answer) override {
    asked_for = std::move(query);
    post(std::move(answer), found);
  }
  std::optional<std::int64_t> count(domain::PoolId) const override { return pool_count; }

  domain::NewMemory asked_to_store;
  domain::MemoryQuery asked_for;
  base::Result<domain::StoredMemory> stored = domain::StoredMemory{};
  base::Result<domain::MemoriesFound> found = domain::MemoriesFound{};
  std::optional<std::int64_t> pool_count;

 private:
  template <class T>
  void post(Answer<T> answer, base::Result<T> result) {
    asio::post(executor_,
               [answer = std::move(answer), result = std::move(result)] { answer(result); });
  }
  asio::any_io_executor executor_;
};

// An audit of the rows the test says, in pages of what is asked for.
class HandAudit final : public domain::AuditTrail {
 public:
  explicit HandAudit(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  void append(domain::AuditChange, std::function<void(base::Status)>) override {}
  void find(domain::AuditFilter filter, domain::Page page,
            std::function<void(base::Result<domain::Listing<domain::AuditRow>>)> answer) override {
    asked = std::move(filter);
    const auto from = page.cursor.empty() ? 0U : std::stoul(page.cursor);
    const auto to = std::min<std::size_t>(rows.size(), from + static_cast<unsigned>(page.limit));
    domain::Listing<domain::AuditRow> found;
    for (auto at = from; at < to; ++at) found.items.push_back(rows[at]);
    if (to < rows.size()) found.next_cursor = std::to_string(to);
    asio::post(executor_,
               [answer = std::move(answer), found = std::move(found)] { answer(found); });
  }
  base::Result<std::uint64_t> newest() override { return 0; }

  std::vector<domain::AuditRow> rows;
  domain::AuditFilter asked;

 private:
  asio::any_io_executor executor_;
};

// A history that answers what the test says, and tells what it was asked.
class HandLog final : public domain::LogArchive {
 public:
  explicit HandLog(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  void entries(domain::LogFilter filter, domain::Page wanted, Found answer) override {
    ++times;
    asked = std::move(filter);
    asked_page = std::move(wanted);
    base::Result<domain::LogPage> found = page;
    const auto most = static_cast<std::size_t>(asked_page.limit);
    if (found->items.size() > most) found->items.resize(most);
    if (fail_with) found = base::fail(*fail_with);
    asio::post(executor_,
               [answer = std::move(answer), found = std::move(found)] { answer(found); });
  }

  domain::LogPage page;
  std::optional<base::Error> fail_with;
  domain::LogFilter asked;
  domain::Page asked_page;
  int times = 0;

 private:
  asio::any_io_executor executor_;
};

// Breakers that are what the test says.
class HandBreakers final : public domain::Breakers {
 public:
  std::vector<domain::BreakerView> list() const override { return views; }
  base::Status reset(const std::string& target) override {
    asked_to_reset = target;
    return answer;
  }

  std::vector<domain::BreakerView> views;
  std::string asked_to_reset;
  base::Status answer;
};

// A memory server that is what the test says.
class HandSync final : public domain::MemorySync {
 public:
  explicit HandSync(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  void sync(domain::SyncRequest request, Answer<domain::SyncStatus> answer) override {
    asked = request;
    asio::post(executor_, [this, answer = std::move(answer)] { answer(status); });
  }
  void search(std::string words, int limit,
              Answer<std::vector<domain::RemoteHit>> answer) override {
    asked_for = std::move(words);
    asked_limit = limit;
    asio::post(executor_, [this, answer = std::move(answer)] { answer(hits); });
  }

  domain::SyncStatus status;
  base::Result<std::vector<domain::RemoteHit>> hits = std::vector<domain::RemoteHit>{};
  domain::SyncRequest asked;
  std::string asked_for;
  int asked_limit = 0;

 private:
  asio::any_io_executor executor_;
};

class DeskCall final : public mcp::Call {
 public:
  const std::string& caller() const override { return caller_; }
  bool wants_progress() const override { return wants; }
  void progress(double done, double total, std::string message) override {
    if (!told.empty()) CHECK(done > last_);
    last_ = done;
    told.push_back(std::move(message));
    totals.push_back(total);
  }
  const std::string& working_directory() const override { return directory_; }
  std::shared_ptr<const std::map<std::string, std::string>> environment() const override {
    return environment_;
  }

  bool wants = false;
  std::vector<std::string> told;
  std::vector<double> totals;

 private:
  std::string caller_ = "tester";
  std::string directory_ = "/repos/api";
  std::shared_ptr<const std::map<std::string, std::string>> environment_ =
      std::make_shared<const std::map<std::string, std::string>>(
          std::map<std::string, std::string>{{"LANG", "C"}});
  double last_ = 0;
};

class Desk {
 public:
  explicit Desk(control::ServiceOptions options = {})
      : world(std::move(options)),
        git(world.io.get_executor()),
        memories(world.io.get_executor()),
        log(world.io.get_executor()),
        remote_log(world.io.get_executor()),
        messages(world.io.get_executor()),
        bus(world.io.get_executor(), {}, bus_timers, messages),
        sync(world.io.get_executor()),
        survey(world.io.get_executor(), {}, survey_timers, remote),
        audit(world.io.get_executor()),
        context{*world.service, git, memories, world.timers, log,    remote_log,
                breakers,       bus, sync,     survey,       caches, audit},
        tools(tools::all(context)) {
    bus.start({});
    world.service->list_caches(caches);
    for (const char* name : {"api", "web", "ops"}) {
      git.at[std::string("/repos/") + name] = {true, "main", std::string(40, 'a'), ""};
    }
  }

  ~Desk() {
    bus.stop();
    survey.stop();
    world.poll();  // what waited for messages has ended
  }

  const mcp::Tool& tool(const std::string& name) const {
    for (const auto& one : tools) {
      if (one.name == name) return one;
    }
    throw std::runtime_error("no tool " + name);
  }

  // What the input schema says of these arguments: "" when they pass.
  std::string schema_says(const std::string& name, Json arguments) const {
    auto schema = mcp::Schema::compile(tool(name).input_schema);
    REQUIRE_MESSAGE(schema.has_value(), name);
    const auto violations = schema->violations(arguments);
    return violations.empty() ? "" : violations.front();
  }

  using Pending = std::shared_ptr<std::optional<mcp::ToolResult>>;
  Pending begin(const std::string& name, Json arguments) {
    CHECK_MESSAGE(schema_says(name, arguments) == "", name);
    return world.start(tool(name).handler(std::move(arguments), call));
  }

  // The answer of a call that has come to its end.
  Json answer(const std::string& name, const Pending& pending) {
    REQUIRE_MESSAGE(pending->has_value(), name << " did not answer");
    const mcp::ToolResult& result = **pending;
    REQUIRE_MESSAGE(result.has_value(), name << ": " << result.error().message);
    CHECK(result->size() <= 41000);
    Json document = Json::parse(*result);
    auto schema = mcp::Schema::compile(tool(name).output_schema);
    REQUIRE(schema.has_value());
    for (const auto& violation : schema->violations(document))
      FAIL_CHECK(name << ": " << violation);
    return document;
  }
  Json ask(const std::string& name, Json arguments = Json::object()) {
    return answer(name, begin(name, std::move(arguments)));
  }
  // The error of a call whose arguments pass the schema.
  base::Error refused(const std::string& name, Json arguments) {
    const Pending pending = begin(name, std::move(arguments));
    REQUIRE_MESSAGE(pending->has_value(), name << " did not answer");
    REQUIRE_MESSAGE(!(*pending)->has_value(), name << " answered " << ***pending);
    return (*pending)->error();
  }

  // Attempts in the order they started.
  domain::Fence fence(std::size_t which) const { return world.executor.started().at(which); }
  void end(std::size_t which, domain::Reason reason = domain::Reason::Ok, int exit_code = 0,
           std::string text = "done") {
    world.executor.begin(fence(which));
    world.executor.end(fence(which), reason, exit_code, std::move(text));
    world.poll();
  }

  World world;
  HandGit git;
  HandMemories memories;
  HandLog log, remote_log;
  HandBreakers breakers;
  ManualTimers bus_timers;
  MemoryMessages messages;
  control::MessageBus bus;
  HandSync sync;
  ManualTimers survey_timers;
  HandRemote remote;
  control::PoolSurvey survey;
  base::Caches caches;
  HandAudit audit;
  tools::Context context;
  DeskCall call;
  std::vector<mcp::Tool> tools;
};

}  // namespace mahavishnu::support
