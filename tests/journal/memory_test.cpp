// Memories from the end of a task to a search: exactly once, redacted, found.
#include "journal/memories.h"

namespace mahavishnu::test {

TEST_SUITE("memories of tasks") {
  TEST_CASE("a task that ends is found by what it ran, what it wrote and where") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto task = run_task(world, ids, "make deploy", "undefined reference to frobnicate\n",
                               {{"team", "core"}}, "api");
    for (const char* words : {"deploy", "FROBNICATE", "references undefined", "api", "team=core"}) {
      const auto found = search(world, words);
      REQUIRE_MESSAGE(found.hits.size() == 1, words);
      CHECK(found.all_words);
      const auto& hit = found.hits.front();
      CHECK(hit.memory.task == task.id);
      CHECK(hit.memory.id.value == task.id.value);
      CHECK(hit.memory.title == "make deploy");
      CHECK(hit.memory.state == "failed");
      CHECK(hit.memory.reason == "exit_code");
      CHECK(hit.memory.pool_name == "default");
      CHECK(hit.memory.tags == std::vector<std::string>{"team=core"});
      CHECK(hit.memory.time == at(9000));
      CHECK(hit.score > 0);
    }
    CHECK(search(world, "frobnicate").hits.front().snippet.find("**frobnicate**") !=
          std::string::npos);
    CHECK(world.journal().memories().count(PoolId{{1, 1}}) == 1);
  }

  TEST_CASE("each end leaves one memory, however often its commit is tried") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto task = queued_task(ids);
    const auto never = queued_task(ids);
    REQUIRE(world.commit({TaskAdmitted{task}}));
    REQUIRE(world.commit({change(task, TaskState::Running, 2)}));
    CHECK(rows(directory) == 0);
    REQUIRE(world.commit({ended(task, "x", 5)}));
    REQUIRE(world.commit({ended(task, "x", 5)}));
    REQUIRE(world.commit({ended(task, "y", 6)}));
    CHECK_FALSE(world.commit({ended(never, "of no task")}));
    CHECK(rows(directory) == 1);
  }

  TEST_CASE("a task that is admitted as ended leaves one; one that another's failure ended none") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    auto rejected = queued_task(ids);
    rejected.status.state = TaskState::Failed;
    rejected.status.reason = Reason::Rejected;
    auto skipped = queued_task(ids);
    skipped.status.state = TaskState::Cancelled;
    skipped.status.reason = Reason::DependencyFailed;
    REQUIRE(world.commit({TaskAdmitted{rejected}, TaskAdmitted{skipped}}));
    CHECK(rows(directory) == 1);
    REQUIRE(search(world, "true").hits.size() == 1);
    CHECK(search(world, "true").hits.front().memory.task == rejected.id);
  }

  TEST_CASE("a commit that fails leaves none, and its second try one") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto keyed = [&ids] {
      TaskRecord task = queued_task(ids);
      auto spec = *task.spec;
      spec.idempotency_key = "key";
      task.spec = std::make_shared<const TaskSpec>(std::move(spec));
      return task;
    };
    const auto task = keyed();
    REQUIRE(world.commit({TaskAdmitted{task}}));
    CHECK_FALSE(world.commit({ended(task, "x"), TaskAdmitted{keyed()}}));  // the key is taken
    CHECK(rows(directory) == 0);
    REQUIRE(world.commit({ended(task, "x")}));
    CHECK(rows(directory) == 1);
    CHECK(search(world, "true").hits.size() == 1);
  }

  TEST_CASE("no secret of a command, its output or a label is in the index or an answer") {
    TempDirectory directory;
    {
      World world(options_in(directory));
      Ids ids;
      run_task(world, ids, "curl -H 'Authorization: Bearer " + kToken + "' https://x",
               "cloning https://ada:" + kToken + "@example.org\nAWS AKIA" + std::string(16, 'Z'),
               {{"token", kToken}});
      const auto found = search(world, "cloning");
      REQUIRE(found.hits.size() == 1);
      CHECK(found.hits.front().snippet.find(kToken) == std::string::npos);
      CHECK(found.hits.front().memory.title ==
            "curl -H 'Authorization: Bearer [redacted]' https://x");
      CHECK(search(world, kToken).hits.empty());
    }
    CHECK(bytes_of(directory, "search.db").find("QQQQQQQQ") == std::string::npos);
    CHECK(bytes_of(directory, "search.db").find("ZZZZZZZZ") == std::string::npos);
  }

  TEST_CASE("output that is no UTF-8, with NULs, or a single word of 8 KiB") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    run_task(world, ids, "binary", std::string("before\0\xFF\xC3 after", 15));
    run_task(world, ids, "endless", "start " + std::string(8000, 'w'));
    const auto found = search(world, "before");
    REQUIRE(found.hits.size() == 1);
    CHECK(found.hits.front().snippet == domain::plain_text(found.hits.front().snippet));
    CHECK(search(world, "endless").hits.front().snippet.size() < 700);
  }

  TEST_CASE("with memories off tasks leave none, and searching says so") {
    TempDirectory directory;
    auto options = options_in(directory);
    options.memory.enabled = false;
    World world(options);
    Ids ids;
    run_task(world, ids, "make", "x");
    CHECK(rows(directory) == 0);
    domain::MemoryQuery query;
    query.words = "make";
    const auto found = ask(world, query);
    REQUIRE_FALSE(found);
    CHECK(found.error().code == base::ErrorCode::Unavailable);
    CHECK_FALSE(store(world, "x"));
    CHECK_FALSE(world.journal().memories().count(PoolId{{1, 1}}).has_value());
    CHECK_FALSE(std::filesystem::exists(directory.path() / "search.db"));
  }
}

TEST_SUITE("memory_store") {
  TEST_CASE("what is stored is there after a restart, redacted on disk as well") {
    TempDirectory directory;
    domain::MemoryId id;
    {
      World world(options_in(directory));
      domain::NewMemory memory;
      memory.content = "Release notes\nthe deploy key is " + kToken;
      memory.tags = {"release"};
      memory.metadata = {{"password", "hunter2"}, {"author", "ada"}};
      const auto stored = store(world, memory);
      REQUIRE(stored);
      CHECK_FALSE(stored->duplicate);
      id = stored->id;
    }
    World world(options_in(directory));
    const auto found = search(world, "deploy release");
    REQUIRE(found.hits.size() == 1);
    const auto& memory = found.hits.front().memory;
    CHECK(memory.id == id);
    CHECK(memory.task.is_null());
    CHECK(memory.title == "Release notes");
    CHECK(memory.tags == std::vector<std::string>{"release"});
    CHECK(memory.metadata == StringMap{{"author", "ada"}, {"password", "[redacted]"}});
    for (const char* file : {"journal.db", "search.db"}) {
      CHECK(bytes_of(directory, file).find("QQQQQQQQ") == std::string::npos);
      CHECK(bytes_of(directory, file).find("hunter2") == std::string::npos);
    }
  }

  TEST_CASE("a key is stored once, whoever gives it again, also at the same time") {
    TempDirectory directory;
    World world(options_in(directory));
    const auto first = store(world, "one", "key");
    const auto again = store(world, "two", "key");
    REQUIRE(first);
    REQUIRE(again);
    CHECK(again->duplicate);
    CHECK(again->id == first->id);
    CHECK(store(world, "three", "other")->duplicate == false);
    int answers = 0;
    int stored = 0;
    for (int i = 0; i < 20; ++i) {
      domain::NewMemory memory;
      memory.content = "same";
      memory.dedup_key = "race";
      world.journal().memories().store(memory, [&](Result<domain::StoredMemory> answer) {
        ++answers;
        REQUIRE(answer);
        if (!answer->duplicate) ++stored;
      });
    }
    world.run_until([&] { return answers == 20; });
    CHECK(stored == 1);
    CHECK(rows(directory) == 3);
  }

  TEST_CASE("nothing and too much are refused, and the error says how much is taken") {
    TempDirectory directory;
    World world(options_in(directory));
    CHECK(store(world, " \n\t").error().code == base::ErrorCode::InvalidArgument);
    const auto large = store(world, std::string(5U << 20U, 'x'));
    REQUIRE_FALSE(large);
    CHECK(large.error().message.find("65536") != std::string::npos);
    CHECK(store(world, std::string(domain::kMemoryContentBytes, 'x')));
    CHECK(store(world, std::string("\xFF\0 odd", 6)));
    CHECK(search(world, "odd").hits.size() == 1);
  }

  TEST_CASE("on a full disk it is refused as new work is, and taken when there is room") {
    TempDirectory directory;
    auto options = options_in(directory);
    options.max_pages = 60;
    options.ballast_bytes = 40 * 4096;
    World world(options);
    Result<domain::StoredMemory> stored = domain::StoredMemory{};
    int taken = -1;
    for (; stored && taken < 1000; ++taken) stored = store(world, std::string(3000, 'x'));
    REQUIRE_FALSE(stored);
    CHECK(stored.error().code == base::ErrorCode::Exhausted);
    CHECK(taken > 5);
    CHECK(world.journal().stats().ballast_held);
    CHECK(rows(directory) == taken);
    REQUIRE(raw(directory).execute("DELETE FROM memories WHERE seq<5"));
    CHECK(store(world, std::string(3000, 'x')));
  }
}

TEST_SUITE("memory_search") {
  TEST_CASE("words are words: nothing in them is syntax, and nothing to search for is an error") {
    TempDirectory directory;
    World world(options_in(directory));
    REQUIRE(store(world, "a \"quoted\" NEAR miss, title:colon and foo_bar-baz(1) 100%"));
    for (const char* words : {"\"quoted",
                              "quoted\"",
                              "NEAR",
                              "NEAR(",
                              "AND",
                              "quoted AND",
                              "OR NOT quoted",
                              "quot*ed",
                              "foo_bar-baz(1)",
                              "title:colon",
                              "title : colon",
                              "^quoted",
                              "{title}: quoted",
                              "100%",
                              "quoted'; DROP TABLE words; --",
                              "*",
                              "-quoted",
                              "+ quoted +",
                              "\xF0\x9F\x8E\xBB",
                              "quoted \xE2\x80\x94 miss"}) {
      CAPTURE(words);
      domain::MemoryQuery query;
      query.words = words;
      const auto found = ask(world, query);
      if (std::string_view(words) != "*") {
        CHECK_MESSAGE(found, found.error().message);
      } else {
        CHECK_FALSE(found);
      }
    }
    CHECK(search(world, "foo_bar-baz(1)").hits.size() == 1);
    CHECK(search(world, "\"quoted\" +miss*").hits.size() == 1);
    for (const char* words : {"", "   ", "\" \"", "-- ** ()"}) {
      domain::MemoryQuery query;
      query.words = words;
      const auto found = ask(world, query);
      REQUIRE_FALSE(found);
      CHECK(found.error().code == base::ErrorCode::InvalidArgument);
      CHECK(found.error().message.starts_with("query: "));
    }
  }

  TEST_CASE("what has all of the words comes alone, else what has some, best first") {
    TempDirectory directory;
    World world(options_in(directory));
    REQUIRE(store(world, "violin\nwith a bow"));
    REQUIRE(store(world,
                  "piano\nand a long text about other things, a violin among them, that goes on"));
    REQUIRE(store(world, "drums"));
    const auto all = search(world, "violin bow");
    CHECK(all.all_words);
    CHECK(titles(all) == std::vector<std::string>{"violin"});
    CHECK(titles(search(world, "violins")) == std::vector<std::string>{"violin", "piano"});
    const auto some = search(world, "violin trumpet drums");
    CHECK_FALSE(some.all_words);
    CHECK(some.hits.size() == 3);
    CHECK(titles(search(world, "trumpet")).empty());
  }

  TEST_CASE("filters narrow, and the limit is kept") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    run_task(world, ids, "build one", "", {{"team", "core"}, {"kind", "x"}}, "api");
    run_task(world, ids, "build two", "", {{"team", "web"}}, "web");
    REQUIRE(store(world, "build three"));
    const auto found = [&](auto set) {
      domain::MemoryQuery query;
      query.words = "build";
      set(query);
      return titles(search(world, query));
    };
    using Query = domain::MemoryQuery;
    CHECK(found([](Query&) {}).size() == 3);
    CHECK(found([](Query& q) { q.limit = 2; }).size() == 2);
    CHECK(found([](Query& q) { q.repos = {"api"}; }) == std::vector<std::string>{"build one"});
    CHECK(found([](Query& q) { q.repos = {"api", "web"}; }).size() == 2);
    CHECK(found([](Query& q) { q.tags = {"team=web"}; }) == std::vector<std::string>{"build two"});
    CHECK(found([](Query& q) { q.tags = {"team"}; }).size() == 2);
    CHECK(found([](Query& q) { q.tags = {"team", "kind=x"}; }).size() == 1);
    CHECK(found([](Query& q) { q.tags = {"tea"}; }).empty());
    CHECK(found([](Query& q) { q.pools = {"default"}; }).size() == 2);
    CHECK(found([](Query& q) { q.pools = {PoolId{{1, 1}}.str()}; }).size() == 2);
    CHECK(found([](Query& q) { q.pools = {PoolId{{1, 2}}.str(), "gpu"}; }).empty());
    CHECK(found([](Query& q) { q.since = at(9001); }) == std::vector<std::string>{"build three"});
    CHECK(found([](Query& q) { q.since = at(9000); }).size() == 3);
  }
}

}  // namespace mahavishnu::test
