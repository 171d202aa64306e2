// The pure parts behind resources, prompts and rounds: URI templates, pages, Base64, header
// parameters, the state of rounds, content.
#include <doctest/doctest.h>

#include "base/base64.h"
#include "mcp/content.h"
#include "mcp/header_params.h"
#include "mcp/page.h"
#include "mcp/request_state.h"
#include "mcp/uri_template.h"

using namespace mahavishnu;
using namespace mahavishnu::mcp;

TEST_SUITE("uri template") {
  TEST_CASE("takes the values out of what it could have made") {
    const auto one = UriTemplate::parse("test://task/{id}/output/{part}").value();
    const auto values = one.match("test://task/t%2F1/output/a-b_c.d~");
    REQUIRE(values);
    CHECK(*values == UriVariables{{"id", "t/1"}, {"part", "a-b_c.d~"}});
    CHECK(one.has("id"));
    CHECK_FALSE(one.has("ID"));
  }

  TEST_CASE("nothing else matches") {
    const auto one = UriTemplate::parse("test://task/{id}/output").value();
    for (const char* uri :
         {"", "test://task/", "test://task//output", "test://task/a/b/output", "test://task/a",
          "test://task/a/outputs", "TEST://task/a/output", "test://task/a?b/output",
          "test://task/a b/output", "test://task/%/output", "test://task/%4/output",
          "test://task/%zz/output", "test://task/%00/output", "test://task/%FF/output",
          "test://task/%C0%80/output", "test://task/%ED%A0%80/output"}) {
      CAPTURE(uri);
      CHECK_FALSE(one.match(uri));
    }
    CHECK(one.match("test://task/%F0%9F%98%80/output"));
    CHECK_FALSE(one.match("test://task/" + std::string(UriTemplate::kMaxUri, 'a') + "/output"));
  }

  TEST_CASE("an expression may end the template, and text may follow it") {
    CHECK(UriTemplate::parse("a:{x}").value().match("a:b")->at("x") == "b");
    const auto file = UriTemplate::parse("a:{x}.txt").value();
    CHECK(file.match("a:b.txt.txt")->at("x") == "b.txt");
    CHECK_FALSE(file.match("a:.txt"));
  }

  TEST_CASE("what is beyond level 1 is refused") {
    for (const char* text : {"", "a:{", "a:}", "a:{}", "a:{+x}", "a:{x*}", "a:{x:3}", "a:{x,y}",
                             "a:{x}{y}", "a:{x}/{x}", "a:{x", "a:{{x}}"}) {
      CAPTURE(text);
      CHECK_FALSE(UriTemplate::parse(text));
    }
    CHECK_FALSE(UriTemplate::parse(std::string(UriTemplate::kMaxTemplate + 1, 'a')));
    std::string many;
    for (int i = 0; i < 17; ++i) many += "/{v" + std::to_string(i) + "}";
    CHECK_FALSE(UriTemplate::parse(many));
  }
}

TEST_SUITE("page") {
  const rpc::Json first = rpc::Json::object();

  TEST_CASE("cursors lead through the whole list") {
    auto page = page_of("things", first, 5, 2).value();
    CHECK(page.begin == 0);
    CHECK(page.end == 2);
    page = page_of("things", {{"cursor", page.next}}, 5, 2).value();
    CHECK(page.begin == 2);
    page = page_of("things", {{"cursor", page.next}}, 5, 2).value();
    CHECK(page.begin == 4);
    CHECK(page.end == 5);
    CHECK(page.next.empty());
    CHECK(page_of("things", nullptr, 2, 2).value().next.empty());
  }

  TEST_CASE("a cursor of another list, place or server is refused") {
    const auto page = page_of("things", first, 5, 2).value();
    CHECK_FALSE(page_of("thing", {{"cursor", page.next}}, 5, 2));
    CHECK_FALSE(page_of("things", {{"cursor", page.next}}, 2, 2));
    CHECK_FALSE(page_of("things", {{"cursor", page.next}}, 5, 3));
    for (const rpc::Json& cursor :
         {rpc::Json(""), rpc::Json(nullptr), rpc::Json(2), rpc::Json("things:2"),
          rpc::Json(base::encode_base64("things:0")), rpc::Json(base::encode_base64("things:-2")),
          rpc::Json(base::encode_base64("things:2x")), rpc::Json(base::encode_base64("things2"))}) {
      CAPTURE(cursor.dump());
      CHECK_FALSE(page_of("things", {{"cursor", cursor}}, 5, 2));
    }
  }
}

TEST_SUITE("header parameters") {
  const rpc::Json schema = rpc::Json::parse(R"({"type":"object","properties":{
      "region":{"type":"string","x-mcp-header":"Region"},
      "where":{"type":"object","properties":{"count":{"type":"integer","x-mcp-header":"Count"}}},
      "dry":{"type":"boolean","x-mcp-header":"Dry"}}})");

  // The code of the check, 0: all is well.
  int checked(const rpc::Json& arguments, const std::map<std::string, std::string>& headers) {
    const auto error =
        check_header_params(header_params(schema).value(), arguments,
                            [&headers](const std::string& name) -> std::optional<std::string_view> {
                              const auto found = headers.find(name);
                              if (found == headers.end()) return std::nullopt;
                              return found->second;
                            });
    return error ? error->code : 0;
  }

  TEST_CASE("a header says what the body says, and is there where the body has a value") {
    CHECK(checked(rpc::Json::object(), {}) == 0);
    CHECK(checked({{"region", nullptr}}, {}) == 0);
    CHECK(checked({{"region", "eu"}, {"where", {{"count", 42}}}, {"dry", false}},
                  {{"Mcp-Param-Region", "eu"},
                   {"Mcp-Param-Count", "42.0"},
                   {"Mcp-Param-Dry", "false"}}) == 0);
    CHECK(checked({{"region", "é"}}, {{"Mcp-Param-Region", "=?base64?w6k=?="}}) == 0);
    CHECK(checked({{"region", "=?base64?x"}}, {{"Mcp-Param-Region", "=?base64?x"}}) == 0);
  }

  TEST_CASE("every difference is a mismatch") {
    CHECK(checked({{"region", "eu"}}, {}) == -32020);
    CHECK(checked(rpc::Json::object(), {{"Mcp-Param-Region", "eu"}}) == -32020);
    CHECK(checked({{"region", "eu"}}, {{"Mcp-Param-Region", "Eu"}}) == -32020);
    CHECK(checked({{"region", "é"}}, {{"Mcp-Param-Region", "é"}}) == -32020);
    CHECK(checked({{"region", "é"}}, {{"Mcp-Param-Region", "=?base64?w6k?="}}) == -32020);
    CHECK(checked({{"where", {{"count", 42}}}}, {{"Mcp-Param-Count", "42x"}}) == -32020);
    CHECK(checked({{"where", {{"count", 42}}}}, {{"Mcp-Param-Count", "43"}}) == -32020);
    CHECK(checked({{"dry", true}}, {{"Mcp-Param-Dry", "True"}}) == -32020);
  }

  TEST_CASE("annotations that a client must refuse are refused here") {
    const auto with = [](const char* property) {
      return header_params(rpc::Json::parse(R"({"type":"object","properties":{"a":)" +
                                            std::string(property) + "}}"));
    };
    CHECK(with(R"({"type":"string","x-mcp-header":"A"})"));
    for (const char* property :
         {R"({"type":"string","x-mcp-header":""})", R"({"type":"string","x-mcp-header":"a b"})",
          R"({"type":"string","x-mcp-header":5})", R"({"type":"number","x-mcp-header":"A"})",
          R"({"type":["string","null"],"x-mcp-header":"A"})",
          R"({"type":"array","items":{"type":"string","x-mcp-header":"A"}})",
          R"({"type":"object","properties":{"b":{"type":"string","x-mcp-header":"A"},
              "c":{"type":"string","x-mcp-header":"a"}}})"}) {
      CAPTURE(property);
      CHECK_FALSE(with(property));
    }
  }
}

TEST_SUITE("request state") {
  const base::WallTime start{std::chrono::seconds(1'000'000)};
  const Answers answers{{"name", {{"action", "accept"}}}};

  TEST_CASE("what was sealed is opened for the same call in time") {
    const RequestState states("", std::chrono::minutes(10));
    const std::string state = states.seal(answers, "digest", start).value();
    CHECK(states.open(state, "digest", start).value() == answers);
    CHECK(states.open(state, "digest", start + std::chrono::minutes(10)).value() == answers);
    CHECK_FALSE(states.open(state, "digest", start + std::chrono::minutes(11)));
    CHECK_FALSE(states.open(state, "other", start));
  }

  TEST_CASE("no byte may be changed, and another key opens nothing") {
    const RequestState states("key", std::chrono::minutes(10));
    const std::string state = states.seal(answers, "digest", start).value();
    for (std::size_t i = 0; i < state.size(); ++i) {
      std::string changed = state;
      changed[i] = changed[i] == 'A' ? 'B' : 'A';
      CHECK_FALSE(states.open(changed, "digest", start));
    }
    for (const std::string& other : {std::string(), std::string("."), state + "=", state + state}) {
      CHECK_FALSE(states.open(other, "digest", start));
    }
    CHECK(RequestState("key", std::chrono::minutes(10)).open(state, "digest", start));
    CHECK_FALSE(RequestState("", std::chrono::minutes(10)).open(state, "digest", start));
  }

  TEST_CASE("a call is told from another by caller, method and parameters") {
    const rpc::Json params{{"name", "x"}};
    const std::string digest = RequestState::digest("me", "tools/call", params);
    CHECK(digest == RequestState::digest("me", "tools/call", params));
    CHECK(digest != RequestState::digest("you", "tools/call", params));
    CHECK(digest != RequestState::digest("me", "prompts/get", params));
    CHECK(digest != RequestState::digest("me", "tools/call", {{"name", "y"}}));
  }

  TEST_CASE("answers without end are not carried") {
    const RequestState states("", std::chrono::minutes(10));
    const Answers long_ones{{"name", std::string(RequestState::kMaxBytes, 'a')}};
    CHECK(states.seal(long_ones, "digest", start).error().code == base::ErrorCode::Exhausted);
  }
}

TEST_SUITE("content") {
  TEST_CASE("what a revision cannot carry is told in text") {
    const Content audio{Audio{"abc", "audio/wav"}, {}};
    CHECK(to_json(audio, Revision::k2025_03_26)["type"] == "audio");
    CHECK(to_json(audio, Revision::k2024_11_05)["type"] == "text");
    ResourceLink link{"test://r", "r", "", "", "", 5};
    CHECK(to_json(Content{link, {}}, Revision::k2025_06_18) ==
          rpc::Json{{"type", "resource_link"}, {"uri", "test://r"}, {"name", "r"}, {"size", 5}});
    CHECK(to_json(Content{link, {}}, Revision::k2025_03_26) ==
          rpc::Json{{"type", "text"}, {"text", "resource r: test://r"}});
  }

  TEST_CASE("annotations are those of the revision") {
    Content text = text_content("x");
    text.annotations = {{"user"}, 0.5, "2026-01-12T15:00:58Z"};
    CHECK(to_json(text, Revision::k2025_06_18)["annotations"].size() == 3);
    CHECK(to_json(text, Revision::k2025_03_26)["annotations"].size() == 2);
    CHECK_FALSE(to_json(text_content("x"), kModern).contains("annotations"));
  }
}
