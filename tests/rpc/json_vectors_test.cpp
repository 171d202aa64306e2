// What is JSON and what is not, one text a line, in the manner of JSONTestSuite: y_ must be read,
// n_ must be a parse error, i_ is where RFC 8259 leaves the choice and this server's is written
// down.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "rpc/codec.h"

using namespace mahavishnu::rpc;

namespace {

// As the parameters of a request, so that a wrong one cannot hide behind −32600.
int code_of(std::string_view value) {
  const auto decoded =
      decode(R"({"jsonrpc":"2.0","id":1,"method":"m","params":[)" + std::string(value) + "]}");
  const auto* refused = std::get_if<Malformed>(&decoded.messages.at(0));
  return refused ? refused->error.code : 0;
}

const std::vector<std::string> kYes = {
    "",
    " ",
    "\n\t\r 1 \n",
    "[]",
    "{}",
    "[[],{}]",
    "{\"\":0}",
    "{\"a\":{\"a\":1}}",
    "0",
    "-0",
    "-1",
    "123",
    "0.5",
    "1.5e10",
    "1E22",
    "1E-2",
    "0e1",
    "0e+1",
    "-0.0",
    "123.456e78",
    "0.0000000000000000000000000000000000000000000000000000000000000000001",
    "1e-400",
    "true",
    "false",
    "null",
    "\"\"",
    "\" \"",
    "\"a\"",
    R"("\"\\\/\b\f\n\r\t")",
    R"("\u0060\u012a\u12AB")",
    R"("\uD801\udc37")",
    R"("\uDBFF\uDFFF")",
    R"("\u0000")",
    R"("\uFFFF")",
    R"("\\u0000")",
    "\"\xE2\x82\xAC\"",
    "\"\xF4\x8F\xBF\xBF\"",
    "\"\xEF\xBF\xBF\"",
    "\"\xE2\x80\xA8\"",
    "\"\x7F\"",
    "{\"a\":\"b\",\"c\":\"d\"}",
    "{\"\\u0000\":1}",
    "[null,1,1,1,2]",
    "[1\n]",
};

const std::vector<std::string> kNo = {
    "[",
    "]",
    "{",
    "}",
    "[1",
    "[1}",
    "{\"a\"",
    "{\"a\":",
    "{\"a\":1",
    "[,",
    "[1,]",
    "[,1]",
    "[1,,2]",
    "[1 2]",
    "{,}",
    "{\"a\":1,}",
    "{\"a\" 1}",
    "{\"a\":1 \"b\":2}",
    "{a:1}",
    "{'a':1}",
    "{1:1}",
    "{\"a\"::1}",
    "{\"a\":}",
    "{null:1}",
    "[\"a\":1]",
    "{\"a\",1}",
    "--1",
    "-",
    "+1",
    "01",
    "-01",
    "1.",
    ".1",
    "1.e1",
    "1e",
    "1e+",
    "1eE2",
    "0x10",
    "1_000",
    "Infinity",
    "-Infinity",
    "NaN",
    "inf",
    "1 000",
    "2.e3",
    "0e",
    "-a",
    "1a",
    "tru",
    "True",
    "nul",
    "falsey",
    "undefined",
    "\"",
    "\"a",
    "'a'",
    R"("\")",
    R"("\x00")",
    R"("\a")",
    R"("\u")",
    R"("\u00A")",
    R"("\u00zz")",
    R"("\U0041")",
    "\"\n\"",
    "\"\t\"",
    "\"a\x01\"",
    std::string("\"\0\"", 3),
    "\\u0061",
    "\"a\" \"b\"",
    "/*c*/1",
    "1//c",
    "#",
    "\xEF\xBB\xBF"
    "1",
    "\xFF",
    "\"\x80\"",
    "\"\xE2\x82\"",
    "\"\xF8\x88\x80\x80\x80\"",
    "<null>",
    "*",
    "1]]",
    "{}}",
    "\f1",
    "\xC2\xA0"
    "1",
    "\xE2\x81\xA0",
};

// The choice made where the standard leaves one.
struct Choice {
  std::string text;
  int code;
};
const std::vector<Choice> kImplementation = {
    {R"("\uD800")", error_code::kParseError},  // a lone surrogate is no character
    {R"("\uDC00\uD800")", error_code::kParseError},
    {R"("\uD800\u0041")", error_code::kParseError},
    {"1e400", error_code::kInvalidRequest},  // beyond a double
    {"18446744073709551616", error_code::kInvalidRequest},
    {R"({"a":1,"a":1})", error_code::kInvalidRequest},  // two readers may disagree
    {"1e-400", 0},                                      // underflow is 0, as everywhere
};

}  // namespace

TEST_SUITE("rpc::decode, JSON vectors") {
  TEST_CASE("y_: what is JSON is read") {
    for (const auto& text : kYes) CHECK_MESSAGE(code_of(text) == 0, text);
  }

  TEST_CASE("n_: what is not JSON is a parse error") {
    for (const auto& text : kNo) CHECK_MESSAGE(code_of(text) == error_code::kParseError, text);
  }

  TEST_CASE("i_: the choices are as written down") {
    for (const auto& [text, code] : kImplementation) CHECK_MESSAGE(code_of(text) == code, text);
  }

  TEST_CASE("a text of nothing, of blanks, of two values or behind a BOM is a parse error") {
    for (const char* text : {"", " \n", "{}{}", "{} []", "\xEF\xBB\xBF{}", "1 2"}) {
      const auto decoded = decode(text);
      CHECK_MESSAGE(
          std::get<Malformed>(decoded.messages.at(0)).error.code == error_code::kParseError, text);
    }
  }

  TEST_CASE("every prefix of a message is a parse error") {
    const std::string whole =
        R"({"jsonrpc":"2.0","id":-1.5e3,"method":"m\u00e9","params":{"a":[1,true,null,"x"]}})";
    for (std::size_t length = 0; length < whole.size(); ++length) {
      const auto decoded = decode(std::string_view(whole).substr(0, length));
      const auto* refused = std::get_if<Malformed>(&decoded.messages.at(0));
      REQUIRE(refused);
      CHECK(refused->error.code == error_code::kParseError);
    }
  }
}
