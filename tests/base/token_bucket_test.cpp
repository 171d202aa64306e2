#include "base/token_bucket.h"

#include <doctest/doctest.h>

using namespace mahavishnu::base;

namespace {

MonoTime at(int milliseconds) { return MonoTime{} + Millis(1000000 + milliseconds); }

}  // namespace

TEST_SUITE("TokenBucket") {
  TEST_CASE("a burst comes in at once, then as many as the rate") {
    TokenBucket bucket({2, 3});
    for (int i = 0; i < 3; ++i) CHECK(bucket.take(at(0)) == Millis(0));
    CHECK(bucket.take(at(0)) == Millis(500));
    CHECK(bucket.take(at(400)) == Millis(100));
    CHECK(bucket.take(at(500)) == Millis(0));
    CHECK(bucket.take(at(500)) == Millis(500));
  }

  TEST_CASE("it never holds more than its burst, however long it rests") {
    TokenBucket bucket({10, 2});
    CHECK(bucket.take(at(0)) == Millis(0));
    CHECK(bucket.take(at(3600000)) == Millis(0));
    CHECK(bucket.take(at(3600000)) == Millis(0));
    CHECK(bucket.take(at(3600000)) == Millis(100));
  }

  TEST_CASE("a refusal costs nothing: who waits as told comes in") {
    TokenBucket bucket({0.5, 1});
    CHECK(bucket.take(at(0)) == Millis(0));
    for (int i = 0; i < 100; ++i) CHECK(bucket.take(at(1)) == Millis(1999));
    CHECK(bucket.take(at(2000)) == Millis(0));
  }

  TEST_CASE("a time that goes back gains nothing") {
    TokenBucket bucket({1, 1});
    CHECK(bucket.take(at(5000)) == Millis(0));
    CHECK(bucket.take(at(0)) == Millis(1000));
    CHECK(bucket.take(at(5000)) == Millis(1000));
  }

  TEST_CASE("no rate is no limit, and a burst below one is one") {
    TokenBucket open({0, 0});
    for (int i = 0; i < 1000; ++i) CHECK(open.take(at(0)) == Millis(0));
    TokenBucket narrow({1000, 0});
    CHECK(narrow.take(at(0)) == Millis(0));
    CHECK(narrow.take(at(0)) == Millis(1));
  }
}
