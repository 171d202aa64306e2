#include "desk.h"

using mahavishnu::base::ErrorCode;
using mahavishnu::base::Millis;
using mahavishnu::rpc::Json;
using mahavishnu::support::Desk;

namespace {

Json cache_of(Desk& desk, const std::string& name) {
  const Json stats = desk.ask("cache_stats");
  for (const Json& cache : stats["items"]) {
    if (cache["cache"] == name) return cache;
  }
  FAIL("no cache ", name);
  return {};
}

}  // namespace

TEST_SUITE("cache_stats") {
  TEST_CASE("every cache is there, with its bounds and what it did") {
    Desk desk;
    Json names = Json::array();
    const Json stats = desk.ask("cache_stats");
    for (const Json& cache : stats["items"]) names.push_back(cache["cache"]);
    CHECK(names == Json{"repositories", "task_answers", "opensearch_pages", "records",
                        "pool_memory", "executor_health", "pool_health"});
    CHECK(cache_of(desk, "pool_memory")["ttl_ms"] == 5000);
    CHECK(cache_of(desk, "executor_health")["ttl_ms"] == 30000);
    CHECK_FALSE(cache_of(desk, "records").contains("ttl_ms"));
    CHECK(cache_of(desk, "records")["max_entries"] == 10000);
  }

  TEST_CASE("a task that is looked at comes from the records, an ended one as its answer") {
    Desk desk;
    const Json id = desk.ask("task_submit", {{"command", "make"}})["task"];
    desk.end(0);
    desk.ask("task_get", {{"task", id}});
    const auto hits = cache_of(desk, "task_answers")["hits"].get<int>();
    desk.ask("task_get", {{"task", id}});
    const Json after = cache_of(desk, "task_answers");
    CHECK(after["hits"] == hits + 1);
    CHECK(after["entries"] == 1);
    CHECK(after["hit_ratio"].get<double>() > 0);
  }
}

TEST_SUITE("cache_invalidate") {
  TEST_CASE("one cache, or all of them, are emptied, and answers stay right") {
    Desk desk;
    const Json id = desk.ask("task_submit", {{"command", "make"}})["task"];
    desk.end(0);
    desk.ask("repo_list");
    const Json before = desk.ask("task_get", {{"task", id}});
    CHECK(desk.ask("cache_invalidate", {{"cache", "records"}}) ==
          Json{{"dropped", {{"records", 1}}}});
    CHECK(desk.ask("task_get", {{"task", id}}) == before);
    const Json all = desk.ask("cache_invalidate");
    CHECK(all["dropped"].size() == 7);
    CHECK(all["dropped"]["repositories"] == 1);
    CHECK(desk.ask("task_get", {{"task", id}}) == before);
  }

  TEST_CASE("a name that is none is refused with those there are") {
    Desk desk;
    const auto refused = desk.refused("cache_invalidate", {{"cache", "permissions"}});
    CHECK(refused.code == ErrorCode::NotFound);
    CHECK(refused.message.find("records, pool_memory") != std::string::npos);
  }
}

TEST_SUITE("what is cached") {
  TEST_CASE("pools' memory is asked once in 5 s, and at once when other pools have work") {
    Desk desk;
    desk.ask("task_submit", {{"command", "make"}});
    desk.world.executor.begin(desk.fence(0));
    desk.world.poll();
    CHECK(desk.ask("pool_monitor")["items"][0]["rss_bytes"] == 1000);
    desk.world.executor.resident_bytes = 7000;
    CHECK(desk.ask("pool_monitor")["items"][0]["rss_bytes"] == 1000);
    desk.world.advance(Millis{5000});
    CHECK(desk.ask("pool_monitor")["items"][0]["rss_bytes"] == 7000);
    desk.ask("pool_spawn", {{"name", "other"}});
    desk.ask("task_submit", {{"command", "make"}, {"pool", "other"}});
    desk.world.executor.begin(desk.fence(1));
    desk.world.poll();
    desk.world.executor.resident_bytes = 9000;
    const Json both = desk.ask("pool_monitor");
    CHECK(both["items"][0]["rss_bytes"] == 9000);
    CHECK(both["items"][1]["rss_bytes"] == 9000);
  }

  TEST_CASE("a pool whose work has ended holds nothing at once") {
    Desk desk;
    desk.ask("task_submit", {{"command", "make"}});
    desk.world.executor.begin(desk.fence(0));
    desk.world.poll();
    CHECK(desk.ask("pool_monitor")["items"][0]["rss_bytes"] == 1000);
    desk.end(0);
    CHECK(desk.ask("pool_monitor")["items"][0]["rss_bytes"] == 0);
  }

  TEST_CASE("an executor that does not answer makes its pools unhealthy, for 30 s") {
    Desk desk;
    CHECK(desk.ask("pool_health")["status"] == "healthy");
    desk.world.executor.resident_bytes.reset();  // hangs
    CHECK(desk.ask("pool_health")["status"] == "healthy");
    desk.world.advance(Millis{30000});
    const auto first = desk.begin("pool_health", Json::object());
    const auto second = desk.begin("pool_health", Json::object());
    CHECK_FALSE(first->has_value());
    desk.world.advance(Millis{1000});
    const Json health = desk.answer("pool_health", first);
    CHECK(health["status"] == "unhealthy");
    CHECK(health["items"][0]["why"][0].get<std::string>().find("did not answer within 1000 ms") !=
          std::string::npos);
    CHECK(desk.answer("pool_health", second) == health);
    CHECK(cache_of(desk, "executor_health")["joined"] == 1);
  }

  TEST_CASE("an executor that cannot tell memory here is well") {
    Desk desk;
    desk.world.executor.resident_bytes = -1;
    CHECK(desk.ask("pool_health")["status"] == "healthy");
  }

  TEST_CASE("calls for the same repositories share a look, unless one wants its own") {
    Desk desk;
    desk.git.hold = true;
    const auto first = desk.begin("repo_list", {{"tag", "node"}});
    const auto second = desk.begin("repo_list", {{"tag", "node"}});
    CHECK(desk.git.looks == 1);
    const auto own = desk.begin("repo_list", {{"tag", "node"}, {"fresh", true}});
    CHECK(desk.git.looks == 2);
    desk.git.release();
    desk.world.poll();
    CHECK(desk.answer("repo_list", first) == desk.answer("repo_list", second));
    CHECK(desk.answer("repo_list", own) == desk.answer("repo_list", first));
    desk.git.hold = false;
    desk.ask("repo_list", {{"tag", "node"}});
    CHECK(desk.git.looks == 2);
    desk.ask("repo_list", {{"tag", "node"}, {"fresh", true}});
    CHECK(desk.git.looks == 3);
  }
}
