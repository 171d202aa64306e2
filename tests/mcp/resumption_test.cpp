// Streams of sessions whose connection ends before they do: what was missed waits for the client to
// come back (2025-11-25, basic/transports, resumability and polling).
#include <doctest/doctest.h>

#include <string>

#include "mcp/event_stream.h"
#include "mcp/replay.h"
#include "tool_server.h"

using namespace mahavishnu;
using namespace mahavishnu::mcp_test;

namespace {

using Exchange = std::shared_ptr<support::MemoryExchange>;

mcp::ServerOptions prompt_options() {
  mcp::ServerOptions options = ToolServer::defaults();
  options.progress_interval = base::Millis(0);
  options.stream_after = base::Millis(0);  // every call that waits at all
  return options;
}

// A session of one revision and its calls.
struct Session {
  explicit Session(mcp::ServerOptions options = prompt_options(),
                   const char* revision = "2025-11-25")
      : host(std::move(options), true), id(open(revision)) {}

  std::string open(const char* revision) {
    const Json hello{{"jsonrpc", "2.0"},
                     {"id", 1},
                     {"method", "initialize"},
                     {"params", {{"protocolVersion", revision}, {"capabilities", Json::object()}}}};
    return host.http("POST", "/mcp", headers(""), hello.dump())->answer_header("Mcp-Session-Id");
  }
  static rpc::HeaderList headers(const std::string& session) {
    rpc::HeaderList all{{"Content-Type", "application/json"},
                        {"Accept", "application/json, text/event-stream"}};
    if (!session.empty()) all.emplace_back("Mcp-Session-Id", session);
    return all;
  }

  // The tool `wait`, which stops at the gate.
  Exchange wait(int request, Json arguments) {
    const Json body{{"jsonrpc", "2.0"},
                    {"id", request},
                    {"method", "tools/call"},
                    {"params",
                     {{"name", "wait"},
                      {"arguments", std::move(arguments)},
                      {"_meta", {{"progressToken", request}}}}}};
    const Exchange exchange = host.http("POST", "/mcp", headers(id), body.dump());
    host.settle();
    return exchange;
  }
  Exchange get(const std::string& last_event, const std::string& session = {},
               const std::string& caller = {}) {
    rpc::HeaderList all = headers(session.empty() ? id : session);
    if (!last_event.empty()) all.emplace_back("Last-Event-ID", last_event);
    mcp::View view;
    view.caller = caller;
    return host.http("GET", "/mcp", std::move(all), "", std::move(view));
  }
  // Until the server has ended the exchange by itself.
  void await_end(const Exchange& exchange) {
    host.io.restart();
    while (!exchange->ended) REQUIRE(host.io.run_one_for(std::chrono::seconds(30)) > 0);
  }
  void open_gate() {
    host.gate.open();
    host.settle();
  }

  ToolServer host;
  const std::string id;
};

double progress_of(const std::string& event) {
  return Json::parse(event)["params"]["progress"].get<double>();
}

std::string last_id(const Exchange& exchange) { return exchange->sent.back().id; }

}  // namespace

TEST_SUITE("resumption") {
  TEST_CASE("a call that takes long is told an id at once, and its answer waits for its client") {
    Session session;
    const Exchange post = session.wait(7, Json::object());
    REQUIRE(post->sent.size() == 1);
    CHECK(post->sent[0].data.empty());
    CHECK(post->sent[0].retry_ms == 1000);
    post->vanish();
    session.open_gate();
    CHECK(session.host.gate.cancelled == 0);
    CHECK(session.host.gate.through == 1);
    const Exchange rest = session.get(post->sent[0].id);
    REQUIRE(rest->events.size() == 1);
    CHECK(Json::parse(rest->events[0])["id"] == 7);
    CHECK(Json::parse(rest->events[0])["result"]["structuredContent"]["waited"] == true);
    CHECK(rest->ended);
    CHECK(session.host.server->replay_figures().resumed == 1);
  }

  TEST_CASE("what is quick is JSON, without a stream") {
    mcp::ServerOptions options = prompt_options();
    options.stream_after = base::Millis(60000);
    Session session(options);
    session.host.gate.open();
    const Exchange post = session.wait(1, Json::object());
    CHECK(post->content_type == "application/json");
    CHECK(session.host.server->replay_figures().events == 0);
  }

  TEST_CASE("what was missed is replayed in order, of that stream and no other") {
    Session session;
    const Exchange one = session.wait(1, {{"tells", true}});
    const Exchange other = session.wait(2, {{"tells", true}});
    CHECK(one->events.size() == 1);
    const std::string before = last_id(one);
    CHECK(before != last_id(other));
    one->vanish();
    session.open_gate();
    CHECK(other->events.size() == 4);
    const Exchange rest = session.get(before);
    REQUIRE(rest->events.size() == 3);
    CHECK(progress_of(rest->events[0]) == 2);
    CHECK(progress_of(rest->events[1]) == 3);
    CHECK(Json::parse(rest->events[2])["id"] == 1);
    // Again, from later on, and from the end.
    CHECK(session.get(rest->sent[rest->sent.size() - 2].id)->events.size() == 1);
    const Exchange nothing = session.get(last_id(rest));
    CHECK(nothing->events.empty());
    CHECK(nothing->ended);
  }

  TEST_CASE("ids are unique in the session") {
    Session session;
    std::vector<Exchange> all{session.get("")};
    for (int i = 1; i <= 3; ++i) all.push_back(session.wait(i, {{"tells", true}}));
    session.open_gate();
    session.host.server->changed(mcp::Change::Tools);
    session.host.settle();
    std::set<std::string> ids;
    std::size_t events = 0;
    for (const Exchange& one : all) {
      for (const rpc::Event& event : one->sent) ids.insert(event.id);
      events += one->sent.size();
    }
    CHECK(events == 3 * 5 + 2);
    CHECK(ids.size() == events);
  }

  TEST_CASE("a client that comes back while the call runs hears the rest as it comes") {
    Session session;
    const Exchange post = session.wait(1, {{"tells", true}});
    const Exchange rest = session.get(last_id(post));  // its old connection is not known to be gone
    CHECK(post->ended);
    CHECK(rest->events.empty());
    CHECK_FALSE(rest->ended);
    session.open_gate();
    CHECK(rest->events.size() == 3);
    CHECK(rest->ended);
  }

  TEST_CASE("the server may end the connection before the answer") {
    mcp::ServerOptions options = prompt_options();
    options.stream_hold = base::Millis(1);
    Session session(options);
    const Exchange post = session.wait(1, Json::object());
    session.await_end(post);
    REQUIRE(post->sent.size() == 1);
    CHECK(post->sent[0].retry_ms > 0);
    const Exchange waits = session.get(last_id(post));
    session.await_end(waits);  // as often as it takes
    CHECK(last_id(waits) == last_id(post));
    session.open_gate();
    const Exchange rest = session.get(last_id(post));
    CHECK(rest->events.size() == 1);
    CHECK(rest->ended);
  }

  TEST_CASE("older revisions have no events without data, and come back after their first event") {
    mcp::ServerOptions options = prompt_options();
    options.stream_hold = base::Millis(1);
    Session session(options, "2025-06-18");
    const Exchange post = session.wait(1, {{"tells", true}});
    REQUIRE(post->sent.size() == 1);
    CHECK_FALSE(post->sent[0].data.empty());
    CHECK(post->sent[0].retry_ms == 0);
    post->vanish();
    session.open_gate();
    const Exchange rest = session.get(last_id(post));
    CHECK(rest->sent.size() == 3);
    CHECK(rest->events.size() == 3);
  }

  TEST_CASE("an id that nobody was told, of another session or another caller gets nothing") {
    Session session;
    const Exchange post = session.wait(1, Json::object());
    const std::string id = last_id(post);
    const std::string stranger = session.open("2025-11-25");
    CHECK(session.get(id, stranger)->status == 400);
    CHECK(session.get(id, session.id, "bob")->status == 404);
    const std::vector<std::string> none{"x", "c-0", "-", id + "0", id + "x", id.substr(1)};
    for (const std::string& bad : none) {
      CAPTURE(bad);
      CHECK(session.get(bad)->status == 400);
    }
    CHECK_FALSE(post->ended);
    CHECK(session.get(id)->status == 200);
    session.open_gate();
  }

  TEST_CASE("what is beyond the limits of a session is gone, and its client is told so") {
    mcp::ServerOptions options = prompt_options();
    options.replay.session_events = 2;
    Session session(options);
    const Exchange post = session.wait(1, {{"tells", true}});
    const std::string primed = post->sent[0].id;
    const std::string first = last_id(post);
    post->vanish();
    session.open_gate();
    CHECK(session.get(first)->status == 400);
    CHECK(session.get(primed)->status == 400);
    const mcp::ReplayFigures figures = session.host.server->replay_figures();
    CHECK(figures.events == 2);
    CHECK(figures.dropped == 2);
    CHECK(figures.refused == 2);
  }

  TEST_CASE("an event longer than all that may be kept still reaches a client that is there") {
    mcp::ServerOptions options = prompt_options();
    options.replay.session_bytes = 10;
    Session session(options);
    const Exchange post = session.wait(1, {{"tells", true}});
    session.open_gate();
    CHECK(post->events.size() == 4);
    CHECK(post->ended);
    CHECK(session.get(post->sent[0].id)->status == 400);
    CHECK(session.host.server->replay_figures().bytes == 0);
  }

  TEST_CASE("what is too old is gone") {
    mcp::ServerOptions options = prompt_options();
    options.replay.age = base::Millis(0);
    Session session(options);
    const Exchange post = session.wait(1, {{"tells", true}});
    post->vanish();
    session.open_gate();
    CHECK(session.get(last_id(post))->status == 400);
  }

  TEST_CASE("the end of a session is the end of what it kept") {
    Session session;
    const Exchange post = session.wait(1, {{"tells", true}});
    session.open_gate();
    CHECK(session.host.server->replay_figures().events == 4);
    session.host.http("DELETE", "/mcp", Session::headers(session.id), "");
    session.host.settle();
    CHECK(session.host.server->replay_figures().events == 0);
    CHECK(session.host.server->replay_figures().bytes == 0);
    CHECK(session.get(last_id(post))->status == 404);
  }

  TEST_CASE("a cancelled call ends its stream wherever its client is") {
    Session session;
    const Exchange post = session.wait(1, Json::object());
    const Exchange rest = session.get(last_id(post));
    const Json cancel{
        {"jsonrpc", "2.0"}, {"method", "notifications/cancelled"}, {"params", {{"requestId", 1}}}};
    session.host.http("POST", "/mcp", Session::headers(session.id), cancel.dump());
    session.host.settle();
    CHECK(session.host.gate.cancelled == 1);
    CHECK(rest->ended);
    CHECK(rest->events.empty());
    CHECK(session.get(last_id(post))->status == 400);
  }

  TEST_CASE("the session's own stream goes on, and begins anew when it is not known any more") {
    Session session;
    const Exchange stream = session.get("");
    REQUIRE(stream->sent.size() == 1);
    stream->vanish();
    session.host.server->changed(mcp::Change::Tools);
    session.host.settle();
    const Exchange again = session.get(stream->sent[0].id);
    REQUIRE(again->events.size() == 1);
    CHECK(Json::parse(again->events[0])["method"] == "notifications/tools/list_changed");
    CHECK_FALSE(again->ended);
    const Exchange fresh = session.get("s0123-4");
    CHECK(fresh->status == 200);
    CHECK(again->ended);
    session.host.server->changed(mcp::Change::Prompts);
    session.host.settle();
    CHECK(fresh->events.size() == 1);
  }

  TEST_CASE("a call that drains is still answered to a client that comes back") {
    Session session;
    const Exchange post = session.wait(1, Json::object());
    post->vanish();
    session.host.server->drain();
    const Exchange rest = session.get(last_id(post));
    CHECK(rest->status == 200);
    CHECK(session.get("s0123-4")->status == 400);
    session.open_gate();
    CHECK(rest->events.size() == 1);
  }

  TEST_CASE("all sessions together keep so much, the oldest goes first") {
    mcp::ReplayLimits limits;
    limits.bytes = 1000;
    base::MonoTime now{};
    mcp::ReplayStore store(limits, [&now] { return now; });
    const auto one = std::make_shared<mcp::Replay>(store);
    const auto two = std::make_shared<mcp::Replay>(store);
    const auto stream_of = [](const std::shared_ptr<mcp::Replay>& replay) {
      auto exchange =
          std::make_shared<support::MemoryExchange>("GET", "/mcp", rpc::HeaderList{}, "");
      auto stream = std::make_shared<mcp::EventStream>(replay, std::move(exchange),
                                                       mcp::EventStream::Of::Call, base::Millis(1));
      stream->open();
      return stream;
    };
    const auto first = stream_of(one);
    const auto second = stream_of(two);
    one->keep(*first, std::string(300, 'a'));
    now += base::Millis(200000);
    two->keep(*second, std::string(300, 'b'));
    CHECK(store.figures().events == 2);
    two->keep(*second, std::string(300, 'c'));
    CHECK(store.figures().events == 2);
    CHECK(first->kept() == 0);
    CHECK(store.figures().dropped == 1);
    now += base::Millis(200000);
    CHECK(two->find("x").stream == nullptr);
    CHECK(second->kept() == 2);
    now += base::Millis(100000);
    CHECK(two->find("x").stream == nullptr);
    CHECK(second->kept() == 0);
    CHECK(store.figures().bytes == 0);
    CHECK(store.figures().dropped == 1);
  }
}
