// The history as it is sent elsewhere: each row once, in order, and what was lost on the way.
#include "journal/history_feed.h"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <optional>

#include "journal/schema.h"
#include "journal/world.h"

namespace mahavishnu::test {
namespace {

using domain::FeedPage;
using domain::LogEntry;
using journal::Database;
using journal::EventLog;
using journal::HistoryFeed;

constexpr std::size_t kAnyBytes = 1U << 30U;

// events.db with what writes and what reads it.
struct History {
  explicit History(const TempDirectory& directory, EventLog::Options options = limits()) {
    auto database = journal::open_migrated(directory.path(), journal::kEventsSchema, "NORMAL");
    REQUIRE(database);
    auto opened = EventLog::open(std::move(*database), std::nullopt, std::move(options));
    REQUIRE(opened);
    log = std::move(*opened);
    auto redactor = base::Redactor::make();
    REQUIRE(redactor);
    feed.emplace(directory.path() / "events.db", std::move(*redactor), *log);
  }

  static EventLog::Options limits() {
    EventLog::Options options;
    options.now = [] { return at(0); };
    return options;
  }

  // On disk when it returns.
  void add(int count, const std::string& text = "done") {
    LogEntry entry{at(1), "task_running"};
    entry.text = text;
    log->add(std::vector<LogEntry>(static_cast<std::size_t>(count), entry));
    settle();
  }
  void settle() {
    std::promise<void> done;
    log->written([&done] { done.set_value(); });
    done.get_future().wait();
  }
  FeedPage next(std::int64_t after, int limit = 1000, std::size_t bytes = kAnyBytes) {
    auto page = feed->next(after, limit, bytes);
    REQUIRE(page);
    return std::move(*page);
  }
  std::int64_t place() {
    auto place = feed->place();
    REQUIRE(place);
    return place->sent;
  }

  std::unique_ptr<EventLog> log;
  std::optional<HistoryFeed> feed;
};

}  // namespace

TEST_SUITE("HistoryFeed") {
  TEST_CASE("rows come in their order, page by page, and after the last nothing") {
    TempDirectory directory;
    History history(directory);
    history.add(5);
    auto page = history.next(0, 3);
    REQUIRE(page.items.size() == 3);
    CHECK(page.items[0].seq == 1);
    CHECK(page.items[2].seq == 3);
    CHECK(page.items[0].entry.kind == "task_running");
    CHECK(page.items[0].entry.time == at(1));
    CHECK(page.up_to == 3);
    CHECK(page.more);
    page = history.next(3, 3);
    CHECK(page.items.size() == 2);
    CHECK_FALSE(page.more);
    CHECK(page.lost == 0);
    page = history.next(5);
    CHECK(page.items.empty());
    CHECK(page.up_to == 5);
    CHECK(page.lost == 0);
    CHECK(history.feed->newest() == 5);
  }

  TEST_CASE("a page ends when its texts are long enough") {
    TempDirectory directory;
    History history(directory);
    history.add(10, std::string(1000, 'x'));
    CHECK(history.next(0, 100, 2500).items.size() == 3);
    CHECK(history.next(0, 100, 2500).more);
    CHECK(history.next(0, 100, 1).items.size() == 1);
  }

  TEST_CASE("secrets and what is no text leave the entries on their way out") {
    TempDirectory directory;
    History history(directory);
    history.add(1, "deploy --password=hunter2hunter2 \xFF");
    const auto text = history.next(0).items.at(0).entry.text;
    CHECK(text.find("hunter2") == std::string::npos);
    CHECK(text.find("deploy") == 0);
    CHECK(text.find('\xFF') == std::string::npos);
  }

  TEST_CASE("how far it was sent is kept, and the history stays itself") {
    TempDirectory directory;
    std::string name;
    {
      History history(directory);
      history.add(4);
      CHECK(history.place() == 0);
      name = history.feed->place()->history;
      CHECK(name.size() == 16);
      history.feed->sent(3);
      history.settle();
      CHECK(history.place() == 3);
      history.feed->sent(4);
      history.log->stop();  // writes it
    }
    History history(directory);
    CHECK(history.place() == 4);
    CHECK(history.feed->place()->history == name);
    TempDirectory elsewhere;
    CHECK(History(elsewhere).feed->place()->history != name);
  }

  TEST_CASE("what left before it was sent is counted, wherever it was") {
    TempDirectory directory;
    History history(directory);
    history.add(10);
    history.feed->sent(2);
    history.settle();
    auto raw = Database::open(directory.path() / "events.db", Database::Mode::ReadWrite);
    REQUIRE(raw);
    REQUIRE(raw->execute("DELETE FROM events WHERE seq<=5 OR seq=8"));
    auto page = history.next(2, 3);
    CHECK(page.items.at(0).seq == 6);
    CHECK(page.lost == 4);  // 3, 4, 5 and 8
    CHECK(page.up_to == 9);
    REQUIRE(raw->execute("DELETE FROM events"));
    page = history.next(9);
    CHECK(page.items.empty());
    CHECK(page.lost == 1);
    CHECK(page.up_to == 10);
  }

  TEST_CASE("a history that was never sent begins where it begins, and has lost nothing") {
    TempDirectory directory;
    History history(directory);
    history.add(10);
    auto raw = Database::open(directory.path() / "events.db", Database::Mode::ReadWrite);
    REQUIRE(raw);
    REQUIRE(raw->execute("DELETE FROM events WHERE seq<=5"));
    CHECK(history.place() == 5);
    CHECK(history.next(5).lost == 0);
  }

  TEST_CASE("when all rows have left, also over a start, their numbers are not used again") {
    TempDirectory directory;
    std::atomic<std::int64_t> now{0};
    EventLog::Options options;
    options.keep = Millis(10);
    options.now = [&now] { return at(now); };
    {
      History history(directory, options);
      history.add(7);
      history.feed->sent(7);
      now = 1000;
      history.settle();
      CHECK(history.next(0).items.empty());
    }
    now = 0;
    History history(directory, options);
    CHECK(history.feed->newest() == 7);
    history.add(1);
    const auto page = history.next(history.place());
    REQUIRE(page.items.size() == 1);
    CHECK(page.items[0].seq == 8);
    CHECK(page.lost == 0);
  }

  TEST_CASE("rows the disk did not take use no numbers") {
    TempDirectory directory;
    History history(directory);
    auto raw = Database::open(directory.path() / "events.db", Database::Mode::ReadWrite);
    REQUIRE(raw);
    REQUIRE(
        raw->execute("CREATE TRIGGER full BEFORE INSERT ON events WHEN new.text='bad' BEGIN "
                     "SELECT raise(ABORT,'no'); END"));
    history.add(2, "bad");
    CHECK(history.log->counts().dropped == 2);
    history.add(1);
    CHECK(history.next(0).items.at(0).seq == 1);
    CHECK(history.next(0).lost == 0);
  }

  TEST_CASE("news are told after each batch, and not after their end") {
    TempDirectory directory;
    History history(directory);
    std::atomic<int> told{0};
    history.feed->on_news([&told] { ++told; });
    history.add(3);
    CHECK(told == 1);
    history.settle();
    CHECK(told == 1);
    history.feed->on_news({});
    history.add(3);
    CHECK(told == 1);
  }

  TEST_CASE("a history without a feed is given one") {
    TempDirectory directory;
    {
      auto raw = Database::open(directory.path() / "events.db", Database::Mode::ReadWrite);
      REQUIRE(raw);
      REQUIRE(raw->execute(std::string(journal::kEventsSchema.steps[0]) +
                           journal::kEventsSchema.steps[1] +
                           "INSERT INTO events(seq,time,kind) VALUES(40,1763000000001,'a'),"
                           "(41,1763000000001,'b');PRAGMA user_version=2"));
    }
    History history(directory);
    CHECK(history.place() == 39);
    CHECK(history.next(39).items.size() == 2);
    history.add(1);
    CHECK(history.next(41).items.at(0).seq == 42);
  }
}

}  // namespace mahavishnu::test
