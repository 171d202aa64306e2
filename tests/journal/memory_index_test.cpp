// The index of memories: derived, behind, made anew, and let go of.
#include "journal/memories.h"

namespace mahavishnu::test {

TEST_SUITE("MemoryIndex") {
  TEST_CASE("the index is derived: gone, damaged or another's, it is made anew") {
    TempDirectory directory;
    Ids ids;
    {
      World world(options_in(directory));
      for (int i = 0; i < 30; ++i) run_task(world, ids, "build", "number" + std::to_string(i));
      CHECK(search(world, "build").hits.size() == 30);
    }
    const auto path = directory.path() / "search.db";
    const auto whole = [&] {
      World world(options_in(directory));
      CHECK(search(world, "build").hits.size() == 30);
      CHECK(search(world, "number17").hits.size() == 1);
      CHECK(world.journal().memories().count(PoolId{{1, 1}}) == 30);
    };
    whole();
    std::filesystem::remove(path);
    whole();
    std::ofstream(path) << std::string(20000, 'x');
    whole();
    REQUIRE(raw(directory, "search.db").execute("PRAGMA user_version=99"));
    whole();
    REQUIRE(raw(directory, "search.db").execute("UPDATE state SET value=9000 WHERE key='indexed'"));
    whole();
    REQUIRE(raw(directory, "search.db")
                .execute("UPDATE memories SET id=x'00' WHERE seq=30"));  // another journal's
    whole();
  }

  TEST_CASE("an index that is some batches behind goes on where it was") {
    TempDirectory directory;
    Ids ids;
    {
      World world(options_in(directory));
      for (int i = 0; i < 10; ++i) run_task(world, ids, "build", "x");
      CHECK(search(world, "build").hits.size() == 10);
    }
    std::filesystem::copy_file(directory.path() / "search.db", directory.path() / "older");
    {
      World world(options_in(directory));
      std::vector<Record> admitted, ends;
      for (int i = 0; i < 600; ++i) {
        const auto task = queued_task(ids, "later");
        admitted.push_back(TaskAdmitted{task});
        ends.push_back(ended(task, "x"));
      }
      REQUIRE(world.commit(admitted));
      REQUIRE(world.commit(ends));
    }
    std::filesystem::rename(directory.path() / "older", directory.path() / "search.db");
    World world(options_in(directory));
    CHECK(search(world, "later").hits.size() == 50);
    CHECK(world.journal().memories().count(PoolId{{1, 1}}) == 610);
    CHECK(search(world, "build").hits.size() == 10);
  }

  TEST_CASE("a row that does not read is left out, and those after it are found") {
    TempDirectory directory;
    Ids ids;
    {
      World world(options_in(directory));
      for (int i = 0; i < 3; ++i) run_task(world, ids, "build", "number" + std::to_string(i));
      REQUIRE(store(world, "build by hand"));
      REQUIRE(store(world, "build by hand again"));
    }
    std::filesystem::remove(directory.path() / "search.db");
    auto journal = raw(directory, "journal.db");
    REQUIRE(
        journal.execute("UPDATE tasks SET state='exploded' WHERE id="
                        "(SELECT id FROM memories WHERE seq=2)"));
    REQUIRE(journal.execute("UPDATE memories SET metadata='{' WHERE seq=4"));
    World world(options_in(directory));
    CHECK(search(world, "build").hits.size() == 3);
    CHECK(search(world, "number1").hits.empty());
    CHECK(search(world, "number2").hits.size() == 1);
    CHECK(search(world, "again").hits.size() == 1);
  }

  TEST_CASE("a pattern added later is taken out of what was indexed before") {
    TempDirectory directory;
    Ids ids;
    {
      World world(options_in(directory));
      run_task(world, ids, "build", "codename falcon");
      CHECK(search(world, "falcon").hits.size() == 1);
    }
    auto options = options_in(directory);
    options.memory.redactor = *base::Redactor::make({"falcon"});
    World world(options);
    CHECK(search(world, "falcon").hits.empty());
    CHECK(search(world, "codename").hits.size() == 1);
  }

  TEST_CASE("beyond max_count the oldest go, from the journal and the index") {
    TempDirectory directory;
    auto options = options_in(directory);
    options.memory.max_count = 20;
    Ids ids;
    {
      World world(options);
      for (int i = 0; i < 50; ++i) run_task(world, ids, "build", "number" + std::to_string(i));
      for (auto left = 50UL; left > 20; left = search(world, "build").hits.size()) {
      }
      CHECK(search(world, "number0").hits.empty());
      CHECK(search(world, "number49").hits.size() == 1);
      CHECK(rows(directory) == 20);
      CHECK(world.journal().memories().count(PoolId{{1, 1}}) == 20);
      CHECK(world.journal().stats().memories == 20);
    }
    REQUIRE(
        raw(directory).execute("DELETE FROM memories; UPDATE meta SET value=50 WHERE "
                               "key='memories_forgotten'"));
    World world(options);  // numbers are never given twice
    run_task(world, ids, "another", "x");
    CHECK(search(world, "another").hits.size() == 1);
    CHECK(search(world, "build").hits.empty());
    CHECK(rows(directory, "seq=51") == 1);
  }

  TEST_CASE("what is older than `keep` goes") {
    TempDirectory directory;
    auto options = options_in(directory);
    options.memory.keep = std::chrono::hours(24);
    Ids ids;
    {
      World world(options_in(directory));
      run_task(world, ids, "old", "x");  // its clock stands in the past
      REQUIRE(store(world, "young"));
      CHECK(search(world, "old").hits.size() == 1);
    }
    World world(options);
    while (!search(world, "old").hits.empty()) {
    }
    CHECK(search(world, "young").hits.size() == 1);
    CHECK(rows(directory) == 1);
  }
}

}  // namespace mahavishnu::test
