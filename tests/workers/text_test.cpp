#include "workers/text.h"

#include <doctest/doctest.h>

using namespace mahavishnu::workers;

TEST_SUITE("text") {
  TEST_CASE("valid text stays as it is") {
    CHECK(valid_text("a\n\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80") ==
          "a\n\xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80");
  }

  TEST_CASE("what is no character becomes one replacement a byte, and so does NUL") {
    const std::string r = "\xEF\xBF\xBD";
    CHECK(valid_text("a\xFFz") == "a" + r + "z");
    CHECK(valid_text(std::string_view("a\0z", 3)) == "a" + r + "z");
    CHECK(valid_text("\xC0\xAF") == r + r);          // overlong
    CHECK(valid_text("\xED\xA0\x80") == r + r + r);  // surrogate
    CHECK(valid_text("\xF4\x90\x80\x80") == r + r + r + r);
    CHECK(valid_text("\xE2\x82") == r + r);
    CHECK(valid_text("\xE2\x82x") == r + r + "x");
  }

  TEST_CASE("the unfinished character at the end is found") {
    CHECK(unfinished("abc") == 0);
    CHECK(unfinished("abc\xE2\x82") == 2);
    CHECK(unfinished("abc\xF0\x9F\x98") == 3);
    CHECK(unfinished("\xE2\x82\xAC") == 0);
    CHECK(unfinished("abc\xFF") == 0);
    CHECK(unfinished("") == 0);
  }

  TEST_CASE("the last part is cut between characters and fits its limit") {
    CHECK(last_valid_text("\xE2\x82\xAC\xE2\x82\xAC", 4) == "\xE2\x82\xAC");
    CHECK(last_valid_text(std::string(10, '\xFF'), 7).size() <= 7);
    CHECK(last_valid_text("abc", 2) == "bc");
  }
}
