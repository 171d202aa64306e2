#include "outbound/bulk_backlog.h"

#include <doctest/doctest.h>

using namespace mahavishnu;
using base::Millis;
using base::MonoTime;
using outbound::BulkBacklog;
using outbound::BulkItem;
using outbound::BulkLimits;
using outbound::ItemOutcome;
using ItemKind = ItemOutcome::Kind;

namespace {

constexpr MonoTime kStart{std::chrono::hours(1)};

BulkLimits small() {
  BulkLimits limits;
  limits.rows = 4;
  limits.bytes = 100;
  limits.most_bulks = 2;
  limits.max_tries = 3;
  return limits;
}

// Documents of ten bytes from `first` on.
std::vector<BulkItem> items(std::int64_t first, int count, std::size_t bytes = 10) {
  std::vector<BulkItem> made;
  for (int i = 0; i < count; ++i) {
    BulkItem item;
    item.seq = first + i;
    item.lines = std::string(bytes, 'x');
    made.push_back(std::move(item));
  }
  return made;
}

std::vector<std::int64_t> seqs(const BulkBacklog::Bulk& bulk) {
  std::vector<std::int64_t> all;
  for (const auto& item : bulk) all.push_back(item.seq);
  return all;
}

std::vector<ItemOutcome> outcomes(std::initializer_list<ItemKind> kinds) {
  std::vector<ItemOutcome> all;
  for (const ItemKind kind : kinds) all.push_back({kind, ""});
  return all;
}

using Seqs = std::vector<std::int64_t>;

}  // namespace

TEST_SUITE("bulk backlog") {
  TEST_CASE("bulks are as long as they may be, in the order of the history") {
    BulkBacklog backlog(small());
    backlog.begin(6);
    CHECK(backlog.cursor() == 6);
    backlog.page(items(7, 6), 12, false);
    CHECK(seqs(backlog.take(kStart)) == Seqs{7, 8, 9, 10});
    CHECK(seqs(backlog.take(kStart)) == Seqs{11, 12});
    CHECK_FALSE(backlog.has_next(kStart));
  }

  TEST_CASE("bytes end a bulk as well, and the longest goes alone") {
    BulkBacklog backlog(small());
    backlog.page(items(1, 3, 40), 3, true);
    backlog.page(items(4, 1, 500), 4, false);
    CHECK(seqs(backlog.take(kStart)) == Seqs{1, 2});
    CHECK(seqs(backlog.take(kStart)) == Seqs{3});
    CHECK(seqs(backlog.take(kStart)) == Seqs{4});
  }

  TEST_CASE("the place moves with the oldest that is not dealt with") {
    BulkBacklog backlog(small());
    backlog.page(items(1, 8), 8, false);
    const auto first = backlog.take(kStart);
    const auto second = backlog.take(kStart);
    CHECK(backlog.sent() == 0);
    backlog.answered(
        second,
        outcomes({ItemKind::Indexed, ItemKind::Indexed, ItemKind::Known, ItemKind::Indexed}),
        kStart, 0);
    CHECK(backlog.sent() == 0);
    backlog.answered(
        first, outcomes({ItemKind::Indexed, ItemKind::Indexed, ItemKind::Busy, ItemKind::Indexed}),
        kStart, 0);
    CHECK(backlog.sent() == 2);
    CHECK(backlog.open() == 1);
  }

  TEST_CASE("rows that were lost move the place too") {
    BulkBacklog backlog(small());
    backlog.page({}, 40, false);
    CHECK(backlog.sent() == 40);
  }

  TEST_CASE("of an answer only what failed is sent again, later and later") {
    BulkBacklog backlog(small());
    backlog.page(items(1, 4), 4, false);
    auto counts = backlog.answered(
        backlog.take(kStart),
        outcomes({ItemKind::Indexed, ItemKind::Busy, ItemKind::Known, ItemKind::Rejected}), kStart,
        1);
    CHECK(counts.indexed == 1);
    CHECK(counts.known == 1);
    CHECK(counts.again == 1);
    CHECK(counts.rejected == 1);
    CHECK_FALSE(backlog.has_next(kStart + Millis(999)));
    CHECK(backlog.next_due() == kStart + Millis(1000));
    const auto again = backlog.take(kStart + Millis(1000));
    CHECK(seqs(again) == Seqs{2});
    backlog.answered(again, outcomes({ItemKind::Busy}), kStart, 1);
    CHECK(backlog.next_due() == kStart + Millis(2000));
    CHECK(seqs(backlog.take(kStart + Millis(2000))) == Seqs{2});
  }

  TEST_CASE("what is due again goes first, with new ones behind it") {
    BulkBacklog backlog(small());
    backlog.page(items(1, 2), 2, true);
    backlog.again(backlog.take(kStart), kStart);
    backlog.page(items(3, 4), 6, false);
    CHECK(seqs(backlog.take(kStart)) == Seqs{1, 2, 3, 4});
  }

  TEST_CASE("a document the server breaks on while it takes others is rejected in the end") {
    BulkBacklog backlog(small());
    backlog.page(items(1, 2), 2, false);
    auto now = kStart;
    auto counts = backlog.answered(backlog.take(now),
                                   outcomes({ItemKind::Broken, ItemKind::Indexed}), now, 0);
    for (std::int64_t seq = 3; seq <= 4; ++seq) {
      CHECK(counts.rejected == 0);
      backlog.page(items(seq, 1), seq, false);
      now += Millis(60'000);
      const auto bulk = backlog.take(now);
      REQUIRE(seqs(bulk) == Seqs{1, seq});
      counts = backlog.answered(bulk, outcomes({ItemKind::Broken, ItemKind::Indexed}), now, 0);
    }
    CHECK(counts.rejected == 1);
    CHECK(backlog.sent() == 4);
  }

  TEST_CASE("a server that takes nothing costs no document a try") {
    BulkBacklog backlog(small());
    backlog.page(items(1, 1), 1, false);
    auto now = kStart;
    for (int i = 0; i < 20; ++i) {
      now += Millis(60'000);
      const auto counts = backlog.answered(backlog.take(now), outcomes({ItemKind::Broken}), now, 1);
      REQUIRE(counts.again == 1);
    }
    CHECK(*backlog.next_due() - now == Millis(60'000));
  }

  TEST_CASE("too long a bulk is sent as two, and later ones are no longer than that") {
    BulkBacklog backlog(small());
    backlog.page(items(1, 4), 4, true);
    backlog.too_large(backlog.take(kStart), kStart);
    CHECK(seqs(backlog.take(kStart)) == Seqs{1, 2});
    CHECK(seqs(backlog.take(kStart)) == Seqs{3, 4});
    backlog.page(items(5, 4), 8, false);
    CHECK(seqs(backlog.take(kStart)) == Seqs{5, 6});
  }

  TEST_CASE("a document that is too long by itself is rejected") {
    BulkBacklog backlog(small());
    backlog.page(items(1, 1), 1, false);
    CHECK(backlog.too_large(backlog.take(kStart), kStart).rejected == 1);
    CHECK(backlog.sent() == 1);
    CHECK_FALSE(backlog.has_next(kStart));
  }

  TEST_CASE("nothing is read while a bulk is full, or too much is not dealt with") {
    BulkBacklog backlog(small());
    CHECK(backlog.wants_page());
    backlog.page(items(1, 4), 4, true);
    CHECK_FALSE(backlog.wants_page());
    const auto first = backlog.take(kStart);
    CHECK(backlog.wants_page());
    backlog.page(items(5, 4), 8, true);
    backlog.take(kStart);
    CHECK_FALSE(backlog.wants_page());  // eight, which is two bulks
    backlog.answered(first,
                     outcomes({ItemKind::Indexed, ItemKind::Busy, ItemKind::Busy, ItemKind::Busy}),
                     kStart, 0);
    CHECK(backlog.wants_page());
    backlog.page(items(9, 1, 200), 9, true);
    CHECK_FALSE(backlog.wants_page());  // two hundred bytes
  }

  TEST_CASE("with all read nothing more is asked for, until there is news") {
    BulkBacklog backlog(small());
    backlog.page({}, 0, false);
    CHECK_FALSE(backlog.wants_page());
    backlog.grew();
    CHECK(backlog.wants_page());
  }
}
