#include "desk.h"

using mahavishnu::base::ErrorCode;
using mahavishnu::base::Millis;
using mahavishnu::rpc::Json;
using mahavishnu::support::Desk;

namespace {

Json names(const Json& answer) {
  Json all = Json::array();
  for (const Json& item : answer["items"]) all.push_back(item["name"]);
  return all;
}

// A pool of type mcp, behind which a server stands.
void spawn_remote(Desk& desk, const std::string& name) {
  mahavishnu::domain::PoolSpec spec;
  spec.name = name;
  spec.type = spec.worker_type = "mcp";
  spec.settings.url = "http://" + name + "/mcp";
  REQUIRE(desk.world.run(desk.world.service->spawn_pool(std::move(spec))));
}

}  // namespace

TEST_SUITE("pool_spawn") {
  TEST_CASE("a new pool is answered as pool_list shows it") {
    Desk desk;
    const Json pool =
        desk.ask("pool_spawn", {{"name", "gpu"}, {"max_workers", 2}, {"labels", {{"k", "v"}}}});
    CHECK(pool["existing"] == false);
    CHECK(pool["workers"]["max"] == 2);
    CHECK(pool["type"] == "local");
    CHECK(names(desk.ask("pool_list")) == Json{"default", "gpu"});
  }

  TEST_CASE("the same name with the same settings is the same pool, with others a conflict") {
    Desk desk;
    const Json first = desk.ask("pool_spawn", {{"name", "gpu"}});
    CHECK(desk.ask("pool_spawn", {{"name", "gpu"}})["pool"] == first["pool"]);
    CHECK(desk.ask("pool_spawn", {{"name", "gpu"}})["existing"] == true);
    CHECK(desk.refused("pool_spawn", {{"name", "gpu"}, {"max_workers", 9}}).code ==
          ErrorCode::Conflict);
  }

  TEST_CASE("limits, times and retries that are none are refused by name") {
    Desk desk;
    CHECK(desk.refused("pool_spawn", {{"name", "p"}, {"timeouts", {{"idl_ms", 1}}}}).message ==
          "timeouts: unknown argument \"idl_ms\"; did you mean \"idle_ms\"?");
    CHECK(desk.refused("pool_spawn", {{"name", "p"}, {"retry", {{"max_attempts", 0}}}}).code ==
          ErrorCode::InvalidArgument);
  }
}

TEST_SUITE("pools of type mcp") {
  TEST_CASE("they show their server, but not what its command is given") {
    Desk desk;
    const Json command{"npx", "server", "--key=secret"};
    const Json pool = desk.ask(
        "pool_spawn", {{"name", "buddy"}, {"type", "mcp"}, {"settings", {{"command", command}}}});
    CHECK(pool["type"] == "mcp");
    CHECK(pool["worker_type"] == "mcp");
    CHECK(pool["server"] == "npx");
    CHECK(desk.ask("pool_list").dump().find("secret") == std::string::npos);
    desk.ask("pool_spawn", {{"name", "far"},
                            {"type", "mcp"},
                            {"settings", {{"url", "http://host/mcp"}, {"token_file", "/t"}}}});
    CHECK(desk.ask("pool_list")["items"][2]["server"] == "http://host/mcp");
  }

  TEST_CASE("settings that do not go together, or are others, are refused") {
    Desk desk;
    const auto refused = [&desk](Json settings) {
      return desk
          .refused("pool_spawn",
                   {{"name", "b"}, {"type", "mcp"}, {"settings", std::move(settings)}})
          .message;
    };
    CHECK(refused(Json::object()).find("exactly one of url") != std::string::npos);
    CHECK(refused({{"url", "http://ada:pw@host"}}).find("token_file") != std::string::npos);
    desk.ask("pool_spawn", {{"name", "b"}, {"type", "mcp"}, {"settings", {{"url", "http://a"}}}});
    CHECK(refused({{"url", "http://b"}}).find("another settings") != std::string::npos);
    CHECK(desk.refused("pool_spawn", {{"name", "c"}, {"settings", {{"url", "http://a"}}}})
              .message.find("type local") != std::string::npos);
  }

  TEST_CASE("what one lacks is told in the list, and makes it unhealthy") {
    Desk desk;
    desk.world.callers.missing =
        mahavishnu::domain::StringMap{{"buddy", "command not found: \"npx\""}};
    desk.ask("pool_spawn",
             {{"name", "buddy"}, {"type", "mcp"}, {"settings", {{"command", {"npx"}}}}});
    const Json listed = desk.ask("pool_list")["items"];
    CHECK(listed[0]["unavailable_reason"] == "command not found: \"npx\"");
    CHECK_FALSE(listed[1].contains("unavailable_reason"));
    const Json health = desk.ask("pool_health");
    CHECK(health["status"] == "unhealthy");
    CHECK(health["items"][0]["name"] == "buddy");
    CHECK(health["items"][0]["why"][0] == "command not found: \"npx\"");
    CHECK(health["counts"]["healthy"] == 1);
  }
}

TEST_SUITE("pool_list") {
  TEST_CASE("pools are chosen by state and label, and paged by name") {
    Desk desk;
    desk.ask("pool_spawn", {{"name", "a"}, {"labels", {{"team", "x"}}}});
    desk.ask("pool_spawn", {{"name", "z"}});
    CHECK(names(desk.ask("pool_list", {{"label", "team=x"}})) == Json{"a"});
    CHECK(names(desk.ask("pool_list", {{"label", "team"}})) == Json{"a"});
    CHECK(names(desk.ask("pool_list", {{"label", "team=y"}})) == Json::array());
    CHECK(names(desk.ask("pool_list", {{"state", "failed"}})) == Json::array());
    const Json first = desk.ask("pool_list", {{"limit", 2}});
    CHECK(names(first) == Json{"a", "default"});
    const Json second = desk.ask("pool_list", {{"limit", 2}, {"cursor", first["next_cursor"]}});
    CHECK(names(second) == Json{"z"});
    CHECK_FALSE(second.contains("next_cursor"));
    CHECK(desk.refused("pool_list", {{"cursor", "x"}}).code == ErrorCode::InvalidArgument);
  }
}

TEST_SUITE("pool_monitor") {
  TEST_CASE("a pool that is not known is an entry among the others") {
    Desk desk;
    const Json answer = desk.ask("pool_monitor", {{"pools", {"gone", "default"}}});
    CHECK(answer["items"][0]["error"]["code"] == "NotFound");
    CHECK(answer["items"][1]["name"] == "default");
    CHECK(answer["items"][1]["counts"]["running"] == 0);
  }

  TEST_CASE("it measures what ran") {
    Desk desk;
    desk.ask("task_submit", {{"command", "make"}});
    desk.world.advance(Millis{40});
    desk.end(0);
    const Json pool = desk.ask("pool_monitor")["items"][0];
    CHECK(pool["counts"]["completed"] == 1);
    CHECK(pool["run_time"]["count"] == 1);
    CHECK(pool["throughput"]["per_minute_1"].get<double>() > 0);
  }

  TEST_CASE("it tells the memory of what runs, and leaves it out where that cannot be told") {
    Desk desk;
    CHECK(desk.ask("pool_monitor")["items"][0]["rss_bytes"] == 0);
    desk.ask("task_submit", {{"command", "make"}});
    desk.ask("task_submit", {{"command", "make"}});
    desk.world.executor.begin(desk.fence(0));
    desk.world.executor.begin(desk.fence(1));
    desk.world.poll();
    CHECK(desk.ask("pool_monitor")["items"][0]["rss_bytes"] == 2000);
    desk.world.executor.resident_bytes = -1;
    desk.world.advance(Millis{5000});  // what is kept is too old now
    Json pool = desk.ask("pool_monitor")["items"][0];
    CHECK_FALSE(pool.contains("rss_bytes"));
    CHECK(pool["counts"]["running"] == 2);
    desk.world.executor.resident_bytes.reset();
    desk.world.advance(Millis{5000});
    const auto pending = desk.begin("pool_monitor", Json::object());
    CHECK_FALSE(pending->has_value());
    desk.world.advance(Millis{1000});
    pool = desk.answer("pool_monitor", pending)["items"][0];
    CHECK_FALSE(pool.contains("rss_bytes"));
    CHECK(pool["counts"]["running"] == 2);
  }

  TEST_CASE("the servers behind pools are asked side by side, and one that fails spoils nothing") {
    Desk desk;
    for (const char* name : {"a", "b", "c"}) spawn_remote(desk, name);
    const auto pending = desk.begin("pool_monitor", Json::object());
    CHECK(desk.remote.asked == std::vector<std::string>{"a", "b", "c"});
    desk.remote.answer("a");
    desk.remote.refuse("b");
    desk.world.poll();
    CHECK_FALSE(pending->has_value());
    desk.survey_timers.advance(Millis(2000));  // c hangs
    desk.world.poll();
    const Json items = desk.answer("pool_monitor", pending)["items"];
    REQUIRE(items.size() == 4);
    CHECK(items[0]["remote"]["server"] == "server of a");
    CHECK_FALSE(items[0].contains("error"));
    CHECK(items[1]["error"] == Json{{"code", "Unavailable"}, {"message", "b is down"}});
    CHECK(items[1].contains("counts"));
    CHECK(items[2]["error"]["code"] == "Deadline");
    CHECK_FALSE(items[3].contains("remote"));
    desk.ask("pool_monitor");
    CHECK(desk.remote.asked.size() == 3);
  }

  TEST_CASE("only the servers of pools that are shown are asked") {
    Desk desk;
    for (const char* name : {"a", "b", "c"}) spawn_remote(desk, name);
    desk.begin("pool_monitor", {{"limit", 1}});
    desk.begin("pool_monitor", {{"pools", {"c"}}});
    CHECK(desk.remote.asked == std::vector<std::string>{"a", "c"});
  }

  TEST_CASE("all pools come in pages, by name or in the order asked") {
    Desk desk;
    desk.ask("pool_spawn", {{"name", "a"}});
    desk.ask("pool_spawn", {{"name", "z"}});
    const Json first = desk.ask("pool_monitor", {{"limit", 2}});
    CHECK(names(first) == Json{"a", "default"});
    CHECK(names(desk.ask("pool_monitor", {{"limit", 2}, {"cursor", first["next_cursor"]}})) ==
          Json{"z"});
    const Json asked{"z", "default", "a"};
    const Json some = desk.ask("pool_monitor", {{"pools", asked}, {"limit", 1}});
    CHECK(names(some) == Json{"z"});
    CHECK(names(desk.ask("pool_monitor", {{"pools", asked}, {"cursor", some["next_cursor"]}})) ==
          Json{"default", "a"});
  }

  TEST_CASE("many pools are cut to the size of an answer") {
    Desk desk;
    for (int i = 0; i < 150; ++i)
      desk.ask("pool_spawn", {{"name", "pool-" + std::to_string(1000 + i)}});
    std::size_t seen = 0;
    Json query{{"limit", 500}};
    for (int pages = 0; pages < 20; ++pages) {
      const Json answer = desk.ask("pool_monitor", query);
      seen += answer["items"].size();
      if (!answer.contains("next_cursor")) break;
      query["cursor"] = answer["next_cursor"];
    }
    CHECK(seen == 151);
  }
}

TEST_SUITE("pool_scale") {
  TEST_CASE("it sets the workers, and pauses and resumes") {
    Desk desk;
    desk.ask("pool_spawn", {{"name", "gpu"}, {"max_workers", 4}});
    CHECK(desk.ask("pool_scale", {{"pool", "gpu"}, {"target_workers", 2}})["target"] == 2);
    CHECK(desk.ask("pool_scale", {{"pool", "gpu"}, {"paused", true}})["paused"] == true);
    CHECK(desk.ask("pool_list", {{"state", "paused"}})["items"].size() == 1);
    CHECK(desk.ask("pool_scale", {{"pool", "gpu"}, {"paused", false}})["paused"] == false);
    CHECK(desk.refused("pool_scale", {{"pool", "gpu"}}).message ==
          "give target_workers, paused or both");
    CHECK(desk.refused("pool_scale", {{"pool", "gone"}, {"paused", true}}).code ==
          ErrorCode::NotFound);
  }
}

TEST_SUITE("pool_close") {
  TEST_CASE("an idle pool closes at once, a busy one says what still drains") {
    Desk desk;
    desk.ask("pool_spawn", {{"name", "gpu"}});
    CHECK(desk.ask("pool_close", {{"pool", "gpu"}})["still_draining"] == 0);
    CHECK(desk.refused("pool_close", {{"pool", "gpu"}}).code == ErrorCode::NotFound);
    desk.ask("pool_spawn", {{"name", "cpu"}});
    desk.ask("task_submit", {{"command", "x"}, {"pool", "cpu"}});
    const auto closing = desk.begin("pool_close", {{"pool", "cpu"}});
    desk.world.advance(Millis{0});
    CHECK(desk.answer("pool_close", closing)["still_draining"] == 1);
    desk.end(0);
    CHECK(names(desk.ask("pool_list")) == Json{"default"});
  }
}

TEST_SUITE("pool_health") {
  TEST_CASE("a pool whose server does not answer is unhealthy") {
    Desk desk;
    spawn_remote(desk, "far");
    const auto pending = desk.begin("pool_health", Json::object());
    desk.remote.refuse("far");
    desk.world.poll();
    const Json health = desk.answer("pool_health", pending);
    CHECK(health["status"] == "unhealthy");
    CHECK(health["items"][0]["name"] == "far");
    CHECK(health["items"][0]["why"][0] == "far is down");
  }

  TEST_CASE("the worst pool decides, and comes first") {
    Desk desk;
    CHECK(desk.ask("pool_health")["status"] == "healthy");
    desk.ask("pool_spawn", {{"name", "zzz"}});
    desk.ask("pool_scale", {{"pool", "zzz"}, {"paused", true}});
    const Json health = desk.ask("pool_health");
    CHECK(health["status"] == "degraded");
    CHECK(health["items"][0]["name"] == "zzz");
    CHECK(health["counts"]["healthy"] == 1);
    CHECK(health["omitted"] == 0);
  }
}

TEST_SUITE("metrics_get") {
  TEST_CASE("operations are measured and chosen by the beginning of their name") {
    Desk desk;
    desk.world.service->clocked("tools/call repo_list", std::chrono::microseconds(1500), true);
    desk.world.service->clocked("other", std::chrono::microseconds(10), true);
    const Json all = desk.ask("metrics_get");
    CHECK(all["window_ms"] == 300000);
    CHECK(all["latency"].contains("tools/call repo_list"));
    const Json some = desk.ask("metrics_get", {{"names", {"tools/call"}}});
    CHECK(some["latency"].size() == 1);
    CHECK(some["latency"]["tools/call repo_list"]["count"] == 1);
  }
}

TEST_SUITE("explain") {
  TEST_CASE("a task that waits for its time says so") {
    Desk desk;
    const Json task =
        desk.ask("task_submit", {{"command", "x"}, {"not_before", "2040-01-01T00:00:00Z"}});
    const Json why = desk.ask("explain", {{"task", task["task"]}});
    CHECK(why["task"] == task["task"]);
    CHECK(why["blocked_by"] == "not_before");
    CHECK(why["why"].get<std::string>().size() > 10);
  }

  TEST_CASE("pools and workflows are explained too, one thing at a time") {
    Desk desk;
    CHECK(desk.ask("explain", {{"pool", "default"}})["pool"] == "default");
    CHECK(desk.refused("explain", Json::object()).code == ErrorCode::InvalidArgument);
    CHECK(desk.refused("explain", {{"pool", "default"}, {"task", "x"}}).code ==
          ErrorCode::InvalidArgument);
    CHECK(desk.refused("explain", {{"pool", "gone"}}).code == ErrorCode::NotFound);
    const Json workflow = desk.ask(
        "workflow_run", {{"steps", {{{"id", "a"}, {"command", "x"}}}}, {"over", {{"all", true}}}});
    CHECK(desk.ask("explain", {{"workflow", workflow["workflow"]}})["state"].is_string());
  }
}
