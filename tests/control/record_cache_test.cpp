#include <doctest/doctest.h>

#include "control/record_cache.h"

using namespace mahavishnu;
using control::RecordCache;
using domain::TaskId;

namespace {

TaskId id(std::uint64_t number) { return TaskId{{1, number}}; }

control::TaskPtr task(std::uint64_t number, std::size_t payload = 0) {
  auto record = std::make_shared<domain::TaskRecord>();
  auto spec = std::make_shared<domain::TaskSpec>();
  spec->work.command = std::string(payload, 'x');
  record->id = id(number);
  record->spec = spec;
  return record;
}

domain::TaskChanged running(std::uint64_t number, std::uint64_t version) {
  domain::TaskChanged change;
  change.task = id(number);
  change.status.state = domain::TaskState::Running;
  change.status.version = version;
  return change;
}

}  // namespace

TEST_SUITE("record cache") {
  TEST_CASE("the least recently used leaves first") {
    RecordCache cache(2, 1 << 20);
    cache.put(task(1));
    cache.put(task(2));
    CHECK(cache.task(id(1)));
    cache.put(task(3));
    CHECK(cache.task(id(1)));
    CHECK(!cache.task(id(2)));
    CHECK(cache.stats().entries == 2);
  }

  TEST_CASE("large payloads push out by bytes") {
    RecordCache cache(1000, 64 << 10);
    for (std::uint64_t i = 1; i <= 50; ++i) cache.put(task(i, 8 << 10));
    CHECK(cache.stats().bytes <= 64 << 10);
    CHECK(cache.stats().entries < 8);
  }

  TEST_CASE("a change makes a new record and leaves the old one as it was read") {
    RecordCache cache(10, 1 << 20);
    cache.put(task(1));
    const auto before = cache.task(id(1));
    cache.apply(running(1, 2));
    CHECK(before->status.state == domain::TaskState::Queued);
    CHECK(cache.task(id(1))->status.state == domain::TaskState::Running);
  }

  TEST_CASE("an older version changes nothing") {
    RecordCache cache(10, 1 << 20);
    cache.put(task(1));
    cache.apply(running(1, 5));
    auto older = running(1, 4);
    older.status.state = domain::TaskState::Queued;
    cache.apply(older);
    CHECK(cache.task(id(1))->status.state == domain::TaskState::Running);
  }

  TEST_CASE("an attempt's end is not taken back by its late start") {
    RecordCache cache(10, 1 << 20);
    cache.put(task(1));
    domain::AttemptPut ended;
    ended.attempt.task = id(1);
    ended.attempt.number = 1;
    ended.attempt.ended = base::WallTime{base::Millis{5}};
    cache.apply(ended);
    domain::AttemptPut begun = ended;
    begun.attempt.ended.reset();
    cache.apply(begun);
    CHECK(cache.task(id(1))->attempts.front().ended);
  }

  TEST_CASE("a read that a change overtook is done again, once for all who wait") {
    RecordCache cache(10, 1 << 20);
    std::vector<std::function<void(base::Result<RecordCache::Record>)>> reads;
    std::vector<domain::TaskState> told;
    const auto read = [&] {
      cache.read(
          id(1).value, [&](auto done) { reads.push_back(std::move(done)); },
          [&](const auto& got) { told.push_back(std::get<control::TaskPtr>(*got)->status.state); });
    };
    read();
    cache.apply(running(1, 2));
    read();
    cache.apply(running(2, 2));
    reads[0](RecordCache::Record(task(1)));
    CHECK(told.empty());
    REQUIRE(reads.size() == 2);
    auto now = std::make_shared<domain::TaskRecord>(*task(1));
    now->status = running(1, 2).status;
    reads[1](RecordCache::Record(control::TaskPtr(now)));
    CHECK(told == std::vector{domain::TaskState::Running, domain::TaskState::Running});
    CHECK(cache.task(id(1))->status.state == domain::TaskState::Running);
  }
}
