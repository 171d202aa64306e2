#include "domain/slot_list.h"

#include <doctest/doctest.h>

#include <utility>

#include "domain/worker_set.h"

using namespace mahavishnu::domain;

namespace {

SlotList numbers(std::uint32_t count) {
  SlotList list;
  for (std::uint32_t i = 0; i < count; ++i) list.push_back(i * 10);
  return list;
}

}  // namespace

TEST_SUITE("SlotList") {
  TEST_CASE("keeps its entries when it outgrows itself") {
    const SlotList list = numbers(100);
    REQUIRE(list.size() == 100);
    for (std::uint32_t i = 0; i < 100; ++i) CHECK(list[i] == i * 10);
  }

  TEST_CASE("an emptied list is one to fill again") {
    SlotList list = numbers(9);
    while (!list.empty()) list.pop_back();
    list.push_back(7);
    CHECK(list.front() == 7);
    CHECK(list.back() == 7);
  }

  TEST_CASE("a move takes the entries along, few or many, and leaves an empty list") {
    for (const std::uint32_t count : {3U, 30U}) {
      SlotList from = numbers(count);
      SlotList to = numbers(20);
      to = std::move(from);
      CHECK(to.size() == count);
      CHECK(to.back() == (count - 1) * 10);
      CHECK(from.empty());  // NOLINT(bugprone-use-after-move): what it leaves is what is tested
      from.push_back(1);
      CHECK(from.front() == 1);
    }
  }
}

TEST_SUITE("WorkerSet") {
  TEST_CASE("takes the lowest free worker, past the first 64, too") {
    WorkerSet workers;
    for (std::uint32_t i = 0; i < 200; ++i) CHECK(workers.take() == i);
    for (const std::uint32_t freed : {150U, 63U, 64U}) workers.give(freed);
    CHECK(workers.size() == 197);
    for (const std::uint32_t next : {63U, 64U, 150U, 200U}) CHECK(workers.take() == next);
    CHECK(workers.size() == 201);
  }
}
