#include "domain/bus_topics.h"

#include <doctest/doctest.h>

namespace mahavishnu::domain {

TEST_SUITE("topics") {
  TEST_CASE("a topic is words between dots") {
    for (const char* good : {"a", "builds.api.done", "repo.caf\xc3\xa9", "a%2Eb", "x-1_2"}) {
      CHECK_MESSAGE(check_topic(good).has_value(), good);
    }
    for (const char* bad : {"", ".", "a.", ".a", "a..b", "a b", "a.*", "#", "a\tb", "a\x7f"}) {
      const auto refused = check_topic(bad);
      REQUIRE_MESSAGE(!refused.has_value(), bad);
      CHECK(refused.error().code == base::ErrorCode::InvalidArgument);
    }
    CHECK(check_topic(std::string(256, 'a')).has_value());
    CHECK_FALSE(check_topic(std::string(257, 'a')).has_value());
  }

  TEST_CASE("a pattern is a topic in which words are * and the last one may be #") {
    for (const char* good : {"a", "*", "#", "a.*.b", "a.#", "*.*"}) {
      CHECK_MESSAGE(check_pattern(good).has_value(), good);
    }
    for (const char* bad : {"", "a.", "#.a", "a*", "a.b#", "**", "a..#"}) {
      CHECK_MESSAGE(!check_pattern(bad).has_value(), bad);
    }
  }

  TEST_CASE("* stands for one word, # for all that follow") {
    CHECK(matches("a.b", "a.b"));
    CHECK(matches("a.*", "a.b"));
    CHECK(matches("*.b", "a.b"));
    CHECK(matches("#", "a.b.c"));
    CHECK(matches("a.#", "a"));
    CHECK(matches("a.#", "a.b.c"));
    CHECK(matches("a.*.#", "a.b"));
    CHECK_FALSE(matches("a.b", "a.b.c"));
    CHECK_FALSE(matches("a.b.c", "a.b"));
    CHECK_FALSE(matches("a.*", "a"));
    CHECK_FALSE(matches("a.*", "a.b.c"));
    CHECK_FALSE(matches("a.#", "b.a"));
    CHECK_FALSE(matches("a.b", "a.bc"));
  }

  TEST_CASE("whether a pattern can meet events is told by its first word") {
    CHECK(may_meet_events("event.task.*"));
    CHECK(may_meet_events("#"));
    CHECK(may_meet_events("*.task.failed"));
    CHECK_FALSE(may_meet_events("events.task"));
    CHECK_FALSE(may_meet_events("repo.event"));
  }

  TEST_CASE("a repository's name is one word of its inbox, whatever it holds") {
    CHECK(inbox_of("api") == "repo.api");
    CHECK(inbox_of("my.site") == "repo.my%2Esite");
    CHECK(inbox_of("a*# %") == "repo.a%2A%23%20%25");
    CHECK(check_topic(inbox_of("a .*#\n\x7f%")).has_value());
    CHECK(inbox_of("a.b") != inbox_of("a%2Eb"));
  }
}

}  // namespace mahavishnu::domain
