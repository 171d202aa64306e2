// What the audit writes is what is found of it, in the order of the commits it belongs to.
#include <doctest/doctest.h>

#include "domain/audit.h"
#include "journal/database.h"
#include "journal/world.h"

namespace mahavishnu::test {
namespace {

using domain::AuditChange;
using domain::AuditDecision;
using domain::AuditFilter;
using domain::AuditRow;

AuditRow row(std::uint64_t seq, const std::string& caller = "ci",
             const std::string& tool = "task_submit") {
  AuditRow made;
  made.seq = seq;
  made.time = at(static_cast<std::int64_t>(seq));
  made.caller = caller;
  made.tool = tool;
  made.arguments = std::string(64, 'a');
  return made;
}

AuditChange rows(std::vector<AuditRow> all) {
  AuditChange change;
  change.rows = std::move(all);
  return change;
}

Status write(World& world, AuditChange change) {
  std::optional<Status> answer;
  world.journal().audit().append(std::move(change),
                                 [&answer](Status status) { answer = std::move(status); });
  world.run_until([&answer] { return answer.has_value(); });
  return std::move(*answer);
}

Result<Listing<AuditRow>> find(World& world, AuditFilter filter = {}, Page page = {}) {
  std::optional<Result<Listing<AuditRow>>> found;
  world.journal().audit().find(std::move(filter), std::move(page),
                               [&found](auto listing) { found = std::move(listing); });
  world.run_until([&found] { return found.has_value(); });
  return std::move(*found);
}

std::vector<std::uint64_t> seqs(const Listing<AuditRow>& listing) {
  std::vector<std::uint64_t> all;
  for (const auto& one : listing.items) all.push_back(one.seq);
  return all;
}

using Seqs = std::vector<std::uint64_t>;

journal::JournalOptions in(const TempDirectory& directory) {
  journal::JournalOptions options;
  options.directory = directory.path();
  return options;
}

}  // namespace

TEST_SUITE("audit") {
  TEST_CASE("a row is completed by its end, and the next run goes on after it") {
    TempDirectory directory;
    {
      World world(in(directory));
      CHECK(world.journal().audit().newest().value() == 0);
      REQUIRE(write(world, rows({row(1), row(2)})));
      AuditChange end;
      end.ends.push_back({1, "ok", "task_x"});
      REQUIRE(write(world, std::move(end)));
    }
    World world(in(directory));
    CHECK(world.journal().audit().newest().value() == 2);
    const auto found = find(world).value();
    REQUIRE(seqs(found) == Seqs{2, 1});
    CHECK(found.items[0].outcome.empty());
    CHECK(found.items[1].outcome == "ok");
    CHECK(found.items[1].made == "task_x");
    CHECK(found.items[1].caller == "ci");
    CHECK(found.items[1].arguments == std::string(64, 'a'));
    CHECK(found.items[1].time == at(1));
  }

  TEST_CASE("what nobody waits for is there when a later commit is") {
    TempDirectory directory;
    World world(in(directory));
    Ids ids;
    world.journal().audit().append(rows({row(1)}), {});
    REQUIRE(world.commit({domain::TaskAdmitted{queued_task(ids)}}));
    auto file =
        journal::Database::open(directory.path() / "journal.db", journal::Database::Mode::ReadOnly);
    REQUIRE(file);
    CHECK(file->integer("SELECT count(*) FROM audit").value() == 1);
    CHECK(world.journal().stats().transactions == 1);
  }

  TEST_CASE("what nobody waits for is written without another commit, too, and at the end") {
    TempDirectory directory;
    {
      World world(in(directory));
      world.journal().audit().append(rows({row(1)}), {});
      while (find(world).value().items.empty()) {
      }
      world.journal().audit().append(rows({row(2)}), {});
    }
    World world(in(directory));
    CHECK(seqs(find(world).value()) == Seqs{2, 1});
  }

  TEST_CASE("an end that comes before its row is written goes with it; one of before goes alone") {
    TempDirectory directory;
    World world(in(directory));
    REQUIRE(write(world, rows({row(1)})));
    AuditChange ends;
    ends.ends.push_back({1, "ok", "task_1"});
    ends.ends.push_back({2, "invalid_argument", ""});
    world.journal().audit().append(rows({row(2), row(3)}), {});
    world.journal().audit().append(std::move(ends), {});
    REQUIRE(write(world, rows({row(4)})));
    const auto found = find(world).value();
    REQUIRE(seqs(found) == Seqs{4, 3, 2, 1});
    CHECK(found.items[1].outcome.empty());
    CHECK(found.items[2].outcome == "invalid_argument");
    CHECK(found.items[3].outcome == "ok");
    CHECK(found.items[3].made == "task_1");
  }

  TEST_CASE("filters and pages") {
    TempDirectory directory;
    World world(in(directory));
    std::vector<AuditRow> all;
    for (std::uint64_t seq = 1; seq <= 9; ++seq) {
      all.push_back(row(seq, seq % 3 == 0 ? "web" : "ci", seq % 2 == 0 ? "pool_close" : "explain"));
      if (seq == 4) all.back().decision = AuditDecision::Denied;
    }
    REQUIRE(write(world, rows(std::move(all))));
    AuditFilter filter;
    filter.caller = "web";
    CHECK(seqs(find(world, filter).value()) == Seqs{9, 6, 3});
    filter.tool = "pool_close";
    CHECK(seqs(find(world, filter).value()) == Seqs{6});
    filter = {};
    filter.decision = AuditDecision::Denied;
    CHECK(seqs(find(world, filter).value()) == Seqs{4});
    filter = {};
    filter.since = at(3);
    filter.until = at(5);
    CHECK(seqs(find(world, filter).value()) == Seqs{5, 4, 3});
    Seqs paged;
    Page page{4, ""};
    do {
      auto listing = find(world, {}, page).value();
      for (const auto seq : seqs(listing)) paged.push_back(seq);
      page.cursor = listing.next_cursor;
    } while (!page.cursor.empty());
    CHECK(paged == Seqs{9, 8, 7, 6, 5, 4, 3, 2, 1});
    for (const char* cursor : {"x", "a", "a-1", "a1x", "9"}) {
      CHECK(find(world, {}, Page{4, cursor}).error().code == base::ErrorCode::InvalidArgument);
    }
  }

  TEST_CASE("rows leave by number and by age, the oldest first, the newest never") {
    TempDirectory directory;
    World world(in(directory));
    std::vector<AuditRow> all;
    for (std::uint64_t seq = 1; seq <= 10; ++seq) all.push_back(row(seq));
    REQUIRE(write(world, rows(std::move(all))));
    const auto keep = [&world](domain::AuditLimits limits) {
      AuditChange change;
      change.limits = limits;
      REQUIRE(write(world, std::move(change)));
      return seqs(find(world).value());
    };
    CHECK(keep({base::WallTime{}, 4}) == Seqs{10, 9, 8, 7});
    CHECK(keep({at(9), 4}) == Seqs{10, 9});
    CHECK(keep({at(100), 4}) == Seqs{10});
  }
}

}  // namespace mahavishnu::test
