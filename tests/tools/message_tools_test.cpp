#include "desk.h"

using mahavishnu::base::ErrorCode;
using mahavishnu::base::Millis;
using mahavishnu::rpc::Json;
using mahavishnu::support::Desk;

namespace {

std::vector<std::string> bodies(const Json& answer) {
  std::vector<std::string> all;
  for (const auto& item : answer["items"]) all.push_back(item["body"]);
  return all;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_SUITE("message_publish") {
  TEST_CASE("a message on a topic comes to a group with all it was given") {
    Desk desk;
    desk.ask("message_poll", {{"topic", "builds.*"}, {"group", "ci"}});
    const Json sent = desk.ask("message_publish", {{"topic", "builds.api"},
                                                   {"body", R"({"ok":true})"},
                                                   {"headers", {{"kind", "nightly"}}},
                                                   {"ttl_ms", 60000}});
    CHECK(sent["groups"] == 1);
    CHECK(sent["topic"] == "builds.api");
    CHECK_FALSE(sent.contains("repos"));
    const Json got = desk.ask("message_poll", {{"topic", "builds.*"}, {"group", "ci"}});
    REQUIRE(got["items"].size() == 1);
    const Json& item = got["items"][0];
    CHECK(item["message"] == sent["message"]);
    CHECK(item["body"] == R"({"ok":true})");
    CHECK(item["headers"] == Json{{"kind", "nightly"}});
    CHECK(item["from"] == "tester");
    CHECK(item["delivery"] == 1);
    CHECK(got["in_flight"] == 1);
    CHECK(got["ready"] == 0);
  }

  TEST_CASE("repositories are met by name, nickname, tag and role") {
    Desk desk;
    const auto send = [&desk](Json to) {
      return desk.ask("message_publish", {{"to", std::move(to)}, {"body", "x"}});
    };
    CHECK(send({{"repo", "a"}})["topic"] == "repo.api");
    CHECK(send({{"repo", "api"}})["repos"] == 1);
    CHECK(send({{"tag", "node"}})["repos"] == 2);
    CHECK(send({{"role", "tool"}})["topic"] == "role.tool");
    CHECK(send({{"tag", "node"}, {"role", "ui"}})["repos"] == 1);
    CHECK(send({{"all", true}})["repos"] == 3);
    // The inbox of `api` holds those to it, to node and to all, from before anyone asked.
    const Json inbox = desk.ask("message_poll", {{"repo", "a"}});
    CHECK(inbox["group"] == "repo.api");
    CHECK(inbox["items"].size() == 4);
    CHECK(desk.ask("message_poll", {{"repo", "ops"}})["items"].size() == 2);
    CHECK(
        desk.ask("message_poll", {{"repo", "web"}, {"earliest", false}, {"group", "new"}})["items"]
            .empty());
  }

  TEST_CASE("a repository can be the sender") {
    Desk desk;
    desk.ask("message_publish", {{"to", {{"repo", "web"}}}, {"from", "a"}, {"body", "hi"}});
    CHECK(desk.ask("message_poll", {{"repo", "web"}})["items"][0]["from"] == "api");
    CHECK(desk.refused("message_publish", {{"topic", "t"}, {"from", "nobody"}, {"body", "hi"}})
              .code == ErrorCode::NotFound);
  }

  TEST_CASE("bad input is refused by name") {
    Desk desk;
    const auto says = [&desk](Json arguments) {
      return desk.refused("message_publish", std::move(arguments)).message;
    };
    CHECK(says({{"body", "x"}}).starts_with("give exactly one of topic, to; none came"));
    CHECK(says({{"topic", "t"}, {"to", {{"all", true}}}, {"body", "x"}}).find("more than one") !=
          std::string::npos);
    CHECK(says({{"topic", "a..b"}, {"body", "x"}}).starts_with("topic: a topic is words"));
    CHECK(says({{"topic", "a.*"}, {"body", "x"}}).starts_with("topic: "));
    CHECK(says({{"topic", "event.task.failed"}, {"body", "x"}}).find("told by the server") !=
          std::string::npos);
    CHECK(says({{"topic", "event"}, {"body", "x"}}).starts_with("topic: "));
    CHECK(says({{"to", Json::object()}, {"body", "x"}}).starts_with("to: "));
    CHECK(says({{"to", {{"tag", "nope"}}}, {"body", "x"}}).find("nope") != std::string::npos);
    Json long_header{{"topic", "t"}, {"body", "x"}};
    long_header["headers"]["a"] = std::string(1025, 'x');
    CHECK(says(long_header).find("headers") != std::string::npos);
    // 32,768 characters, but more bytes.
    std::string wide;
    for (int i = 0; i < 20000; ++i) wide += "é";
    CHECK(says({{"topic", "t"}, {"body", wide}}).find("body") != std::string::npos);
    // Short enough in bytes, but every byte is a token.
    const std::string escapes(2000, '\x01');
    CHECK(says({{"topic", "t"}, {"body", escapes}}).starts_with("body: this is about "));
    CHECK(desk.schema_says("message_publish", {{"topic", "t"}}) != "");
    CHECK(desk.schema_says("message_publish", {{"topic", "t"}, {"body", "x"}, {"ttl_ms", 0}}) !=
          "");
    CHECK(desk.schema_says("message_publish", {{"to", {{"name", "api"}}}, {"body", "x"}}) != "");
  }

  TEST_CASE("errors of the disk are told") {
    Desk desk;
    desk.messages.fail_with = mahavishnu::base::Error{ErrorCode::Exhausted, "the disk is full", 1};
    CHECK(desk.refused("message_publish", {{"topic", "t"}, {"body", "x"}}).message ==
          "the disk is full");
  }
}

TEST_SUITE("message_poll") {
  TEST_CASE("consumers of a group share its messages, which come again when they are late") {
    Desk desk;
    const Json args{{"topic", "t"}, {"group", "g"}, {"limit", 1}, {"ack_ms", 1000}};
    desk.ask("message_poll", args);
    desk.ask("message_publish", {{"topic", "t"}, {"body", "1"}});
    desk.ask("message_publish", {{"topic", "t"}, {"body", "2"}});
    CHECK(bodies(desk.ask("message_poll", args)) == Texts{"1"});
    CHECK(bodies(desk.ask("message_poll", args)) == Texts{"2"});
    desk.bus_timers.advance(Millis{1000});
    const Json again = desk.ask("message_poll", args);
    CHECK(bodies(again) == Texts{"1"});
    CHECK(again["items"][0]["delivery"] == 2);
    CHECK(again["ready"] == 1);
  }

  TEST_CASE("wait_ms waits for the first message") {
    Desk desk;
    const auto pending =
        desk.begin("message_poll", {{"topic", "t"}, {"group", "g"}, {"wait_ms", 5000}});
    CHECK_FALSE(pending->has_value());
    desk.ask("message_publish", {{"topic", "t"}, {"body", "1"}});
    CHECK(bodies(desk.answer("message_poll", pending)) == Texts{"1"});
  }

  TEST_CASE("an answer stays within its size: what does not fit comes next") {
    Desk desk;
    desk.ask("message_poll", {{"topic", "t"}, {"group", "g"}});
    for (int i = 0; i < 4; ++i) {
      // As JSON twice as long as it is.
      desk.ask("message_publish", {{"topic", "t"}, {"body", std::string(4000, '"')}});
    }
    const Json first = desk.ask("message_poll", {{"topic", "t"}, {"group", "g"}});
    CHECK(first["items"].size() == 2);
    CHECK(first["ready"] == 2);
    CHECK(first["in_flight"] == 2);
    const Json second = desk.ask("message_poll", {{"topic", "t"}, {"group", "g"}});
    CHECK(second["items"].size() == 2);
    CHECK(second["items"][0]["delivery"] == 1);
  }

  TEST_CASE("bad input is refused by name") {
    Desk desk;
    const auto says = [&desk](Json arguments) {
      return desk.refused("message_poll", std::move(arguments)).message;
    };
    CHECK(says(Json::object()).find("exactly one of topic, repo") != std::string::npos);
    CHECK(says({{"topic", "t"}}).starts_with("group: "));
    CHECK(says({{"topic", "t"}, {"group", "a\nb"}}).starts_with("group: "));
    CHECK(says({{"topic", "#.x"}, {"group", "g"}}).starts_with("topic: "));
    CHECK(says({{"repo", "nobody"}}).find("nobody") != std::string::npos);
    desk.ask("message_poll", {{"topic", "t"}, {"group", "g"}});
    CHECK(desk.refused("message_poll", {{"topic", "u"}, {"group", "g"}}).code ==
          ErrorCode::Conflict);
    CHECK(desk.schema_says("message_poll", {{"repo", "api"}, {"limit", 0}}) != "");
    CHECK(desk.schema_says("message_poll", {{"repo", "api"}, {"ack_ms", 0}}) != "");
    CHECK(desk.schema_says("message_poll", {{"repo", "api"}, {"pattern", "x"}}) != "");
  }
}

TEST_SUITE("message_ack") {
  TEST_CASE("what is confirmed is gone, what is asked for again comes again") {
    Desk desk;
    desk.ask("message_publish", {{"to", {{"repo", "api"}}}, {"body", "1"}});
    desk.ask("message_publish", {{"to", {{"repo", "api"}}}, {"body", "2"}});
    const Json got = desk.ask("message_poll", {{"repo", "api"}});
    const Json one = got["items"][0]["message"];
    const Json two = got["items"][1]["message"];
    CHECK(desk.ask("message_ack", {{"group", "repo.api"}, {"messages", {one}}}) ==
          Json{{"acked", 1}, {"unknown", Json::array()}});
    CHECK(desk.ask("message_ack", {{"group", "repo.api"}, {"messages", {one}}}) ==
          Json{{"acked", 0}, {"unknown", {one}}});
    CHECK(desk.ask("message_ack", {{"group", "repo.api"}, {"messages", {two}}, {"retry", true}}) ==
          Json{{"retried", 1}, {"unknown", Json::array()}});
    CHECK(bodies(desk.ask("message_poll", {{"repo", "api"}})) == Texts{"2"});
  }

  TEST_CASE("bad input is refused by name") {
    Desk desk;
    const std::string id = "msg_01HF7YAT00Z99AJNB7Y4962FNZ";
    CHECK(desk.refused("message_ack", {{"group", "g"}, {"messages", {id}}}).code ==
          ErrorCode::NotFound);
    CHECK(desk.refused("message_ack", {{"group", "g"}, {"messages", {"task_1"}}})
              .message.starts_with("messages: "));
    CHECK(desk.schema_says("message_ack", {{"group", "g"}, {"messages", Json::array()}}) != "");
    CHECK(desk.schema_says("message_ack", {{"messages", {id}}}) != "");
  }
}

TEST_SUITE("message_topics") {
  TEST_CASE("topics with their policy, groups with what they are behind and who hangs") {
    Desk desk;
    desk.ask("message_poll", {{"topic", "a.*"}, {"group", "g"}});
    desk.ask("message_publish", {{"topic", "a.b"}, {"body", "1"}});
    desk.ask("message_publish", {{"topic", "c"}, {"body", "2"}});
    desk.ask("message_poll",
             {{"topic", "a.*"}, {"group", "g"}, {"ack_ms", 1000}, {"consumer", "slow"}});
    desk.bus_timers.advance(Millis{1000});
    const Json all = desk.ask("message_topics");
    CHECK(all["messages"] == 2);
    REQUIRE(all["topics"].size() == 2);
    CHECK(all["topics"][0]["topic"] == "a.b");
    CHECK(all["topics"][0]["policy"] == "block_publisher");
    REQUIRE(all["items"].size() == 1);
    const Json& group = all["items"][0];
    CHECK(group["group"] == "g");
    CHECK(group["topic"] == "a.*");
    CHECK(group["ready"] == 1);
    CHECK(group["delivered"] == 1);
    CHECK(group["hung"][0]["consumer"] == "slow");
    CHECK(group["hung"][0]["times"] == 1);
    CHECK(desk.ask("message_topics", {{"topic", "c"}})["topics"].size() == 1);
    CHECK(desk.refused("message_topics", {{"topic", "c."}}).message.starts_with("topic: "));
  }

  TEST_CASE("groups come page by page, by name") {
    Desk desk;
    for (const char* name : {"c", "a", "b"}) {
      desk.ask("message_poll", {{"topic", "t"}, {"group", name}});
    }
    const Json first = desk.ask("message_topics", {{"limit", 2}});
    REQUIRE(first["items"].size() == 2);
    CHECK(first["items"][1]["group"] == "b");
    const Json rest = desk.ask("message_topics", {{"cursor", first["next_cursor"]}});
    REQUIRE(rest["items"].size() == 1);
    CHECK(rest["items"][0]["group"] == "c");
    CHECK_FALSE(rest.contains("next_cursor"));
  }
}
