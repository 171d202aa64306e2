// Calls that go on as tasks: the extension of 2026-07-28 and the experiment of 2025-11-25, over a
// keeper whose tasks do what the test says.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "mcp/error_map.h"
#include "mcp/signer.h"
#include "mcp/tasks.h"
#include "tool_server.h"

using namespace mahavishnu;
using namespace mahavishnu::mcp_test;
using mcp::TaskState;

namespace {

constexpr const char* kExtension = "io.modelcontextprotocol/tasks";
constexpr const char* kRelated = "io.modelcontextprotocol/related-task";

// Tasks by hand, on a clock by hand: a minute after its making a task is forgotten.
class HandTasks final : public mcp::TaskKeeper {
 public:
  explicit HandTasks(asio::io_context& io) : news_(io) {}

  mcp::TaskView begin(const std::string& caller) {
    const std::string id = "task-" + std::to_string(tasks.size() + 1);
    mcp::TaskView& view = tasks[id];
    view.id = id;
    view.subject = "subject of " + id;
    view.created = view.updated = now;
    view.ttl = base::Millis(60000);
    callers_[id] = caller;
    return view;
  }
  void end(const std::string& id, TaskState state, std::optional<mcp::TaskEnd> end) {
    tasks[id].state = state;
    tasks[id].end = std::move(end);
    news_.cancel();
  }

  base::awaitable<base::Result<mcp::TaskView>> get(std::string id, std::string caller,
                                                   base::Millis wait) override {
    while (true) {
      const auto held = find(id, caller);
      if (!held) co_return base::fail(held.error());
      if ((*held)->state != TaskState::Working || wait.count() == 0) co_return **held;
      news_.expires_at(asio::steady_timer::time_point::max());
      co_await news_.async_wait(base::as_result);
      const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
      if (state.cancelled() != asio::cancellation_type::none) {
        co_return base::fail(base::ErrorCode::Cancelled, "nobody waits any more");
      }
    }
  }
  base::awaitable<base::Status> answer(std::string id, mcp::Answers answers,
                                       mcp::Call& call) override {
    const auto held = find(id, call.caller());
    if (!held) co_return base::fail(held.error());
    auto& open = (*held)->questions;
    std::erase_if(open, [&answers](const auto& one) { return answers.contains(one.key); });
    if ((*held)->state == TaskState::InputRequired && open.empty()) {
      end(id, TaskState::Completed, mcp::TaskEnd(std::string(R"({"answered":true})")));
    }
    co_return base::Status{};
  }
  base::awaitable<base::Status> cancel(std::string id, base::Millis, mcp::Call& call) override {
    const auto held = find(id, call.caller());
    if (!held) co_return base::fail(held.error());
    ++cancelled;
    if (!mcp::is_over((*held)->state)) end(id, TaskState::Cancelled, std::nullopt);
    co_return base::Status{};
  }
  base::awaitable<base::Result<mcp::TaskPage>> list(std::string caller,
                                                    std::string cursor) override {
    if (!cursor.empty() && cursor != "more") {
      co_return base::fail(base::ErrorCode::InvalidArgument, "params.cursor is none");
    }
    mcp::TaskPage page;
    for (const auto& [id, view] : tasks) {
      if (callers_[id] == caller) page.tasks.push_back(view);
    }
    page.next = cursor.empty() ? "more" : "";
    co_return page;
  }
  std::optional<std::string> subject(std::string_view id, std::string_view caller) const override {
    const auto known = callers_.find(std::string(id));
    if (known == callers_.end() || known->second != caller) return std::nullopt;
    return tasks.at(std::string(id)).subject;
  }

  std::map<std::string, mcp::TaskView> tasks;
  base::WallTime now{base::Millis(1'700'000'000'000)};
  int cancelled = 0;

 private:
  base::Result<mcp::TaskView*> find(const std::string& id, const std::string& caller) {
    const auto held = tasks.find(id);
    if (held == tasks.end() || callers_[id] != caller) {
      return base::fail(base::ErrorCode::NotFound, "there is no such task");
    }
    if (now > held->second.created + *held->second.ttl) {
      return base::fail(base::ErrorCode::NotFound, "the task has expired");
    }
    return &held->second;
  }

  std::map<std::string, std::string> callers_;
  asio::steady_timer news_;
};

using Content = base::awaitable<base::Result<mcp::ToolContent>>;

Content work(HandTasks* keeper, mcp::Call* call) {
  if (call->task_wish() != mcp::TaskWish::No) {
    co_return base::fail(call->hand_over(keeper->begin(call->caller())));
  }
  co_return mcp::ToolContent{{mcp::text_content("done at once")}, nullptr, false};
}

struct TaskHost : ToolServer {
  explicit TaskHost(mcp::TaskOffer offered = {}) {
    std::vector<mcp::Tool> tools = test_tools(gate);
    for (const auto support : {mcp::TaskSupport::Optional, mcp::TaskSupport::Required}) {
      mcp::Tool tool;
      tool.name = support == mcp::TaskSupport::Required ? "only_work" : "work";
      tool.description = "Works";
      tool.input_schema = R"({"type":"object"})";
      tool.tasks = support;
      tool.content_handler = [this](Json, mcp::Call& call) { return work(&keeper, &call); };
      tools.push_back(std::move(tool));
    }
    mcp::Offer offer;
    offer.tasks = std::move(offered);
    offer.tasks.keeper = &keeper;
    auto made = mcp::Server::create(io.get_executor(), defaults(), std::move(tools), {}, offer);
    REQUIRE(made);
    server = std::move(*made);
  }
  ~TaskHost() { stop(); }
  void end(const std::string& id, TaskState state, std::optional<mcp::TaskEnd> with) {
    keeper.end(id, state, std::move(with));
    server->task_changed("subject of " + id);
    settle();
  }
  HandTasks keeper{io};
};

Json declared(Json params) {
  params = modern(std::move(params));
  params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = {
      {"extensions", {{kExtension, Json::object()}}}};
  return params;
}

Json about(const char* id) { return declared({{"taskId", id}}); }

mcp::TaskEnd text(const char* said) {
  return mcp::ToolContent{{mcp::text_content(said)}, nullptr, false};
}

mcp::Question question(const char* key) {
  return {key, mcp::Ask::Elicitation, {{"message", key}, {"requestedSchema", Json::object()}}};
}

// A task of `client`, made by a call.
void make_task(Client& client) { client.ask("make", "tools/call", declared({{"name", "work"}})); }

mcp::View as(const char* caller) {
  mcp::View view;
  view.caller = caller;
  return view;
}

}  // namespace

TEST_SUITE("tasks, modern") {
  TEST_CASE("the extension is declared, and the experiment is not") {
    TaskHost host;
    Client client(host);
    const Json result = client.ask(1, "server/discover", modern())["result"];
    CHECK(result["capabilities"]["extensions"] == Json{{kExtension, Json::object()}});
    CHECK_FALSE(result["capabilities"].contains("tasks"));
    const Json listed = client.ask(2, "tools/list", modern())["result"]["tools"];
    for (const Json& tool : listed) CHECK_FALSE(tool.contains("execution"));
  }

  TEST_CASE("a call becomes a task for who declared it, flat and without an end") {
    TaskHost host;
    Client client(host);
    const Json task = client.ask(1, "tools/call", declared({{"name", "work"}}))["result"];
    CHECK(task == Json{{"resultType", "task"},
                       {"taskId", "task-1"},
                       {"status", "working"},
                       {"createdAt", "2023-11-14T22:13:20.000Z"},
                       {"lastUpdatedAt", "2023-11-14T22:13:20.000Z"},
                       {"ttlMs", 60000},
                       {"pollIntervalMs", 1000}});
    const Json plain = client.ask(2, "tools/call", modern({{"name", "work"}}))["result"];
    CHECK(plain["content"][0]["text"] == "done at once");
    CHECK(plain["resultType"] == "complete");
  }

  TEST_CASE("what needs a task is refused to who cannot follow it, with what is missing") {
    TaskHost host;
    Client client(host);
    const Json missing{{"extensions", {{kExtension, Json::object()}}}};
    for (const char* method : {"tasks/get", "tasks/update", "tasks/cancel"}) {
      const Json error = client.ask(1, method, modern({{"taskId", "task-1"}}))["error"];
      CHECK(error["code"] == -32021);
      CHECK(error["data"]["requiredCapabilities"] == missing);
    }
    CHECK(client.ask(2, "tools/call", modern({{"name", "only_work"}}))["error"]["code"] == -32021);
    const Json listen = modern({{"notifications", {{"taskIds", {"task-1"}}}}});
    CHECK(client.ask(3, "subscriptions/listen", listen)["error"]["code"] == -32021);
  }

  TEST_CASE("the end is inlined: a result, a failure of the tool, an error of the protocol") {
    TaskHost host;
    Client client(host);
    for (int i = 0; i < 3; ++i) make_task(client);
    host.end("task-1", TaskState::Completed, mcp::TaskEnd(std::string(R"({"sum":3})")));
    host.end("task-2", TaskState::Completed,
             mcp::TaskEnd(base::Error{base::ErrorCode::Conflict, "no room", 0}));
    host.end("task-3", TaskState::Failed, mcp::TaskEnd(mcp::rpc_error(-32603, "broken")));
    const Json first = client.ask(1, "tasks/get", about("task-1"))["result"];
    CHECK(first["resultType"] == "complete");
    CHECK(first["status"] == "completed");
    CHECK(first["result"]["structuredContent"] == Json{{"sum", 3}});
    CHECK_FALSE(first["result"].contains("_meta"));
    const Json second = client.ask(2, "tasks/get", about("task-2"))["result"];
    CHECK(second["status"] == "completed");
    CHECK(second["result"]["isError"] == true);
    const Json third = client.ask(3, "tasks/get", about("task-3"))["result"];
    CHECK(third["error"] == Json{{"code", -32603}, {"message", "broken"}});
    CHECK_FALSE(third.contains("result"));
  }

  TEST_CASE("questions stand in the task until each is answered") {
    TaskHost host;
    Client client(host);
    make_task(client);
    mcp::TaskView& task = host.keeper.tasks["task-1"];
    task.state = TaskState::InputRequired;
    task.questions = {question("a"), question("b")};
    Json got = client.ask(1, "tasks/get", about("task-1"))["result"];
    CHECK(got["status"] == "input_required");
    CHECK(got["inputRequests"]["a"]["method"] == "elicitation/create");
    Json answer = about("task-1");
    answer["inputResponses"] = {{"a", {{"action", "accept"}}}, {"never asked", 5}};
    const Json ack = client.ask(2, "tasks/update", answer)["result"];
    CHECK(ack["resultType"] == "complete");
    CHECK_FALSE(ack.contains("status"));
    got = client.ask(3, "tasks/get", about("task-1"))["result"];
    CHECK(got["inputRequests"].size() == 1);
    CHECK(got["inputRequests"].contains("b"));
    answer["inputResponses"] = {{"b", {{"action", "accept"}}}};
    client.ask(4, "tasks/update", answer);
    CHECK(client.ask(5, "tasks/get", about("task-1"))["result"]["status"] == "completed");
    answer["inputResponses"] = 5;
    CHECK(client.ask(6, "tasks/update", answer)["error"]["code"] == -32602);
  }

  TEST_CASE("cancelling is acknowledged, also when there is nothing left to cancel") {
    TaskHost host;
    Client client(host);
    make_task(client);
    for (int i = 0; i < 2; ++i) {
      const Json ack = client.ask(1, "tasks/cancel", about("task-1"))["result"];
      CHECK(ack["resultType"] == "complete");
      CHECK_FALSE(ack.contains("taskId"));
    }
    CHECK(client.ask(2, "tasks/get", about("task-1"))["result"]["status"] == "cancelled");
  }

  TEST_CASE("no task is there for a stranger, by a made-up handle, or after its time") {
    TaskHost host;
    Client client(host, as("ann"));
    Client stranger(host, as("bob"));
    make_task(client);
    for (const char* method : {"tasks/get", "tasks/cancel"}) {
      CHECK(stranger.ask(1, method, about("task-1"))["error"]["code"] == -32602);
      CHECK(client.ask(1, method, about("task-9"))["error"]["code"] == -32602);
      CHECK(client.ask(1, method, declared(Json::object()))["error"]["code"] == -32602);
      CHECK(client.ask(1, method, declared({{"taskId", 5}}))["error"]["code"] == -32602);
    }
    CHECK(host.keeper.cancelled == 0);
    host.keeper.now += base::Millis(60000);
    CHECK(client.ask(2, "tasks/get", about("task-1")).contains("result"));
    host.keeper.now += base::Millis(1);
    const Json error = client.ask(3, "tasks/get", about("task-1"))["error"];
    CHECK(error["code"] == -32602);
    CHECK(error["message"] == "the task has expired");
  }

  TEST_CASE("the methods of the experiment are not there") {
    TaskHost host;
    Client client(host);
    for (const char* method : {"tasks/result", "tasks/list", "tasks/other"}) {
      CHECK(client.ask(1, method, about("task-1"))["error"]["code"] == -32601);
    }
    const Json params = declared({{"name", "echo"}, {"arguments", {{"text", "x"}}}, {"task", 5}});
    CHECK(client.ask(2, "tools/call", params)["result"]["structuredContent"]["text"] == "x");
  }

  TEST_CASE("who watches a task hears how it is, what it becomes, and of no other") {
    TaskHost host;
    Client client(host, as("ann"));
    make_task(client);
    make_task(client);
    client.request("s", "subscriptions/listen",
                   declared({{"notifications", {{"taskIds", {"task-1", "task-1", "none"}}}}}));
    CHECK(client.next()["params"]["notifications"] == Json{{"taskIds", {"task-1"}}});
    Json told = client.next();
    CHECK(told["method"] == "notifications/tasks");
    CHECK(told["params"]["status"] == "working");
    CHECK(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == "s");
    host.end("task-2", TaskState::Completed, text("other"));
    CHECK(client.quiet());
    host.end("task-1", TaskState::Completed, text("mine"));
    told = client.next();
    CHECK(told["params"]["status"] == "completed");
    CHECK(told["params"]["result"]["content"][0]["text"] == "mine");
    host.server->task_changed("subject of task-1");
    host.settle();
    CHECK(client.quiet());
  }

  TEST_CASE("nobody watches the task of another") {
    TaskHost host;
    Client client(host, as("ann"));
    Client stranger(host, as("bob"));
    make_task(client);
    stranger.request("s", "subscriptions/listen",
                     declared({{"notifications", {{"taskIds", {"task-1"}}}}}));
    CHECK(stranger.next()["params"]["notifications"] == Json::object());
    host.end("task-1", TaskState::Completed, text("secret"));
    CHECK(stranger.quiet());
    for (const Json& ids : {Json("task-1"), Json{5}}) {
      const Json listen = declared({{"notifications", {{"taskIds", ids}}}});
      CHECK(stranger.ask(1, "subscriptions/listen", listen)["error"]["code"] == -32602);
    }
  }

  TEST_CASE("cancelling a request does not cancel the task it made") {
    TaskHost host;
    Client client(host);
    make_task(client);
    client.notify("notifications/cancelled", {{"requestId", "make"}});
    CHECK(host.keeper.cancelled == 0);
    CHECK(client.ask(1, "tasks/get", about("task-1"))["result"]["status"] == "working");
  }

  TEST_CASE("over HTTP the handle is repeated in Mcp-Name") {
    TaskHost host;
    const auto get = [&host](const char* named) {
      const Json body{
          {"jsonrpc", "2.0"}, {"id", 1}, {"method", "tasks/get"}, {"params", about("task-1")}};
      return host.http("POST", "/mcp",
                       {{"Content-Type", "application/json"},
                        {"Accept", "application/json, text/event-stream"},
                        {"MCP-Protocol-Version", "2026-07-28"},
                        {"Mcp-Method", "tasks/get"},
                        {"Mcp-Name", named}},
                       body.dump());
    };
    host.keeper.begin("test");
    CHECK(get("task-2")->json()["error"]["code"] == -32020);
    CHECK(get("task-1")->json().contains("error") != get("task-1")->json().contains("result"));
    CHECK(get("task-1")->json().value("error", Json::object()).value("code", 0) != -32020);
  }

  TEST_CASE("who may not use the tools may do nothing with tasks") {
    TaskHost host({nullptr, "echo", "echo", "erase"});
    mcp::View view;
    view.tools = {"work"};
    Client blind(host, view);
    const Json plain = blind.ask(1, "tools/call", declared({{"name", "work"}}))["result"];
    CHECK(plain["content"][0]["text"] == "done at once");
    view.tools = {"work", "echo"};
    Client reader(host, view);
    make_task(reader);
    CHECK(reader.ask(2, "tasks/get", about("task-1")).contains("result"));
    CHECK(reader.ask(3, "tasks/cancel", about("task-1")).contains("error"));
    CHECK(host.keeper.cancelled == 0);
    CHECK(blind.ask(4, "tasks/get", about("task-1")).contains("error"));
  }
}

namespace {

void initialize(Client& client, const char* version = "2025-11-25",
                Json capabilities = Json::object()) {
  client.ask("handshake", "initialize",
             {{"protocolVersion", version}, {"capabilities", std::move(capabilities)}});
}

Json demand(const char* tool) { return {{"name", tool}, {"task", {{"ttl", 5000}}}}; }

}  // namespace

TEST_SUITE("tasks, legacy") {
  TEST_CASE("are declared and listed in 2025-11-25 alone") {
    TaskHost host;
    for (const char* version : {"2025-06-18", "2025-11-25"}) {
      Client client(host);
      const bool has = version == std::string("2025-11-25");
      CHECK(client.initialize(version)["capabilities"].contains("tasks") == has);
      const Json tools = client.ask(1, "tools/list")["result"]["tools"];
      const auto work = std::find_if(tools.begin(), tools.end(),
                                     [](const Json& one) { return one["name"] == "only_work"; });
      CHECK(work->value("execution", Json()) == (has ? Json{{"taskSupport", "required"}} : Json()));
      const Json error = client.ask(2, "tasks/get", {{"taskId", "x"}})["error"];
      CHECK(error["code"] == (has ? -32602 : -32601));
    }
  }

  TEST_CASE("a task is made on demand only, nested, and known by the four methods") {
    TaskHost host;
    Client client(host);
    initialize(client);
    CHECK(client.ask(1, "tools/call", {{"name", "work"}})["result"]["content"].size() == 1);
    const Json made = client.ask(2, "tools/call", demand("work"))["result"];
    CHECK(made["task"]["taskId"] == "task-1");
    CHECK(made["task"]["ttl"] == 60000);
    CHECK(made["task"]["pollInterval"] == 1000);
    CHECK(made.size() == 1);
    CHECK(client.ask(3, "tasks/get", {{"taskId", "task-1"}})["result"]["status"] == "working");
    const Json page = client.ask(4, "tasks/list")["result"];
    CHECK(page["tasks"].size() == 1);
    CHECK(page["nextCursor"] == "more");
    CHECK(client.ask(5, "tasks/list", {{"cursor", "wrong"}})["error"]["code"] == -32602);
    const Json ended = client.ask(6, "tasks/cancel", {{"taskId", "task-1"}})["result"];
    CHECK(ended["status"] == "cancelled");
    CHECK(client.ask(7, "tasks/cancel", {{"taskId", "task-1"}})["error"]["code"] == -32602);
    CHECK(client.ask(8, "tasks/result", {{"taskId", "task-1"}})["error"]["code"] == -32602);
  }

  TEST_CASE("a tool that gives no tasks, or nothing else, says so") {
    TaskHost host;
    Client client(host);
    initialize(client);
    CHECK(client.ask(1, "tools/call", {{"name", "only_work"}})["error"]["code"] == -32601);
    Json params = demand("echo");
    params["arguments"] = {{"text", "x"}};
    CHECK(client.ask(2, "tools/call", params)["error"]["code"] == -32601);
    for (const Json& task : {Json(5), Json{{"ttl", "long"}}, Json{{"ttl", -1}}}) {
      CHECK(client.ask(3, "tools/call", {{"name", "work"}, {"task", task}})["error"]["code"] ==
            -32602);
    }
    Client older(host);
    initialize(older, "2025-06-18");
    CHECK(older.ask(4, "tools/call", params)["result"]["structuredContent"]["text"] == "x");
  }

  TEST_CASE("tasks/result waits for the end, and tells which task it is about") {
    TaskHost host;
    Client client(host);
    initialize(client);
    client.ask(1, "tools/call", demand("work"));
    client.notify("notifications/initialized");
    client.request(2, "tasks/result", {{"taskId", "task-1"}});
    CHECK(client.quiet());
    host.end("task-1", TaskState::Completed, text("at last"));
    Json status = client.next();
    Json result = client.next();
    if (status.contains("id")) std::swap(status, result);
    CHECK(status["method"] == "notifications/tasks/status");
    CHECK(status["params"]["status"] == "completed");
    CHECK_FALSE(status["params"].contains("result"));
    CHECK(result["result"]["content"][0]["text"] == "at last");
    CHECK(result["result"]["_meta"][kRelated] == Json{{"taskId", "task-1"}});
  }

  TEST_CASE("an error of the protocol is what tasks/result answers") {
    TaskHost host;
    Client client(host);
    initialize(client);
    client.ask(1, "tools/call", demand("work"));
    host.end("task-1", TaskState::Failed, mcp::TaskEnd(mcp::rpc_error(-32603, "broken")));
    const Json error = client.ask(2, "tasks/result", {{"taskId", "task-1"}})["error"];
    CHECK(error == Json{{"code", -32603}, {"message", "broken"}});
  }

  TEST_CASE("questions are asked while the result is waited for") {
    TaskHost host;
    Client client(host);
    initialize(client, "2025-11-25", {{"elicitation", Json::object()}});
    client.ask(1, "tools/call", demand("work"));
    host.keeper.tasks["task-1"].state = TaskState::InputRequired;
    host.keeper.tasks["task-1"].questions = {question("a")};
    client.request(2, "tasks/result", {{"taskId", "task-1"}});
    const Json asked = client.next();
    CHECK(asked["method"] == "elicitation/create");
    CHECK(asked["params"]["_meta"][kRelated] == Json{{"taskId", "task-1"}});
    const Json accepted{{"action", "accept"}, {"content", Json::object()}};
    client.send_json({{"jsonrpc", "2.0"}, {"id", asked["id"]}, {"result", accepted}});
    CHECK(client.next()["result"]["structuredContent"] == Json{{"answered", true}});
  }

  TEST_CASE("who no longer waits for the result leaves the task alone") {
    TaskHost host;
    Client client(host);
    initialize(client);
    client.ask(1, "tools/call", demand("work"));
    client.request(2, "tasks/result", {{"taskId", "task-1"}});
    client.notify("notifications/cancelled", {{"requestId", 2}});
    CHECK(client.quiet());
    CHECK(host.keeper.cancelled == 0);
    CHECK(client.ask(3, "tasks/get", {{"taskId", "task-1"}})["result"]["status"] == "working");
  }
}

TEST_SUITE("signer") {
  TEST_CASE("a mark is good for its text and key alone") {
    const mcp::Signer signer("key");
    const std::string mark = signer.sign("text");
    CHECK(signer.is_signature(mark, "text"));
    CHECK_FALSE(signer.is_signature(mark, "texts"));
    CHECK_FALSE(signer.is_signature(mark.substr(1), "text"));
    CHECK_FALSE(mcp::Signer("other").is_signature(mark, "text"));
    CHECK_FALSE(mcp::Signer("").is_signature(mark, "text"));
  }
}
