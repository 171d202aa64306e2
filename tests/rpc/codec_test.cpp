#include "rpc/codec.h"

#include <doctest/doctest.h>

#include <string>

using namespace mahavishnu::rpc;

namespace {

Message only(std::string_view text, const DecodeLimits& limits = {}) {
  auto decoded = decode(text, limits);
  REQUIRE(decoded.messages.size() == 1);
  return std::move(decoded.messages.front());
}

Malformed refused(std::string_view text, const DecodeLimits& limits = {}) {
  auto message = only(text, limits);
  REQUIRE_MESSAGE(std::holds_alternative<Malformed>(message), text);
  return std::get<Malformed>(std::move(message));
}

Request request(std::string_view text) {
  auto message = only(text);
  REQUIRE_MESSAGE(std::holds_alternative<Request>(message), text);
  return std::get<Request>(std::move(message));
}

std::string with_id(std::string_view id) {
  return R"({"jsonrpc":"2.0","id":)" + std::string(id) + R"(,"method":"m"})";
}

std::string nested(std::size_t arrays) {
  return R"({"jsonrpc":"2.0","id":9,"method":"m","params":)" + std::string(arrays, '[') +
         std::string(arrays, ']') + "}";
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("rpc::heads") {
  TEST_CASE("a head tells what a message is, without its body") {
    const auto call = heads(R"({"jsonrpc":"2.0","id":"a","method":"m","params":{"id":7}})");
    REQUIRE(call.size() == 1);
    CHECK(call[0].kind == MessageHead::Kind::Request);
    CHECK(call[0].id.to_json() == "\"a\"");
    CHECK(call[0].method == "m");
    const auto notification = heads(R"({"jsonrpc":"2.0","method":"n"})");
    CHECK(notification.at(0).kind == MessageHead::Kind::Notification);
    const auto good = heads(R"({"jsonrpc":"2.0","id":1.50,"result":{}})");
    CHECK(good.at(0).kind == MessageHead::Kind::Response);
    CHECK(good.at(0).id.to_json() == "1.50");
    CHECK_FALSE(good.at(0).failed);
    CHECK(heads(R"({"jsonrpc":"2.0","id":null,"error":{}})").at(0).failed);
  }

  TEST_CASE("a batch has one head a message, what is no message none") {
    const auto batch = heads(R"([{"id":1,"method":"m"},7,{"method":"n"},{}])");
    REQUIRE(batch.size() == 2);
    CHECK(batch[0].id.to_json() == "1");
    CHECK(batch[1].method == "n");
    for (const char* text : {"", "{", "[]", "7", "{\"id\":[1],\"method\":\"m\"}"}) {
      CHECK(heads(text).empty());
    }
  }
}

TEST_SUITE("rpc::decode, the examples of the specification's section 7") {
  TEST_CASE("a call with positional parameters") {
    const auto call =
        request(R"({"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1})");
    CHECK(call.method == "subtract");
    CHECK(call.params == Json::parse("[42,23]"));
    CHECK(call.id.to_json() == "1");
  }

  TEST_CASE("a call with named parameters") {
    const auto call = request(
        R"({"jsonrpc":"2.0","method":"subtract","params":{"subtrahend":23,"minuend":42},"id":3})");
    CHECK(call.params == Json::parse(R"({"minuend":42,"subtrahend":23})"));
  }

  TEST_CASE("notifications, with and without parameters") {
    const auto update = only(R"({"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]})");
    REQUIRE(std::holds_alternative<Notification>(update));
    CHECK(std::get<Notification>(update).params.size() == 5);
    const auto bare = only(R"({"jsonrpc": "2.0", "method": "foobar"})");
    REQUIRE(std::holds_alternative<Notification>(bare));
    CHECK(std::get<Notification>(bare).params.is_null());
  }

  TEST_CASE("a call with invalid JSON is a parse error") {
    const auto answer = refused(R"({"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz])");
    CHECK(answer.error.code == error_code::kParseError);
    CHECK(answer.id.to_json() == "null");
  }

  TEST_CASE("a call with an invalid request object") {
    const auto answer = refused(R"({"jsonrpc": "2.0", "method": 1, "params": "bar"})");
    CHECK(answer.error.code == error_code::kInvalidRequest);
  }

  TEST_CASE("a batch with invalid JSON is one parse error") {
    const auto decoded = decode(R"([{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4],
        "id": "1"}, {"jsonrpc": "2.0", "method"])");
    CHECK_FALSE(decoded.batch);
    REQUIRE(decoded.messages.size() == 1);
    CHECK(std::get<Malformed>(decoded.messages[0]).error.code == error_code::kParseError);
  }

  TEST_CASE("an empty batch is one invalid request and no batch") {
    const auto decoded = decode("[]");
    CHECK_FALSE(decoded.batch);
    REQUIRE(decoded.messages.size() == 1);
    CHECK(std::get<Malformed>(decoded.messages[0]).error.code == error_code::kInvalidRequest);
  }

  TEST_CASE("an invalid batch answers each of its elements") {
    for (const auto& [text, count] : {std::pair{"[1]", 1u}, std::pair{"[1,2,3]", 3u}}) {
      const auto decoded = decode(text);
      CHECK(decoded.batch);
      REQUIRE(decoded.messages.size() == count);
      for (const auto& message : decoded.messages) {
        CHECK(std::get<Malformed>(message).error.code == error_code::kInvalidRequest);
      }
    }
  }

  TEST_CASE("a mixed batch keeps its order") {
    const auto decoded = decode(R"([
        {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
        {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
        {"foo": "boo"},
        {"jsonrpc": "2.0", "method": "get_data", "id": 9.50}])");
    CHECK(decoded.batch);
    REQUIRE(decoded.messages.size() == 4);
    CHECK(std::get<Request>(decoded.messages[0]).id.to_json() == "\"1\"");
    CHECK(std::get<Notification>(decoded.messages[1]).method == "notify_hello");
    CHECK(std::get<Malformed>(decoded.messages[2]).error.code == error_code::kInvalidRequest);
    CHECK(std::get<Request>(decoded.messages[3]).id.to_json() == "9.50");
  }
}

TEST_SUITE("rpc::decode, ids") {
  TEST_CASE("an id of every kind is echoed as it was written") {
    for (const char* id :
         {"1", "0", "-1", "-0", "1.5", "1.50", "-0.0", "1e2", "1E+2", "9223372036854775807",
          "9223372036854775808", "18446744073709551615", "-9223372036854775808", "null", "\"1\"",
          "\"\"", "\"a b\"", "\"\\u0000\"", "\"\xC3\xA9\""}) {
      CHECK(request(with_id(id)).id.to_json() == id);
    }
  }

  TEST_CASE("a number and a string that look alike are different ids") {
    CHECK(request(with_id("1")).id != request(with_id("\"1\"")).id);
  }

  TEST_CASE("an id is found behind text that looks like one") {
    const auto call = request(
        R"({"jsonrpc":"2.0","params":{"id":7.5,"s":"\"id\":3.5"},"method":"id","id" : 1.250 })");
    CHECK(call.id.to_json() == "1.250");
  }

  TEST_CASE("a key written with escapes is the same key") {
    CHECK(request(R"({"jsonrpc":"2.0","\u0069d":2.5,"method":"m"})").id.to_json() == "2.5");
  }

  TEST_CASE("an object, an array and a boolean are no ids") {
    for (const char* id : {"{}", "[]", "true"}) {
      const auto answer = refused(with_id(id));
      CHECK(answer.error.code == error_code::kInvalidRequest);
      CHECK(answer.id.to_json() == "null");
    }
  }
}

TEST_SUITE("rpc::decode, the envelope") {
  TEST_CASE("a missing or other version is refused and the id echoed") {
    for (const char* version : {"", R"("jsonrpc":"1.0",)", R"("jsonrpc":2.0,)"}) {
      const auto answer = refused("{" + std::string(version) + R"("id":"x","method":"m"})");
      CHECK(answer.error.code == error_code::kInvalidRequest);
      CHECK(contains(answer.error.message, "\"jsonrpc\" must be \"2.0\""));
      CHECK(answer.id.to_json() == "\"x\"");
    }
  }

  TEST_CASE("params must be an object or an array") {
    for (const char* params : {"1", "\"bar\"", "true", "null"}) {
      const auto answer =
          refused(R"({"jsonrpc":"2.0","id":5,"method":"m","params":)" + std::string(params) + "}");
      CHECK(answer.error.code == error_code::kInvalidRequest);
      CHECK(answer.id.to_json() == "5");
    }
  }

  TEST_CASE("a message without method, result and error is refused") {
    CHECK(refused(R"({"jsonrpc":"2.0","id":5})").id.to_json() == "5");
  }

  TEST_CASE("what is no object is refused") {
    for (const char* text : {"1", "\"x\"", "null", "true", "[[]]"}) {
      CHECK(refused(text).error.code == error_code::kInvalidRequest);
    }
  }

  TEST_CASE("a result is a response") {
    const auto message = only(R"({"jsonrpc":"2.0","id":"a","result":{"ok":true}})");
    const auto& response = std::get<Response>(message);
    CHECK(response.id.to_json() == "\"a\"");
    CHECK(std::get<Json>(response.outcome) == Json::parse(R"({"ok":true})"));
  }

  TEST_CASE("an error is a response, with or without data") {
    const auto plain =
        only(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"no"}})");
    const auto& error = std::get<RpcError>(std::get<Response>(plain).outcome);
    CHECK(error.code == -32601);
    CHECK(error.message == "no");
    CHECK(error.data.is_null());
    const auto more =
        only(R"({"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no","data":[1]}})");
    CHECK(std::get<RpcError>(std::get<Response>(more).outcome).data == Json::parse("[1]"));
  }

  TEST_CASE("result and error together, or beside a method, are refused") {
    for (const char* text :
         {R"({"jsonrpc":"2.0","id":4,"result":1,"error":{"code":1,"message":"x"}})",
          R"({"jsonrpc":"2.0","id":4,"result":1,"method":"m"})",
          R"({"jsonrpc":"2.0","id":4,"error":{"code":1,"message":"x"},"method":"m"})"}) {
      const auto answer = refused(text);
      CHECK(answer.error.code == error_code::kInvalidRequest);
      CHECK(answer.id.to_json() == "4");
    }
  }

  TEST_CASE("an error that is none is refused") {
    for (const char* error : {"1", "{}", R"({"code":"1","message":"x"})", R"({"code":1})",
                              R"({"code":1.5,"message":"x"})", R"({"code":1,"message":2})",
                              R"({"code":4294967296,"message":"x"})"}) {
      CHECK(refused(R"({"jsonrpc":"2.0","id":4,"error":)" + std::string(error) + "}").error.code ==
            error_code::kInvalidRequest);
    }
  }

  TEST_CASE("a response without id is refused") {
    CHECK(refused(R"({"jsonrpc":"2.0","result":1})").error.code == error_code::kInvalidRequest);
  }

  TEST_CASE("members that nobody knows are ignored") {
    CHECK(request(R"({"jsonrpc":"2.0","id":1,"method":"m","extra":{"a":[1]}})").method == "m");
  }
}

TEST_SUITE("rpc::decode, limits and traps") {
  TEST_CASE("a key that is there twice is refused by name, wherever it is") {
    const auto named = [](const char* text, const char* key) {
      const auto answer = refused(text);
      CHECK(answer.error.code == error_code::kInvalidRequest);
      CHECK(contains(answer.error.message, key));
      return answer.id.to_json();
    };
    CHECK(named(R"({"jsonrpc":"2.0","id":1,"method":"a","method":"b"})", "\"method\"") == "1");
    CHECK(named(R"({"jsonrpc":"2.0","id":1,"id":2,"method":"a"})", "\"id\"") == "null");
    CHECK(named(R"({"jsonrpc":"2.0","method":"m","params":{"k":1,"k":2},"id":3})", "\"k\"") == "3");
    CHECK(named(R"({"jsonrpc":"2.0","id":4,"method":"m","x":[{"y":1,"\u0079":2}]})", "\"y\"") ==
          "4");
    CHECK(named(R"({"jsonrpc":"2.0","id":5,"method":"m","x":1,"x":2})", "\"x\"") == "5");
  }

  TEST_CASE("128 levels are read, 129 are refused with the id") {
    CHECK(request(nested(127)).params.size() == 1);
    const auto answer = refused(nested(128));
    CHECK(answer.error.code == error_code::kInvalidRequest);
    CHECK(contains(answer.error.message, "128"));
    CHECK(answer.id.to_json() == "9");
  }

  TEST_CASE("a batch counts as a level") {
    const auto decoded = decode("[" + nested(127) + "]");
    CHECK(std::holds_alternative<Malformed>(decoded.messages.front()));
  }

  TEST_CASE("a hundred thousand open brackets are refused at once") {
    CHECK(refused(std::string(100000, '[')).error.code != 0);
    CHECK(refused(nested(50000)).error.code == error_code::kInvalidRequest);
  }

  TEST_CASE("numbers that nothing can hold are refused with the reason, never rounded") {
    for (const char* number : {"18446744073709551616", "-9223372036854775809", "1e400", "-1e999",
                               "123456789012345678901234567890"}) {
      const auto answer = refused(R"({"jsonrpc":"2.0","id":6,"method":"m","params":[)" +
                                  std::string(number) + "]}");
      CHECK(answer.error.code == error_code::kInvalidRequest);
      CHECK(contains(answer.error.message, number));
      CHECK(answer.id.to_json() == "6");
    }
  }

  TEST_CASE("an outsized id is refused, yet echoed") {
    CHECK(refused(with_id("18446744073709551616")).id.to_json() == "18446744073709551616");
    CHECK(refused(with_id("1" + std::string(300, '0'))).id.to_json() == "null");
  }

  TEST_CASE("an outsized number in a broken text is a parse error") {
    for (const char* text : {"[1e400", "{\"a\":1e400,}", "[1e400x]", "[01,1e400]", "[-]", "[1e]"}) {
      CHECK_MESSAGE(refused(text).error.code == error_code::kParseError, text);
    }
  }

  TEST_CASE("digits in strings are no numbers") {
    const auto answer =
        refused(R"({"jsonrpc":"2.0","id":6,"method":"1e400\"1e500","params":[1e600]})");
    CHECK(contains(answer.error.message, "1e600"));
  }

  TEST_CASE("64-bit integers and doubles arrive exactly") {
    const auto call = request(
        R"({"jsonrpc":"2.0","id":1,"method":"m",
            "params":[9223372036854775807,18446744073709551615,-9223372036854775808,0.1,1e308,7]})");
    CHECK(call.params[0].get<std::int64_t>() == 9223372036854775807LL);
    CHECK(call.params[1].get<std::uint64_t>() == 18446744073709551615ULL);
    CHECK(call.params[2].get<std::int64_t>() == std::numeric_limits<std::int64_t>::min());
    CHECK(call.params[3].get<double>() == 0.1);
    CHECK(call.params[5].is_number_unsigned());
  }

  TEST_CASE("invalid UTF-8 is a parse error") {
    for (const char* bytes : {"\xFF", "\xC3", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xC0\x80"}) {
      const auto answer =
          refused(R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(bytes) + "\"}");
      CHECK(answer.error.code == error_code::kParseError);
    }
  }

  TEST_CASE("a batch over its limit is one refusal") {
    const auto one = with_id("1");
    CHECK(decode("[" + one + "," + one + "]", {.max_batch = 2}).messages.size() == 2);
    const auto decoded = decode("[" + one + "," + one + "," + one + "]", {.max_batch = 2});
    CHECK_FALSE(decoded.batch);
    REQUIRE(decoded.messages.size() == 1);
    CHECK(contains(std::get<Malformed>(decoded.messages[0]).error.message, "at most 2"));
  }

  TEST_CASE("a long message is read as well as a short one") {
    const std::string text(300000, 'x');
    const auto call =
        request(R"({"jsonrpc":"2.0","id":1,"method":"m","params":[")" + text + "\"]}");
    CHECK(call.params[0].get_ref<const std::string&>() == text);
  }
}

TEST_SUITE("parse") {
  TEST_CASE("a plain document is read under the same rules as a message") {
    CHECK(*parse(R"({"a":[1,-2,1.5,"x",null,true]})") ==
          Json{{"a", {1, -2, 1.5, "x", nullptr, true}}});
    CHECK(*parse(" 5 ") == 5);
    for (const char* bad : {"", "{", "{\"a\":1,\"a\":2}", "[1e400]", "[99999999999999999999]",
                            "[1] [2]", "\"\xff\""}) {
      const auto read = parse(bad);
      REQUIRE(!read);
      CHECK(read.error().code == mahavishnu::base::ErrorCode::InvalidArgument);
      CHECK(!read.error().message.empty());
    }
  }

  TEST_CASE("depth is bounded") {
    const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    CHECK(parse(nested(128)));
    CHECK(!parse(nested(129)));
    CHECK(!parse(nested(100000)));
  }
}

TEST_SUITE("rpc::decode, metadata set aside") {
  Request request(const std::string& params) {
    Decoded decoded =
        decode(R"({"jsonrpc":"2.0","id":1,"method":"m","params":)" + params + "}", {}, "_meta");
    REQUIRE(decoded.messages.size() == 1);
    REQUIRE(std::holds_alternative<Request>(decoded.messages[0]));
    return std::get<Request>(decoded.messages[0]);
  }
  std::string refusal(const std::string& params) {
    Decoded decoded =
        decode(R"({"jsonrpc":"2.0","id":1,"method":"m","params":)" + params + "}", {}, "_meta");
    const auto* malformed = std::get_if<Malformed>(&decoded.messages.front());
    return malformed == nullptr ? "" : malformed->error.message;
  }

  TEST_CASE("it leaves params and is shared by requests that repeat it") {
    const Request first = request(R"({"a":1,"_meta":{"v":"x","n":[1,-2,1.5,true,null]}})");
    CHECK(first.params == Json{{"a", 1}});
    REQUIRE(first.metadata != nullptr);
    CHECK(*first.metadata == Json::parse(R"({"v":"x","n":[1,-2,1.5,true,null]})"));
    const Request again = request(R"({"_meta":{"v":"x","n":[1,-2,1.5,true,null]},"b":2})");
    CHECK(again.metadata == first.metadata);
  }

  TEST_CASE("what differs anywhere is another document") {
    const Request one = request(R"({"_meta":{"v":"x","n":{"a":1,"b":[2]}}})");
    for (const char* other :
         {R"({"v":"y","n":{"a":1,"b":[2]}})", R"({"v":"x","n":{"a":1,"b":[3]}})",
          R"({"v":"x","n":{"a":1,"b":2}})", R"({"v":"x","n":{"a":1.0,"b":[2]}})",
          R"({"v":"x","n":{"a":-1,"b":[2]}})", R"({"v":"x","n":{"a":1}})",
          R"({"v":"x","n":{"a":1,"b":[2]},"m":null})", R"({"n":{"a":1,"b":[2]}})"}) {
      const Request changed = request("{\"_meta\":" + std::string(other) + "}");
      CHECK(changed.metadata != one.metadata);
      CHECK(*changed.metadata == Json::parse(other));
    }
  }

  TEST_CASE("repeated keys are refused in it, of it, and behind a known text") {
    CHECK(refusal(R"({"_meta":{"a":1},"_meta":{"a":1}})").find("twice") != std::string::npos);
    CHECK(request(R"({"_meta":{"a":1,"b":1}})").metadata != nullptr);
    CHECK(refusal(R"({"_meta":{"a":1,"a":1}})").find("twice") != std::string::npos);
    CHECK(refusal(R"({"_meta":{"b":1,"b":1}})").find("twice") != std::string::npos);
  }

  TEST_CASE("it may be absent, no object, or nested as deep as anything may be") {
    CHECK(request(R"({"a":1})").metadata == nullptr);
    CHECK(*request(R"({"_meta":5})").metadata == Json(5));
    const std::string deep = std::string(130, '[') + std::string(130, ']');
    CHECK(refusal("{\"_meta\":" + deep + "}").find("deeper") != std::string::npos);
  }

  TEST_CASE("long metadata is read as well, every time") {
    const std::string text = "{\"_meta\":{\"k\":\"" + std::string(5000, 'x') + "\"}}";
    const Request one = request(text);
    const Request two = request(text);
    CHECK(*one.metadata == *two.metadata);
    CHECK(one.metadata != two.metadata);
  }

  TEST_CASE("without a name nothing is set aside") {
    Decoded decoded = decode(R"({"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{}}})");
    const auto& plain = std::get<Request>(decoded.messages[0]);
    CHECK(plain.metadata == nullptr);
    CHECK(plain.params.contains("_meta"));
  }
}
