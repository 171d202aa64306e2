// Long messages are decoded on another thread: here that thread is a queue that is run by hand.
#include <doctest/doctest.h>

#include <deque>
#include <new>

#include "mcp/elsewhere.h"
#include "tool_server.h"

using namespace mahavishnu;
using namespace mahavishnu::mcp_test;

namespace {

struct Host {
  std::deque<std::function<void()>> elsewhere;  // not run yet
  ToolServer server{options()};

  mcp::ServerOptions options() {
    mcp::ServerOptions made = ToolServer::defaults();
    made.offload = [this](std::function<void()> work) { elsewhere.push_back(std::move(work)); };
    return made;
  }
  // The other thread does one piece of work, and control hears of it.
  void run_one() {
    REQUIRE(!elsewhere.empty());
    const auto work = std::move(elsewhere.front());
    elsewhere.pop_front();
    work();
    server.settle();
  }
};

std::string long_text() { return std::string(70000, 'x'); }

Json echo(Json id, const std::string& text) {
  const Json params{{"name", "echo"}, {"arguments", {{"text", text}}}};
  return {{"jsonrpc", "2.0"}, {"id", std::move(id)}, {"method", "tools/call"}, {"params", params}};
}

using Exchange = std::shared_ptr<support::MemoryExchange>;

Exchange post(Host& host, Json body, const std::string& end = "") {
  body["params"] = modern(std::move(body["params"]));
  return host.server.http("POST", "/mcp",
                          {{"Content-Type", "application/json"},
                           {"Accept", "application/json, text/event-stream"},
                           {"MCP-Protocol-Version", "2026-07-28"},
                           {"Mcp-Method", "tools/call"},
                           {"Mcp-Name", "echo"}},
                          body.dump() + end);
}

Exchange script(Host& host, const std::string& text, const std::string& end = "") {
  const Json body{{"name", "echo"}, {"arguments", {{"text", text}}}};
  return host.server.http("POST", "/tools/call", {{"Content-Type", "application/json"}},
                          body.dump() + end);
}

}  // namespace

TEST_SUITE("long messages on a connection") {
  TEST_CASE("what comes behind one is answered behind it, in order") {
    Host host;
    Client client(host.server);
    client.send_json(echo(1, long_text()));
    client.request(2, "ping");
    client.send_json(echo(3, long_text()));
    client.request(4, "ping");
    CHECK(client.quiet());
    host.run_one();
    CHECK(client.pending() == 2);
    host.run_one();
    CHECK(client.pending() == 4);
    std::vector<Json> ids;
    while (!client.quiet()) ids.push_back(client.next()["id"]);
    // A call runs beside what is answered at once; its start keeps the order.
    CHECK(std::find(ids.begin(), ids.begin() + 2, Json(1)) != ids.begin() + 2);
    CHECK(std::find(ids.begin() + 2, ids.end(), Json(3)) != ids.end());
  }

  TEST_CASE("a short one is decoded in place") {
    Host host;
    Client client(host.server);
    CHECK(client.call(1, "echo", {{"text", std::string(60000, 'x')}}).contains("result"));
    CHECK(host.elsewhere.empty());
  }

  TEST_CASE("without another thread a long one is decoded in place") {
    ToolServer server;
    Client client(server);
    const Json answer = client.call(1, "echo", {{"text", long_text()}});
    CHECK(answer["result"]["structuredContent"]["text"] == long_text());
  }

  TEST_CASE("a malformed one is told so, and the next is served") {
    Host host;
    Client client(host.server);
    client.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" + long_text());
    client.request(2, "ping");
    host.run_one();
    CHECK(client.next()["error"]["code"] == -32700);
    CHECK(client.next()["id"] == 2);
  }

  TEST_CASE("a peer that goes meanwhile ends the connection once it is decoded") {
    Host host;
    {
      Client client(host.server);
      client.send_json(echo(1, long_text()));
      client.hang_up();
      host.server.settle();
      CHECK_FALSE(client.served());
      host.run_one();
      CHECK(client.served());
    }
    CHECK(host.server.calls.size() == 1);
  }

  TEST_CASE("cancelled meanwhile it serves no more, and the late result is dropped") {
    Host host;
    Client client(host.server);
    client.send_json(echo(1, long_text()));
    client.cancel_serving();
    CHECK(client.served());
    host.run_one();
    CHECK(client.quiet());
    CHECK(host.server.calls.empty());
  }

  TEST_CASE("a server that stops waits for it and refuses the call") {
    Host host;
    Client client(host.server);
    client.send_json(echo(1, long_text()));
    bool stopped = false;
    struct Stop {
      static base::awaitable<void> run(mcp::Server* server, bool* done) {
        co_await server->stop();
        *done = true;
      }
    };
    host.server.group.spawn(Stop::run(host.server.server.get(), &stopped));
    host.server.settle();
    CHECK_FALSE(stopped);
    host.run_one();
    CHECK(stopped);
    CHECK(client.next()["result"]["isError"] == true);
  }
}

TEST_SUITE("long bodies over HTTP") {
  TEST_CASE("others are answered meanwhile") {
    Host host;
    const auto first = post(host, echo(1, long_text()));
    const auto second = post(host, echo(2, "short"));
    CHECK(first->status == 0);
    CHECK(second->status == 200);
    host.run_one();
    CHECK(first->status == 200);
    CHECK(first->json()["result"]["structuredContent"]["text"] == long_text());
  }

  TEST_CASE("a peer that goes meanwhile has its call cancelled, not run") {
    Host host;
    const auto exchange = post(host, echo(1, long_text()));
    exchange->vanish();
    host.run_one();
    CHECK(exchange->status == 0);
    const bool ran = !host.server.calls.empty() && host.server.calls.front().ok;
    CHECK_FALSE(ran);
  }

  TEST_CASE("a malformed one is 400") {
    Host host;
    const auto exchange = post(host, echo(1, long_text()), "}");
    host.run_one();
    CHECK(exchange->status == 400);
    CHECK(exchange->json()["error"]["code"] == -32700);
  }

  TEST_CASE("the handlers cancelled meanwhile, nothing is called and the late result is dropped") {
    Host host;
    for (const char* path : {"/mcp", "/tools/call"}) {
      base::TaskGroup handlers(host.server.io.get_executor(), "test handlers");
      const auto exchange = std::make_shared<support::MemoryExchange>(
          "POST", path,
          rpc::HeaderList{{"Content-Type", "application/json"},
                          {"Accept", "application/json, text/event-stream"}},
          echo(1, long_text()).dump());
      handlers.start([&] {
        return path == std::string("/mcp") ? host.server.server->handle_mcp(exchange, {})
                                           : host.server.server->handle_tools_call(exchange, {});
      });
      host.server.settle();
      handlers.cancel();
      host.server.settle();
      CHECK(handlers.size() == 0);
      host.run_one();
      CHECK(exchange->status == 0);
    }
    CHECK(host.server.calls.empty());
  }

  TEST_CASE("an exception of the decoder ends its request alone") {
    Host host;
    bool thrown = false;
    struct Work {
      static rpc::Decoded run() { throw std::bad_alloc(); }
      static base::awaitable<void> wait(mcp::Dispatcher* dispatcher, bool* thrown) {
        std::function<rpc::Decoded()> work = run;
        try {
          co_await mcp::elsewhere(*dispatcher, std::move(work));
        } catch (const std::bad_alloc&) {
          *thrown = true;
        }
      }
    };
    auto registry = mcp::Registry::create({});
    auto catalog = mcp::Catalog::create({});
    mcp::Dispatcher dispatcher(host.server.io.get_executor(), host.options(), std::move(*registry),
                               std::move(*catalog), {});
    host.server.group.spawn(Work::wait(&dispatcher, &thrown));
    host.server.settle();
    host.run_one();
    CHECK(thrown);
    CHECK(dispatcher.calls().size() == 0);
  }

  TEST_CASE("scripts: the result, a malformed body, a peer that goes") {
    Host host;
    const auto good = script(host, long_text());
    const auto bad = script(host, long_text(), "]");
    const auto gone = script(host, long_text());
    gone->vanish();
    CHECK(good->status == 0);
    host.run_one();
    host.run_one();
    host.run_one();
    CHECK(good->status == 200);
    CHECK(good->json()["text"] == long_text());
    CHECK(bad->status == 400);
    CHECK(bad->json()["error"]["code"] == "InvalidArgument");
    CHECK(gone->status == 0);
    CHECK(host.server.calls.size() == 2);
    CHECK(host.server.calls.back().ok == false);
  }
}
