#include <doctest/doctest.h>

#include "base/time.h"

using namespace mahavishnu::base;

TEST_SUITE("time") {
  TEST_CASE("a time prints as RFC 3339 with milliseconds") {
    CHECK(to_rfc3339(WallTime{Millis{1700000000123}}) == "2023-11-14T22:13:20.123Z");
  }

  TEST_CASE("what was printed reads back") {
    const WallTime time{Millis{1700000000123}};
    CHECK(parse_rfc3339(to_rfc3339(time)).value() == time);
  }

  TEST_CASE("offsets and fractions of any length are understood") {
    CHECK(parse_rfc3339("2023-11-14T23:13:20+01:00").value() == WallTime{Millis{1700000000000}});
    CHECK(parse_rfc3339("2023-11-14T17:43:20.5-04:30").value() == WallTime{Millis{1700000000500}});
    CHECK(parse_rfc3339("2023-11-14T22:13:20.123456789Z").value() ==
          WallTime{Millis{1700000000123}});
  }

  TEST_CASE("the first and the last time there is a way to write are read") {
    for (const char* text : {"0000-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"}) {
      const auto time = parse_rfc3339(text);
      REQUIRE(time);
      CHECK(to_rfc3339(*time) == text);
    }
  }

  TEST_CASE("what is no time is refused") {
    for (const char* text :
         {"", "yesterday", "2023-11-14", "2023-02-30T00:00:00Z", "2023-11-14T25:00:00Z",
          "2023-11-14T22:13:20", "2023-11-14T22:13:20.Z", "2023-11-14T22:13:20Zx",
          // their years in UTC have no four digits
          "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "9999-12-31T23:59:60Z"}) {
      CAPTURE(text);
      CHECK(!parse_rfc3339(text));
    }
  }
}
