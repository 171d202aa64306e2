#include <doctest/doctest.h>

#include <string>

#include "rpc/codec.h"
#include "rpc/number_scan.h"

using namespace mahavishnu::rpc;

namespace {

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

RequestId number(std::string text) { return {RequestId::Number{std::move(text)}}; }

}  // namespace

TEST_SUITE("rpc::encode") {
  TEST_CASE("a result is spliced in as it is") {
    CHECK(encode_result(number("7"), R"({"a":1})") ==
          R"({"jsonrpc":"2.0","id":7,"result":{"a":1}})");
    CHECK(encode_result({std::string("x\"y")}, "[]") ==
          R"({"jsonrpc":"2.0","id":"x\"y","result":[]})");
  }

  TEST_CASE("an error has its data only when there is some") {
    CHECK(encode_error({}, {-32700, "parse \"error\"", nullptr}) ==
          R"({"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse \"error\""}})");
    CHECK(encode_error(number("1"), {1, "m", Json::parse(R"({"k":[1]})")}) ==
          R"({"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","data":{"k":[1]}}})");
  }

  TEST_CASE("requests and notifications leave absent params out") {
    CHECK(encode_notification("n", nullptr) == R"({"jsonrpc":"2.0","method":"n"})");
    CHECK(encode_notification("n", Json::object()) ==
          R"({"jsonrpc":"2.0","method":"n","params":{}})");
    CHECK(encode_request(number("2"), "m", Json::parse("[1]")) ==
          R"({"jsonrpc":"2.0","id":2,"method":"m","params":[1]})");
  }

  TEST_CASE("what is encoded is decoded again") {
    const auto text =
        encode_request({std::string("\x01\xC3\xA9")}, "m\n", Json::parse(R"({"a":"\u0000"})"));
    CHECK(text.find('\n') == std::string::npos);
    auto decoded = decode(text);
    const auto& request = std::get<Request>(decoded.messages.at(0));
    CHECK(std::get<std::string>(request.id.value) == "\x01\xC3\xA9");
    CHECK(request.method == "m\n");
    CHECK(request.params["a"].get<std::string>() == std::string(1, '\0'));
  }
}

TEST_SUITE("rpc::append_json_string") {
  TEST_CASE("plain text is copied, what needs it is escaped") {
    CHECK(json_string("") == "\"\"");
    CHECK(json_string("plain text of more than eight bytes") ==
          "\"plain text of more than eight bytes\"");
    CHECK(json_string("\"\\/\b\f\n\r\t") == R"("\"\\/\b\f\n\r\t")");
    CHECK(json_string(std::string("\0\x1f\x7f", 3)) == "\"\\u0000\\u001f\x7f\"");
  }

  TEST_CASE("valid UTF-8 stays as it is") {
    for (const char* text : {"\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF",
                             "aaaaaaa\xC3\xA9zzzzzzzzz\xE2\x82\xAC"}) {
      CHECK(json_string(text) == "\"" + std::string(text) + "\"");
    }
  }

  TEST_CASE("each ill-formed part becomes one U+FFFD") {
    const std::string bad = "\xEF\xBF\xBD";
    CHECK(json_string("a\xFF"
                      "b") == "\"a" + bad + "b\"");
    CHECK(json_string("\xC3") == "\"" + bad + "\"");
    CHECK(json_string("\xE2\x82") == "\"" + bad + "\"");
    CHECK(json_string("\xE2\x82x") == "\"" + bad + "x\"");
    CHECK(json_string("\xC0\x80") == "\"" + bad + bad + "\"");
    CHECK(json_string("\xED\xA0\x80") == "\"" + bad + bad + bad + "\"");
    CHECK(json_string("\xF0\x9F\x98\"") == "\"" + bad + "\\\"\"");
  }

  TEST_CASE("every byte in every place of a word comes out as the document type has it") {
    for (int byte = 0; byte < 128; ++byte) {
      for (std::size_t at = 0; at < 17; ++at) {
        std::string text(17, 'a');
        text[at] = static_cast<char>(byte);
        CHECK(json_string(text) == dump(Json(text)));
      }
    }
  }
}

TEST_SUITE("rpc::dump") {
  TEST_CASE("invalid UTF-8 in a document does not throw") {
    CHECK(dump(Json(std::string("a\xFF"))) == "\"a\xEF\xBF\xBD\"");
  }
}

TEST_SUITE("rpc::find_outsized_numbers") {
  TEST_CASE("only what nothing can hold is replaced, in place") {
    CHECK_FALSE(find_outsized_numbers(R"([1,1.5,"1e400",-0,18446744073709551615])"));
    const auto found = find_outsized_numbers("[1e400,2,-1e400]");
    REQUIRE(found);
    CHECK(found->first == "1e400");
    CHECK(found->sane_text == "[0    ,2,0     ]");
  }

  TEST_CASE("a very long number is shown shortened") {
    const auto found = find_outsized_numbers(std::string(1000, '9'));
    REQUIRE(found);
    CHECK(found->first.size() < 60);
  }
}
