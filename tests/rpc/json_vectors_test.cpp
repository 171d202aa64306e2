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
    // arrays
    "[]", "[ [] , [ ] ]", R"([""])", "[false]", R"([null, 1, "1", {}])", "[null,1,null,null,2]",
    " [1]", "[2] ", "[1\n]", "[[[[[[1]]]]]]",
    // numbers
    "0", "-0", "-1", "123", "-123", " 4", "20e1", "0e1", "0e+1", "0.5", "-0.0", "1E22", "1E-2",
    "1E+2", "1e-2", "1e+2", "123e45", "123e65", "123.456e78", "123.456789", "1.5e10",
    "0.00000000000000000000000000000000000000000000000000000000000000000000001",
    "-0.00000000000000000000000000000000000000000000000000000000000000000000001",
    "9223372036854775807", "18446744073709551615", "-9223372036854775808", "5e-324",
    "1.7976931348623157e308",
    // objects
    "{}", R"({"":0})", R"({"asd":"sdf","dfg":"fgh"})", R"({"\u0000":1})", R"({"foo\u0000bar":42})",
    R"({"min":-1.0e+28,"max":1.0e+28})",
    R"({"x":[{"id":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}],"id":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"})",
    R"({"a":[]})", R"({"title":"\u041f\u043e \u0438"})", "{\n\"a\" :\t\"b\"\r\n}",
    R"({"a":{"a":1}})",
    // strings and their escapes
    R"("")", R"(" ")", R"("a")", R"("asd ")", R"("\"\\\/\b\f\n\r\t")", R"("\\u0000")", R"("\\a")",
    R"("\\n")", R"("a/*b*/c/*d//e")", R"("\u0012")", R"("\u0000")", R"("\u0022")", R"("\u005C")",
    R"("\u002c")", R"("\u0123")", R"("\u0821")", R"("\u0060\u012a\u12AB")",
    R"("\u0061\u30af\u30EA\u30b9")", R"("new\u000Aline")", R"("new\u00A0line")",
    R"("\u200B\u2064\uA66D")", "\"\x7F\"",
    "\"a\x7F"
    "a\"",
    // surrogate pairs and noncharacters
    R"("\uD801\udc37")", R"("\ud83d\ude39\ud83d\udc8d")", R"("\uD834\uDd1e")", R"("\uDBFF\uDFFF")",
    R"("\uDBFF\uDFFE")", R"("\uD83F\uDFFE")", R"("\uFDD0")", R"("\uFFFE")", R"("\uFFFF")",
    // UTF-8 as it is
    "\"\xCF\x80\"", "\"\xE2\x82\xAC\xF0\x9D\x84\x9E\"", "\"\xE2\x8D\x82\xE3\x88\xB4\"",
    "\"\xE2\x80\xA8\"", "\"\xE2\x80\xA9\"", "\"\xEF\xBF\xBF\"", "\"\xF0\x9B\xBF\xBF\"",
    "\"\xF4\x8F\xBF\xBF\"",
    // literals and blanks
    "true", "false", "null", " ", "\n\t\r 1 \n", "-0.1", "\"x\"\n"};

const std::vector<std::string> kNo = {
    // arrays
    "[1 true]", R"(["": 1])", R"([""],)", "[,1]", "[1,,2]", R"(["x",,])", R"(["x"]])", R"(["",])",
    R"(["x")", "[x", "[3[4]]", "[1:2]", "[,]", "[-]", R"([   , ""])", "[\"a\",\n4\n,1,", "[1,]",
    "[1,,]",
    "[\"\x0B"
    "a\"\x0C]",
    "[*]", R"(["")", "[1,", "[1,\n1\n,1", "[{}", "[1}", "[1 2]", "[1;2]", "[a\xE5]", "[\xFF]",
    // literals
    "fals", "nul", "tru", "True", "FALSE", "Null", "falsey", "undefined", "nil", "none",
    std::string("123\x00", 4),
    // numbers
    "++1234", "+1", "+Inf", "-01", "-1.0.", "-2.", "-NaN", ".-1", ".2e-3", ".1", "0.1.2", "0.3e",
    "0.3e+", "0.e1", "0E", "0E+", "0e", "0e+", "1.0e", "1.0e+", "1.0e-", "1 000.0", "1_000", "1eE2",
    "1e", "1e+", "2.e+3", "2.e-3", "2.e3", "9.e+", "Inf", "NaN", "Infinity", "-Infinity", "inf",
    "1+2", "0x1", "0x42", "0X1F", "0b1", "0o7", "0e+-1", "-123.123foo", "-foo", "- 1", "-012",
    "-.123", "-1x", "-", "--1", "1ea", "1.", ".123", "012", "00", "01", "1.2a-3",
    "1.8011670033376514H-308", "1f", "1L", "\xEF\xBC\x91", "123\xE5", "1e1\xE5", "0\xE5",
    // objects
    R"(["x", truth])", R"({[: "x"})", R"({"x", null})", R"({"x"::"b"})",
    "{\xF0\x9F\x87\xA8\xF0\x9F\x87\xAD}", R"({"a":"a" 123})", "{key: 'value'}", "{\"\xB9\":\"0\",}",
    R"({"a" b})", R"({:"b"})", R"({"a" "b"})", R"({"a":)", R"({"a")", "{1:1}", "{9999E9999:1}",
    "{null:null,null:null}", R"({"id":0,,,,,})", "{'a':0}", R"({"id":0,})",
    R"({"a":"b","c":"d",,})", R"({"a":"b",,"c":"d"})", R"({a: "b"})", R"({"a":"a)",
    R"({ "foo" : "bar", "a" })", R"({"a":"b"}#)", R"({"a":1 "b":2})", "{,}", R"({"a":1)",
    "{null:1}", R"({"a":})",
    // comments
    "/**/", "//\n1", "/*c*/1", "1//c", "#", R"({"a":"b"}/**/)", R"({"a":"b"}/**//)",
    R"({"a":"b"}//)", R"({"a":"b"}/)", R"({"a":/*comment*/"b"})", "[1,#c\n2]", "<!-- -->",
    // strings and their escapes
    R"(["\uD800\"])", R"(["\uD800\u"])", R"(["\uD800\u1"])", R"(["\uD800\u1x"])", "[\xC3\xA9]",
    std::string("[\"\\\x00\"]", 6), R"(["\x00"])", R"(["\\\"])", "[\"\\\t\"]",
    "[\"\\\xF0\x9F\x8C\x80\"]", R"(["\"])", R"(["\u00A"])", R"(["\uD834\uDd"])",
    R"(["\uD800\uD800\x"])", "[\"\\u\xE5\"]", R"(["\a"])", R"(["\uqqqq"])", "[\"\\\xE5\"]",
    R"([\u0020"asd"])", R"([\n])", R"(")", "['single quote']", "abc", R"(["\)",
    std::string("[\"a\x00"
                "a\"]",
                7),
    "[\"new\nline\"]", "[\"\t\"]", R"("\UA66D")", R"("\U0041")", R"(""x)", R"("\u")", R"("\u00zz")",
    R"("\u{41}")", "'a'", R"("a)", R"("a" "b")", "\"\x01\"", "\"\x1F\"",
    // structure
    "[", "{", "]", "}", "[1]x", "[1]]", R"(["asd])", "a\xC3\xA5", "1]", "1]]", R"({"x": true,)",
    "[][]", "\xEF\xBB{}", "\xE5", std::string("[\x00]", 3), "2@", "{}}", R"({"":)",
    R"({"a": true} "x")", "['", "[,", "[{", R"(["a)", R"(["a")", "{]", "{,", "{[", R"({"a)", "{'a'",
    R"(["\{["\{["\{["\{)", "\xE9", "*", R"({"a":"b"}#{})", "[\xE2\x81\xA0]", R"([\u000A""])", "[1",
    "[ false, nul", "[ true, fals", "[ false, tru", R"({"asd":"asd")", "\xC3\xA5", "\x0C", "[\x0C]",
    "\xE2\x81\xA0",
    "\xC2\xA0"
    "1",
    "<.>", "[<null>]", "<null>", "1 2", "\xEF\xBB\xBF",
    "\xEF\xBB\xBF"
    "1",
    std::string("\x00"
                "1",
                2),
    "1;"};

// The choice made where the standard leaves one.
struct Choice {
  std::string text;
  int code;
};
const std::vector<Choice> kImplementation = {
    // numbers beyond what 64 bits or a double hold are refused, and named, never rounded
    {"1e400", error_code::kInvalidRequest},
    {"-1e+9999", error_code::kInvalidRequest},
    {"1.5e+9999", error_code::kInvalidRequest},
    {"-123123e100000", error_code::kInvalidRequest},
    {"0.4e00669999999999999999999", error_code::kInvalidRequest},
    {"18446744073709551616", error_code::kInvalidRequest},
    {"-9223372036854775809", error_code::kInvalidRequest},
    {"100000000000000000000", error_code::kInvalidRequest},
    {"-237462374673276894279832749832423479823246327846", error_code::kInvalidRequest},
    // underflow is 0, as everywhere
    {"1e-400", 0},
    {"123.456e-789", 0},
    {"123e-10000000", 0},
    {"-1e-400", 0},
    // a lone or inverted surrogate is no character
    {R"("\uD800")", error_code::kParseError},
    {R"("\uDC00\uD800")", error_code::kParseError},
    {R"("\uD800\u0041")", error_code::kParseError},
    {R"("\uDADA")", error_code::kParseError},
    {R"("\uD888\u1234")", error_code::kParseError},
    {R"("\uD800\n")", error_code::kParseError},
    {R"("\uDd1ea")", error_code::kParseError},
    {R"("\uD800\uD800\n")", error_code::kParseError},
    {R"("\ud800abc")", error_code::kParseError},
    {R"("\uDd1e\uD834")", error_code::kParseError},
    {R"("\uDFAA")", error_code::kParseError},
    {R"({"\uDFAA":0})", error_code::kParseError},
    // invalid UTF-8 is no text: bytes that never are, cut, overlong, surrogates, beyond U+10FFFF
    {"\"\xFF\"", error_code::kParseError},
    {"\"\xE9\"", error_code::kParseError},
    {"\"\x80\"", error_code::kParseError},
    {"\"\x81\"", error_code::kParseError},
    {"\"\xE6\x97\xA5\xD1\x88\xFA\"", error_code::kParseError},
    {"\"\xED\xA0\x80\"", error_code::kParseError},
    {"\"\xED\xBF\xBF\"", error_code::kParseError},
    {"\"\xF4\x90\x80\x80\"", error_code::kParseError},
    {"\"\xF4\xBF\xBF\xBF\"", error_code::kParseError},
    {"\"\xC0\x80\"", error_code::kParseError},
    {"\"\xC0\xAF\"", error_code::kParseError},
    {"\"\xE0\x80\xAF\"", error_code::kParseError},
    {"\"\xF0\x80\x80\xAF\"", error_code::kParseError},
    {"\"\xF8\x88\x80\x80\x80\"", error_code::kParseError},
    {"\"\xFC\x83\xBF\xBF\xBF\xBF\"", error_code::kParseError},
    {"\"\xFC\x80\x80\x80\x80\x80\"", error_code::kParseError},
    {"\"\xE0\xFF\"", error_code::kParseError},
    {"\"\xE2\x82\"", error_code::kParseError},
    // UTF-16, with and without its mark
    {std::string("\xFF\xFE\"\x00\xE9\x00\"\x00", 8), error_code::kParseError},
    {std::string("\x00\"\x00"
                 "a\x00\"",
                 6),
     error_code::kParseError},
    {std::string("\"\x00"
                 "a\x00\"\x00",
                 6),
     error_code::kParseError},
    // a key that is there twice is refused: two readers may disagree
    {R"({"a":1,"a":1})", error_code::kInvalidRequest},
    {R"({"a":"b","a":"b"})", error_code::kInvalidRequest},
    {R"({"a":1,"\u0061":2})", error_code::kInvalidRequest},
    {R"({"":0,"":0})", error_code::kInvalidRequest}};

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

  TEST_CASE("the same holds of documents that stand alone") {
    for (const auto& text : kYes) {
      if (text != " ") CHECK_MESSAGE(parse(text).has_value(), text);
    }
    for (const auto& text : kNo) CHECK_MESSAGE(!parse(text).has_value(), text);
    for (const auto& [text, code] : kImplementation) {
      CHECK_MESSAGE(parse(text).has_value() == (code == 0), text);
    }
  }

  TEST_CASE("nesting: 128 levels are read, more are refused, and no depth breaks anything") {
    const auto nested = [](std::size_t depth) {
      return std::string(depth, '[') + std::string(depth, ']');
    };
    CHECK(parse(nested(128)));
    for (const std::size_t depth : {129, 500, 100000}) CHECK_FALSE(parse(nested(depth)));
    CHECK(code_of(nested(500)) == error_code::kInvalidRequest);
    std::string objects;
    for (int i = 0; i < 50000; ++i) objects += R"([{"":)";
    for (const auto& open : {std::string(100000, '['), objects}) {
      CHECK_FALSE(parse(open));
      CHECK(std::holds_alternative<Malformed>(decode(open).messages.at(0)));
    }
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
