#include <doctest/doctest.h>

#include <set>

#include "base/ids.h"

using namespace mahavishnu::base;

TEST_SUITE("ids") {
  TEST_CASE("an id prints with its kind and reads back") {
    UlidSource source(1);
    const TaskId id{source.next(WallTime{Millis{1700000000000}})};
    CHECK(id.str().starts_with("task_"));
    CHECK(id.str().size() == 31);
    CHECK(TaskId::parse(id.str()).value() == id);
  }

  TEST_CASE("an id of another kind is refused and says what was expected") {
    UlidSource source(1);
    const TaskId id{source.next(WallTime{Millis{1}})};
    const auto parsed = PoolId::parse(id.str());
    REQUIRE(!parsed);
    CHECK(parsed.error().message.find("pool_") != std::string::npos);
  }

  TEST_CASE("a text that is too short, too large or of other letters is no id") {
    CHECK(!TaskId::parse("task_"));
    CHECK(!TaskId::parse("task_8ZZZZZZZZZZZZZZZZZZZZZZZZZ"));  // more than 128 bits
    CHECK(!TaskId::parse("task_01HF7YAT00UUUUUUUUUUUUUUUU"));  // U is no digit
    CHECK(!TaskId::parse(""));
  }

  TEST_CASE("lower case is accepted") {
    CHECK(parse_ulid("01hf7yat00abcdefghjkmnpqrs").value() ==
          parse_ulid("01HF7YAT00ABCDEFGHJKMNPQRS").value());
  }

  TEST_CASE("ids of one source grow, even within a millisecond and when the clock steps back") {
    UlidSource source(2);
    Ulid last = source.next(WallTime{Millis{1000}});
    for (int i = 0; i < 1000; ++i) {
      const Ulid next = source.next(WallTime{Millis{i % 2 == 0 ? 1000 : 900}});
      CHECK(last < next);
      last = next;
    }
  }

  TEST_CASE("two sources give different ids") {
    UlidSource one, other;
    CHECK(one.next(WallTime{Millis{5}}) != other.next(WallTime{Millis{5}}));
  }
}
