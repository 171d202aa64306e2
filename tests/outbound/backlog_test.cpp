// Which memory is sent next.
#include "outbound/backlog.h"

#include <doctest/doctest.h>

using namespace mahavishnu;
using base::Millis;
using base::MonoTime;
using domain::OutboxItem;
using domain::OutboxOutcome;
using outbound::Backlog;
using outbound::BacklogLimits;

namespace {

constexpr MonoTime kNow{std::chrono::seconds(1000)};

std::vector<OutboxItem> items(std::int64_t first, std::int64_t last) {
  std::vector<OutboxItem> made;
  for (auto seq = first; seq <= last; ++seq) made.push_back({seq, 0, {}});
  return made;
}

BacklogLimits limits() {
  BacklogLimits limits;
  limits.page = 3;
  limits.max_tries = 3;
  limits.backoff = Millis(1000);
  limits.longest = Millis(3000);
  return limits;
}

struct Desk {
  Backlog backlog{limits()};
  MonoTime now = kNow;

  explicit Desk(std::int64_t count = 3) {
    if (count > 0) backlog.page(items(1, count));
    backlog.page({});
  }
  std::int64_t take() { return backlog.take(now).seq; }
  // Takes the same item again after its pause.
  std::int64_t retake() {
    now = *backlog.next_due();
    return take();
  }
};

}  // namespace

TEST_SUITE("backlog") {
  TEST_CASE("items are sent in the order of the outbox") {
    Desk desk;
    CHECK(desk.take() == 1);
    CHECK(desk.take() == 2);
    CHECK(desk.take() == 3);
    CHECK_FALSE(desk.backlog.has_next(desk.now));
  }

  TEST_CASE("pages are read while few are left, up to an empty one") {
    Backlog backlog(limits());
    CHECK(backlog.wants_page());
    backlog.page(items(1, 3));
    CHECK_FALSE(backlog.wants_page());
    CHECK(backlog.cursor() == 3);
    backlog.take(kNow);
    CHECK(backlog.wants_page());
    backlog.page({});
    CHECK_FALSE(backlog.wants_page());
    backlog.grew();
    CHECK(backlog.wants_page());
  }

  TEST_CASE("what was refused is tried again later and later, and dies after so many tries") {
    Desk desk(1);
    const auto seq = desk.take();
    auto outcome = desk.backlog.refused(seq, "no", desk.now, 1);
    CHECK(outcome.kind == OutboxOutcome::Kind::Tried);
    CHECK(outcome.tries == 1);
    CHECK(outcome.error == "no");
    CHECK(*desk.backlog.next_due() == desk.now + Millis(1000));
    CHECK_FALSE(desk.backlog.has_next(desk.now));
    CHECK(desk.retake() == seq);
    outcome = desk.backlog.refused(seq, "no", desk.now, 1);
    CHECK(*desk.backlog.next_due() == desk.now + Millis(2000));
    CHECK(desk.retake() == seq);
    outcome = desk.backlog.refused(seq, "no", desk.now, 1);
    CHECK(outcome.kind == OutboxOutcome::Kind::Dead);
    CHECK(desk.backlog.empty());
  }

  TEST_CASE("half of a pause is by chance") {
    Desk desk(1);
    desk.backlog.refused(desk.take(), "no", desk.now, 0);
    CHECK(*desk.backlog.next_due() == desk.now + Millis(500));
  }

  TEST_CASE("a server that takes nothing costs no item a try, however long") {
    Desk desk(1);
    for (int i = 0; i < 20; ++i) {
      const auto seq = i == 0 ? desk.take() : desk.retake();
      CHECK_FALSE(desk.backlog.broke(seq, "down", desk.now, 1).has_value());
      CHECK(*desk.backlog.next_due() <= desk.now + Millis(3000));
    }
  }

  TEST_CASE("an item on which the server breaks while it takes others dies") {
    Desk desk(6);
    const auto poison = desk.take();
    for (int i = 0; i < 2; ++i) {
      desk.backlog.accepted(desk.take());
      const auto outcome = desk.backlog.broke(poison, "closed", desk.now, 1);
      REQUIRE(outcome.has_value());
      CHECK(outcome->kind == OutboxOutcome::Kind::Tried);
      CHECK(desk.retake() == poison);
    }
    desk.backlog.accepted(desk.take());
    CHECK(desk.backlog.broke(poison, "closed", desk.now, 1)->kind == OutboxOutcome::Kind::Dead);
  }

  TEST_CASE("tries of a former life count") {
    Backlog backlog(limits());
    backlog.page({{7, 2, {}}});
    backlog.take(kNow);
    CHECK(backlog.refused(7, "no", kNow, 1).kind == OutboxOutcome::Kind::Dead);
  }

  TEST_CASE("what is due again goes before what is new, and is to be read again") {
    Desk desk;
    desk.backlog.again(desk.take(), desk.now);
    const auto next = desk.backlog.take(desk.now);
    CHECK(next.seq == 1);
    CHECK_FALSE(next.item.has_value());
    CHECK(desk.backlog.repeats(1) == 1);
    CHECK(desk.backlog.take(desk.now).item.has_value());
  }

  TEST_CASE("all that wait can be made due at once") {
    Desk desk(1);
    desk.backlog.refused(desk.take(), "no", desk.now, 1);
    desk.backlog.hurry(desk.now);
    CHECK(desk.backlog.has_next(desk.now));
  }

  TEST_CASE("reading all again brings only what is not known") {
    Desk desk(4);
    const auto sent = desk.take();  // accepted, and not written yet
    const auto under_way = desk.take();
    const auto refused = desk.take();
    desk.backlog.accepted(sent);
    desk.backlog.refused(refused, "no", desk.now, 1);
    desk.backlog.rewind();
    CHECK(desk.backlog.cursor() == 0);
    desk.backlog.page(items(1, 5));
    CHECK(desk.take() == 4);
    CHECK(desk.take() == 5);
    CHECK_FALSE(desk.backlog.has_next(desk.now));
    desk.backlog.gone(under_way);
    desk.backlog.settled(sent);
    desk.backlog.rewind();
    desk.backlog.page(items(1, 3));
    CHECK(desk.take() == 1);
  }

  TEST_CASE("too many that wait to be tried again stop the reading, so that it is bounded") {
    auto few = limits();
    few.most_waiting = 2;
    Backlog backlog(few);
    backlog.page(items(1, 2));
    for (int i = 0; i < 2; ++i) backlog.refused(backlog.take(kNow).seq, "no", kNow, 1);
    CHECK_FALSE(backlog.wants_page());
  }

  TEST_CASE("it is empty when all is read, sent and judged") {
    Desk desk(1);
    CHECK_FALSE(desk.backlog.empty());
    const auto seq = desk.take();
    CHECK_FALSE(desk.backlog.empty());
    desk.backlog.accepted(seq);
    CHECK(desk.backlog.empty());
    desk.backlog.grew();
    CHECK_FALSE(desk.backlog.empty());
  }
}
