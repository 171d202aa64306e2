#include "outbound/mcp_stream.h"

#include <doctest/doctest.h>

#include <optional>

#include "net/memory_connection.h"
#include "rpc/codec.h"

namespace mahavishnu::outbound {
namespace {

using Kind = Verdict::Kind;

// Writes the next of its texts for each request it reads, "ID" replaced by the request's id.
base::awaitable<void> answer_with(rpc::Connection* server, std::vector<std::string> texts,
                                  std::vector<Json>* seen) {
  for (std::size_t next = 0;;) {
    auto text = co_await server->read();
    if (!text || !*text) co_return;
    const Json message = Json::parse(**text);
    seen->push_back(message);
    if (!message.contains("id") || !message.contains("method") || next == texts.size()) continue;
    std::string answer = texts[next++];
    if (const auto at = answer.find("ID"); at != std::string::npos) {
      answer.replace(at, 2, message["id"].dump());
    }
    for (std::size_t start = 0; start < answer.size();) {
      const auto end = std::min(answer.find('\n', start), answer.size());
      std::string line = answer.substr(start, end - start);
      co_await server->write(std::move(line));
      start = end + 1;
    }
  }
}

struct Talk {
  explicit Talk(std::vector<std::string> texts) {
    std::tie(ours, theirs) = net::memory_pair(context.get_executor());
    stream.emplace(context.get_executor(), *ours);
    asio::co_spawn(context, answer_with(theirs.get(), std::move(texts), &seen),
                   [](std::exception_ptr) {});
  }

  void start(base::awaitable<Verdict> work) {
    asio::co_spawn(context, std::move(work),
                   [this](std::exception_ptr, Verdict verdict) { outcome = std::move(verdict); });
    poll();
  }
  void poll() {
    context.restart();
    context.poll();
  }
  Verdict run(base::awaitable<Verdict> work) {
    start(std::move(work));
    REQUIRE(outcome.has_value());
    return *outcome;
  }
  base::awaitable<Verdict> request() {
    return stream->request("tools/call", Json::object(), 5,
                           [this](const Json& told) { heard.push_back(told); });
  }
  ~Talk() {
    ours->close();
    poll();
  }

  asio::io_context context;
  std::unique_ptr<rpc::Connection> ours, theirs;
  std::optional<McpStream> stream;
  std::optional<Verdict> outcome;
  std::vector<Json> seen, heard;
};

std::string result(const char* json) {
  return std::string(R"({"jsonrpc":"2.0","id":ID,"result":)") + json + "}";
}

}  // namespace

TEST_SUITE("McpStream") {
  TEST_CASE("a modern server is found by asking, and every request then says so") {
    Talk talk({result(R"({"supportedVersions":["2026-07-28"]})"), result("{}")});
    CHECK(talk.run(talk.stream->probe()).kind == Kind::Accepted);
    CHECK(talk.stream->version() == kModern);
    CHECK(talk.run(talk.request()).kind == Kind::Accepted);
    const Json& meta = talk.seen[1]["params"]["_meta"];
    CHECK(meta["io.modelcontextprotocol/protocolVersion"] == kModern);
    CHECK(meta["progressToken"] == 5);
  }

  TEST_CASE("one that knows no such question is shaken hands with") {
    Talk talk({R"({"jsonrpc":"2.0","id":ID,"error":{"code":-32601,"message":"what?"}})",
               result(R"({"protocolVersion":"2025-03-26"})"), result("{}")});
    const auto verdict = talk.run(talk.stream->probe());
    CHECK(verdict.kind == Kind::Trouble);
    CHECK(verdict.rpc_code == -32601);
    CHECK(talk.run(talk.stream->shake_hands()).kind == Kind::Accepted);
    CHECK(talk.stream->version() == "2025-03-26");
    CHECK(talk.run(talk.request()).kind == Kind::Accepted);
    CHECK(talk.seen[2]["method"] == "notifications/initialized");
    CHECK_FALSE(talk.seen[3]["params"]["_meta"].contains("io.modelcontextprotocol/clientInfo"));
  }

  TEST_CASE("what it tells meanwhile is heard, what it asks is answered") {
    Talk talk(
        {"welcome!\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{"
         "\"progress\":1}}\n{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"roots/list\"}\n" +
         result("{}")});
    CHECK(talk.run(talk.request()).kind == Kind::Accepted);
    REQUIRE(talk.heard.size() == 1);
    CHECK(talk.heard[0]["params"]["progress"] == 1);
    CHECK(talk.seen[1]["error"]["code"] == -32601);
  }

  TEST_CASE("who says nothing but nonsense does not speak MCP") {
    std::string noise;
    for (int i = 0; i < 200; ++i) noise += "I am a log line\n";
    Talk talk({noise});
    const auto verdict = talk.run(talk.request());
    CHECK(verdict.kind == Kind::Trouble);
    CHECK(verdict.error == "it does not speak MCP, but says things like \"I am a log line\"");
  }

  TEST_CASE("who goes away is told with what it had said") {
    Talk talk({"Segmentation fault"});
    talk.start(talk.request());
    CHECK_FALSE(talk.outcome.has_value());
    talk.theirs->close();
    talk.poll();
    REQUIRE(talk.outcome.has_value());
    CHECK(talk.outcome->code == base::ErrorCode::Unavailable);
    CHECK(talk.outcome->error.find("\"Segmentation fault\"") != std::string::npos);
  }

  TEST_CASE("a cancel names the request, and what is broken off is cancelled") {
    Talk talk({});
    talk.start(talk.request());
    asio::co_spawn(talk.context, talk.stream->cancel("enough"), [](std::exception_ptr) {});
    talk.poll();
    REQUIRE(talk.seen.size() == 2);
    CHECK(talk.seen[1]["method"] == "notifications/cancelled");
    CHECK(talk.seen[1]["params"] == Json{{"requestId", talk.seen[0]["id"]}, {"reason", "enough"}});
    talk.stream->abandon();
    talk.poll();
    REQUIRE(talk.outcome.has_value());
    CHECK(talk.outcome->kind == Kind::Cancelled);
  }
}

}  // namespace mahavishnu::outbound
