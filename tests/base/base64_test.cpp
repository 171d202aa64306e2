#include "base/base64.h"

#include <doctest/doctest.h>

using namespace mahavishnu;

TEST_SUITE("base64") {
  TEST_CASE("what is encoded decodes to itself") {
    std::string bytes;
    for (int length = 0; length < 70; ++length) {
      CHECK(base::decode_base64(base::encode_base64(bytes)) == bytes);
      bytes += static_cast<char>(length * 37);
    }
    CHECK(base::encode_base64("Hello") == "SGVsbG8=");
  }

  TEST_CASE("strictly") {
    for (const char* text : {"SGVsbG8", "SGVs!!!bG8=", "SGVsbG9=", "====", "A===", "SGVsbG8=\n"}) {
      CAPTURE(text);
      CHECK_FALSE(base::decode_base64(text));
    }
  }

  TEST_CASE("for URLs: other letters, no padding") {
    CHECK(base::encode_base64("\xFB\xFF\xFE") == "+//+");
    CHECK(base::encode_base64url("\xFB\xFF\xFE") == "-__-");
    CHECK(base::encode_base64url("Hello") == "SGVsbG8");
    CHECK(base::encode_base64url("") == "");
  }
}
