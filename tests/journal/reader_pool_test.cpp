#include "journal/reader_pool.h"

#include <doctest/doctest.h>

#include <future>

#include "journal/world.h"

namespace mahavishnu::test {
namespace {

using journal::Database;
using journal::ReaderPool;

ReaderPool::Counts wait_for_nothing(ReaderPool& pool) {
  pool.stop();
  return pool.counts();
}

std::vector<Database> one_connection(const TempDirectory& directory) {
  auto made = Database::open(directory.path() / "some.db", Database::Mode::ReadWrite);
  REQUIRE(made);
  std::vector<Database> connections;
  connections.push_back(std::move(*made));
  return connections;
}

}  // namespace

TEST_SUITE("ReaderPool") {
  TEST_CASE("a full queue refuses at once") {
    TempDirectory directory;
    ReaderPool pool(one_connection(directory), base::Millis(60000));
    std::promise<void> started, finish;
    pool.submit([&](const Result<Database*>&) {
      started.set_value();
      finish.get_future().wait();
    });
    started.get_future().wait();
    int refused = 0;
    for (int i = 0; i < 1001; ++i) {
      pool.submit([&refused](const Result<Database*>& database) {
        if (!database && database.error().code == base::ErrorCode::Exhausted) ++refused;
      });
    }
    CHECK(refused == 1);
    finish.set_value();
    CHECK(wait_for_nothing(pool).refused == 1);
  }

  TEST_CASE("stopping interrupts a read that would never end") {
    TempDirectory directory;
    ReaderPool pool(one_connection(directory), base::Millis(600000));
    std::promise<void> started;
    bool ended = true;
    pool.submit([&](Result<Database*> database) {
      started.set_value();
      ended = (*database)
                  ->integer(
                      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) "
                      "SELECT count(*) FROM n")
                  .has_value();
    });
    started.get_future().wait();
    pool.stop();
    CHECK_FALSE(ended);
  }
}

}  // namespace mahavishnu::test
