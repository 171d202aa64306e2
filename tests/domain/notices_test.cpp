// When an operator is told, and when not.
#include "domain/notices.h"

#include <doctest/doctest.h>

using namespace mahavishnu::domain;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

using enum NoticeKind;

struct Night {
  explicit Night(NoticeOptions options = {}) : notices(with_all(std::move(options))) {}

  static NoticeOptions with_all(NoticeOptions options) {
    if (options.kinds.empty()) {
      options.kinds = {notice_kinds().begin(), notice_kinds().end()};
    }
    return options;
  }
  void dead(const std::string& pool, const std::string& text = "a task died") {
    notices.happened(TaskDead, pool, text, now);
  }
  void disk(bool full) { notices.holds(DiskFull, "journal", full, "no room", now); }
  void pass(Millis time) {
    now.mono += time;
    now.wall += time;
  }
  std::vector<Notice> told() { return notices.take(now); }

  Notices notices;
  Moment now{WallTime{seconds(1'700'000'000)}, MonoTime{seconds(1000)}};
};

}  // namespace

TEST_SUITE_BEGIN("notices");

TEST_CASE("the first of its kind is told at once, with when and what") {
  Night night;
  const WallTime begun = night.now.wall;
  night.dead("default", "task_1 died");
  night.pass(seconds(5));
  const auto told = night.told();
  REQUIRE(told.size() == 1);
  CHECK(told[0].kind == TaskDead);
  CHECK(told[0].subject == "default");
  CHECK(told[0].text == "task_1 died");
  CHECK(told[0].times == 1);
  CHECK(told[0].since == begun);
  CHECK_FALSE(told[0].over);
  CHECK(night.told().empty());
}

TEST_CASE("more of the same are counted, and told together after the time of repeats") {
  Night night;
  night.dead("default");
  CHECK(night.told().size() == 1);
  for (int i = 0; i < 30; ++i) night.dead("default", "task_" + std::to_string(i));
  night.pass(minutes(59));
  CHECK(night.told().empty());
  CHECK(night.notices.counts().waiting == 1);
  night.pass(minutes(1));
  const auto told = night.told();
  REQUIRE(told.size() == 1);
  CHECK(told[0].times == 30);
  CHECK(told[0].text == "task_29");
}

TEST_CASE("another subject is other news") {
  Night night;
  night.dead("default");
  CHECK(night.told().size() == 1);
  night.dead("gpu");
  REQUIRE(night.told().size() == 1);
}

TEST_CASE("what waits goes out in one bundle") {
  Night night;
  night.dead("default");
  night.dead("gpu");
  night.disk(true);
  CHECK(night.told().size() == 3);
  CHECK(night.notices.counts().bundles == 1);
}

TEST_CASE("what holds is told when it begins and when it ends, and not in between") {
  Night night;
  night.disk(false);
  CHECK(night.told().empty());
  night.disk(true);
  CHECK(night.told().size() == 1);
  CHECK(night.notices.holding(DiskFull) == std::vector<std::string>{"journal"});
  night.pass(minutes(600));
  night.disk(true);
  CHECK(night.told().empty());
  night.disk(false);
  const auto told = night.told();
  REQUIRE(told.size() == 1);
  CHECK(told[0].over);
  CHECK(night.notices.holding(DiskFull).empty());
  CHECK(night.told().empty());
}

TEST_CASE("what comes and goes is told again only after the time of repeats") {
  Night night;
  night.disk(true);
  CHECK(night.told().size() == 1);
  night.disk(false);
  CHECK(night.told().size() == 1);
  for (int i = 0; i < 10; ++i) {
    night.pass(minutes(1));
    night.disk(true);
    CHECK(night.told().empty());
    night.pass(minutes(1));
    night.disk(false);
    CHECK(night.told().empty());
  }
  night.disk(true);
  night.pass(minutes(40));
  const auto told = night.told();
  REQUIRE(told.size() == 1);
  CHECK(told[0].times == 11);
  CHECK_FALSE(told[0].over);
}

TEST_CASE("beyond the limit of an hour news wait for the next bundle, and none is lost") {
  NoticeOptions options;
  options.max_per_hour = 6;
  options.burst = 2;
  Night night(options);
  std::size_t told = 0;
  for (int i = 0; i < 60; ++i) {
    night.dead("pool" + std::to_string(i));
    told += night.told().size();
    night.pass(minutes(1));
  }
  CHECK(night.notices.counts().bundles <= 8);
  night.pass(minutes(10));
  told += night.told().size();
  CHECK(told == 60);
}

TEST_CASE("kinds that are not asked for are not told") {
  NoticeOptions options;
  options.kinds = {DiskFull};
  Night night(options);
  night.dead("default");
  CHECK(night.told().empty());
  night.disk(true);
  CHECK(night.told().size() == 1);
  CHECK(night.notices.counts().news == 1);
}

TEST_CASE("a flood of subjects is bounded: what has no room is counted together") {
  NoticeOptions options;
  options.max_subjects = 10;
  Night night(options);
  for (int i = 0; i < 10'000; ++i) night.dead("pool" + std::to_string(i));
  const auto told = night.told();
  CHECK(told.size() == 11);
  std::uint64_t times = 0;
  for (const auto& notice : told) times += notice.times;
  CHECK(times == 10'000);
}

TEST_CASE("a subject is forgotten after its time") {
  NoticeOptions options;
  options.max_subjects = 1;
  Night night(options);
  night.dead("one");
  CHECK(night.told().size() == 1);
  night.pass(minutes(61));
  CHECK(night.told().empty());
  night.dead("two");
  const auto told = night.told();
  REQUIRE(told.size() == 1);
  CHECK(told[0].subject == "two");
}

TEST_CASE("every kind has a name, which is read again") {
  for (const NoticeKind kind : notice_kinds()) CHECK(parse_notice_kind(to_string(kind)) == kind);
  CHECK_FALSE(parse_notice_kind("everything"));
}

TEST_SUITE_END();
