#include <doctest/doctest.h>

#include <deque>
#include <optional>

#include "app/mcp_client.h"
#include "net/memory_connection.h"
#include "rpc/codec.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::Result;
using rpc::Json;

// A server that answers each request with the next of the texts it was given ("ID" becomes the id).
base::awaitable<void> answer_with(rpc::Connection* server, std::deque<std::string> answers,
                                  std::vector<std::string>* seen) {
  while (true) {
    auto text = co_await server->read();
    if (!text || !*text) co_return;
    seen->push_back(**text);
    const Json request = Json::parse(**text);
    if (!request.contains("method") || !request.contains("id")) continue;
    if (answers.empty()) {
      server->close();
      co_return;
    }
    std::string answer = answers.front();
    answers.pop_front();
    if (const auto at = answer.find("\"ID\""); at != std::string::npos) {
      answer.replace(at, 4, request["id"].dump());
    }
    for (std::size_t start = 0; start < answer.size();) {
      const auto end = std::min(answer.find('\n', start), answer.size());
      std::string line = answer.substr(start, end - start);
      co_await server->write(std::move(line));
      start = end + 1;
    }
  }
}

struct Conversation {
  explicit Conversation(std::deque<std::string> answers, base::Millis limit = base::Millis(20000)) {
    std::tie(ours, theirs) = net::memory_pair(context.get_executor());
    client = std::make_unique<McpClient>(context.get_executor(), *ours, limit);
    asio::co_spawn(context, answer_with(theirs.get(), std::move(answers), &seen),
                   [](std::exception_ptr) {});
  }

  Result<Json> run(base::awaitable<Result<Json>> work) {
    std::optional<Result<Json>> outcome;
    asio::co_spawn(context, std::move(work), [&](std::exception_ptr, Result<Json> result) {
      outcome = std::move(result);
      ours->close();
    });
    context.run();
    REQUIRE(outcome.has_value());
    return *outcome;
  }

  asio::io_context context;
  std::unique_ptr<rpc::Connection> ours, theirs;
  std::unique_ptr<McpClient> client;
  std::vector<std::string> seen;
};

TEST_SUITE("McpClient") {
  TEST_CASE("the handshake answers who the server is and says that the client is ready") {
    Conversation talk({R"({"jsonrpc":"2.0","id":"ID","result":{"serverInfo":{"name":"x"}}})"});
    const auto info = talk.run(talk.client->initialize());
    REQUIRE(info.has_value());
    CHECK((*info)["name"] == "x");
    REQUIRE(talk.seen.size() == 2);
    CHECK(talk.seen[1].find("notifications/initialized") != std::string::npos);
  }

  TEST_CASE("a call answers the structured result") {
    Conversation talk({R"({"jsonrpc":"2.0","id":"ID","result":{"structuredContent":{"n":7}}})"});
    const auto answer = talk.run(talk.client->call("count", Json::object()));
    REQUIRE(answer.has_value());
    CHECK((*answer)["n"] == 7);
  }

  TEST_CASE("a tool's failure is an error with the tool's words") {
    Conversation talk(
        {R"({"jsonrpc":"2.0","id":"ID","result":{"isError":true,"content":[{"type":"text","text":"no pool \"x\""}]}})"});
    const auto answer = talk.run(talk.client->call("count", Json::object()));
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().message == "no pool \"x\"");
  }

  TEST_CASE("a protocol error is an error with the server's words") {
    Conversation talk(
        {R"({"jsonrpc":"2.0","id":"ID","error":{"code":-32602,"message":"unknown tool"}})"});
    CHECK(talk.run(talk.client->call("count", Json::object())).error().message == "unknown tool");
  }

  TEST_CASE("what comes before the answer is passed over, a ping is answered") {
    Conversation talk(
        {"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}\n"
         "{\"jsonrpc\":\"2.0\",\"id\":\"theirs\",\"method\":\"ping\"}\n"
         "{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{\"structuredContent\":{\"n\":1}}}\n"
         "{\"jsonrpc\":\"2.0\",\"id\":\"ID\",\"result\":{\"structuredContent\":{\"n\":2}}}"});
    const auto answer = talk.run(talk.client->call("count", Json::object()));
    REQUIRE(answer.has_value());
    CHECK((*answer)["n"] == 2);
    CHECK(talk.seen.back().find("\"theirs\"") != std::string::npos);
  }

  TEST_CASE("a server that closes is unavailable") {
    Conversation talk({});
    CHECK(talk.run(talk.client->call("count", Json::object())).error().code ==
          ErrorCode::Unavailable);
  }

  TEST_CASE("a server that is silent is given up in time") {
    Conversation talk({""}, base::Millis(10));
    CHECK(talk.run(talk.client->call("count", Json::object())).error().code == ErrorCode::Deadline);
  }
}

}  // namespace
}  // namespace mahavishnu::app
