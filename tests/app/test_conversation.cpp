#include <doctest/doctest.h>

#include "app/conversation.h"

namespace mahavishnu::app {
namespace {

constexpr const char* kInitialize =
    R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25"}})";
constexpr const char* kInitialized = R"({"jsonrpc":"2.0","method":"notifications/initialized"})";

std::string call(const std::string& id) {
  return R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"tools/call","params":{"name":"x"}})";
}
std::string answer(const std::string& id) {
  return R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":{}})";
}

void shake_hands(Conversation& conversation) {
  CHECK(conversation.from_client(kInitialize).empty());
  CHECK(conversation.from_server(answer("0")));
  CHECK(conversation.from_client(kInitialized).empty());
}

}  // namespace

TEST_SUITE("app::Conversation") {
  TEST_CASE("a lost server's requests are answered with an error, those it answered are not") {
    Conversation conversation;
    for (const char* id : {"1", "\"a\"", "2"}) {
      CHECK(conversation.from_client(call(id)).empty());
    }
    CHECK(conversation.from_server(answer("2")));
    CHECK(conversation.in_flight() == 2);
    const auto answers = conversation.lost("it is \"gone\"");
    REQUIRE(answers.size() == 2);
    CHECK(answers[0] ==
          R"({"jsonrpc":"2.0","id":"a","error":{"code":-32603,"message":"it is \"gone\""}})");
    CHECK(answers[1].find(R"("id":1,)") != std::string::npos);
    CHECK(conversation.in_flight() == 0);
  }

  TEST_CASE("the handshake is repeated under an id of the bridge's own, and its answer kept back") {
    Conversation conversation;
    CHECK(conversation.replay().empty());
    shake_hands(conversation);
    const auto lines = conversation.replay();
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].find(R"("id":"mahavishnu/replay","method":"initialize")") != std::string::npos);
    CHECK(lines[0].find("2025-11-25") != std::string::npos);
    CHECK(lines[1] == kInitialized);
    CHECK_FALSE(conversation.from_server(answer("\"mahavishnu/replay\"")));
    CHECK(conversation.from_server(answer("\"mahavishnu/replay\"")));  // once only
  }

  TEST_CASE("a new server hears what the client watches, and the client that it may have changed") {
    Conversation conversation;
    shake_hands(conversation);
    const auto ask = [&conversation](const std::string& method, const rpc::Json& params) {
      const rpc::RequestId id{rpc::RequestId::Number{"7"}};
      CHECK(conversation.from_client(rpc::encode_request(id, method, params)).empty());
      CHECK(conversation.from_server(answer("7")));
    };
    CHECK(conversation.missed().empty());
    ask("logging/setLevel", {{"level", "debug"}});
    ask("logging/setLevel", {{"level", "info"}});
    for (const char* uri : {"a://1", "a://2", "a://3", "a://3"})
      ask("resources/subscribe", {{"uri", uri}});
    ask("resources/unsubscribe", {{"uri", "a://2"}});
    ask("resources/subscribe", {{"uri", 7}});
    const auto lines = conversation.replay();
    REQUIRE(lines.size() == 5);
    CHECK(lines[2].find(R"("level":"info")") != std::string::npos);
    CHECK(lines[3].find(R"("uri":"a://1")") != std::string::npos);
    CHECK(lines[4].find(R"("uri":"a://3")") != std::string::npos);
    for (const auto& line : lines) {
      for (const auto& head : rpc::heads(line)) {
        if (head.kind == rpc::MessageHead::Kind::Request) {
          CHECK_FALSE(conversation.from_server(answer(head.id.to_json())));
        }
      }
    }
    const auto missed = conversation.missed();
    REQUIRE(missed.size() == 2);
    CHECK(
        missed[0] ==
        R"({"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a://1"}})");
    CHECK(conversation.in_flight() == 0);
  }

  TEST_CASE("a handshake without an answer is asked again as it was, not failed") {
    Conversation conversation;
    CHECK(conversation.from_client(kInitialize).empty());
    CHECK(conversation.from_client(call("1")).empty());
    CHECK(conversation.lost("gone").size() == 1);
    CHECK(conversation.replay() == std::vector<std::string>{kInitialize});
    CHECK(conversation.from_server(answer("0")));
    CHECK(conversation.in_flight() == 0);
  }

  TEST_CASE("a handshake that was refused is not repeated") {
    Conversation conversation;
    CHECK(conversation.from_client(kInitialize).empty());
    CHECK(
        conversation.from_server(R"({"jsonrpc":"2.0","id":0,"error":{"code":1,"message":"no"}})"));
    CHECK(conversation.replay().empty());
  }

  TEST_CASE("a cancelled request is not waited for") {
    Conversation conversation;
    CHECK(conversation.from_client(call("7")).empty());
    CHECK(conversation
              .from_client(R"({"jsonrpc":"2.0","method":"notifications/cancelled",)"
                           R"("params":{"requestId":7}})")
              .empty());
    CHECK(conversation.in_flight() == 0);
    CHECK(conversation.from_server(answer("7")));  // one that was on its way all the same
  }

  TEST_CASE("batches count each of their requests, also when they are refused as a whole") {
    Conversation conversation;
    const std::string batch = "[" + call("1") + "," + call("2") + "," + kInitialized + "]";
    CHECK(conversation.from_client(batch).empty());
    CHECK(conversation.in_flight() == 2);
    CHECK(conversation.from_server("[" + answer("1") + "," + answer("2") + "]"));
    CHECK(conversation.in_flight() == 0);
    CHECK(conversation.from_client(batch).empty());
    CHECK(conversation.from_server(
        R"({"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no batches"}})"));
    CHECK(conversation.in_flight() == 0);
  }

  TEST_CASE("an id that is used twice at once has two answers") {
    Conversation conversation;
    CHECK(conversation.from_client(call("1")).empty());
    CHECK(conversation.from_client(call("1")).empty());
    CHECK(conversation.from_server(answer("1")));
    CHECK(conversation.lost("gone").size() == 1);
  }

  TEST_CASE("too many requests are refused, answers make room again") {
    Conversation conversation(1);
    CHECK(conversation.from_client(call("1")).empty());
    CHECK(conversation.from_client(call("2")).find(R"("id":2,"error")") != std::string::npos);
    CHECK(conversation.from_client(kInitialized).empty());
    CHECK(conversation.from_server(answer("1")));
    CHECK(conversation.from_client(call("2")).empty());
  }

  TEST_CASE("a server's farewell is heard and kept back, until there is another server") {
    Conversation conversation;
    CHECK_FALSE(conversation.from_server(R"({"jsonrpc":"2.0","method":"mahavishnu/ending"})"));
    CHECK(conversation.server_is_ending());
    CHECK(conversation.replay().empty());
    CHECK_FALSE(conversation.server_is_ending());
  }

  TEST_CASE("what is no message passes and is nobody's request") {
    Conversation conversation;
    CHECK(conversation.from_client("{oops").empty());
    CHECK(conversation.from_client("[]").empty());
    CHECK(conversation.from_server("17"));
    CHECK(conversation.in_flight() == 0);
  }
}

}  // namespace mahavishnu::app
