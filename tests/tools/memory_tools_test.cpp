#include "desk.h"

using mahavishnu::base::ErrorCode;
using mahavishnu::domain::MemoryHit;
using mahavishnu::domain::MemoryId;
using mahavishnu::domain::PoolId;
using mahavishnu::domain::TaskId;
using mahavishnu::rpc::Json;
using mahavishnu::support::Desk;

TEST_SUITE("memory_store") {
  TEST_CASE("it passes on what it was given and says whether it was there") {
    Desk desk;
    desk.memories.stored = mahavishnu::domain::StoredMemory{MemoryId{{0, 5}}, false};
    const Json answer = desk.ask("memory_store", {{"content", "a finding"},
                                                  {"tags", {"team=core"}},
                                                  {"metadata", {{"author", "ada"}}},
                                                  {"dedup_key", "k"}});
    CHECK(answer == Json{{"memory", MemoryId{{0, 5}}.str()}, {"status", "stored"}});
    const auto& asked = desk.memories.asked_to_store;
    CHECK(asked.content == "a finding");
    CHECK(asked.tags == std::vector<std::string>{"team=core"});
    CHECK(asked.metadata.at("author") == "ada");
    CHECK(asked.dedup_key == "k");
    CHECK(asked.caller == "tester");
    desk.memories.stored->duplicate = true;
    CHECK(desk.ask("memory_store", {{"content", "x"}})["status"] == "duplicate");
  }

  TEST_CASE("tags with line ends, metadata that is no text and errors of the store are told") {
    Desk desk;
    CHECK(desk.refused("memory_store", {{"content", "x"}, {"tags", {"a\nb"}}})
              .message.starts_with("tags: "));
    Json dense{{"content", "x"}};
    for (int i = 0; i < 32; ++i) dense["metadata"][std::to_string(i)] = std::string(1000, '1');
    CHECK(desk.refused("memory_store", dense).message.starts_with("metadata: this is about "));
    CHECK(desk.refused("memory_store", {{"content", "x"}, {"metadata", {{"a", 1}}}}).code ==
          ErrorCode::InvalidArgument);
    desk.memories.stored = mahavishnu::base::fail(ErrorCode::Exhausted, "the disk is full");
    CHECK(desk.refused("memory_store", {{"content", "x"}}).message == "the disk is full");
  }
}

TEST_SUITE("memory_search") {
  TEST_CASE("a hit shows what, where and how well, and the answer who was asked") {
    Desk desk;
    MemoryHit hit;
    hit.memory.id = MemoryId{{0, 7}};
    hit.memory.task = TaskId{{0, 7}};
    hit.memory.title = "make";
    hit.memory.pool_name = "default";
    hit.memory.state = "failed";
    hit.memory.exit_code = 2;
    hit.memory.tags = {"a=b"};
    hit.score = 1.5;
    hit.snippet = "**make** it";
    desk.memories.found->hits = {hit};
    desk.memories.found->behind = 3;
    const Json answer = desk.ask("memory_search", {{"query", "make"}});
    const Json& shown = answer["hits"][0];
    CHECK(shown["memory"] == MemoryId{{0, 7}}.str());
    CHECK(shown["task"] == TaskId{{0, 7}}.str());
    CHECK(shown["source"] == "local");
    CHECK(shown["score"] == 1.5);
    CHECK(shown["snippet"] == "**make** it");
    CHECK(shown["exit_code"] == 2);
    CHECK_FALSE(shown.contains("repo"));
    CHECK(answer["matched"] == "all_words");
    CHECK(answer["sources"] == Json::parse(R"([{"source":"local","answered":true,"behind":3}])"));
  }

  TEST_CASE("filters are passed on, repositories by their own name") {
    Desk desk;
    desk.ask("memory_search", {{"query", "x"},
                               {"pools", {"gpu"}},
                               {"repos", {"a", "gone"}},
                               {"tags", {"t"}},
                               {"since", "2026-01-01T00:00:00Z"},
                               {"limit", 7}});
    const auto& asked = desk.memories.asked_for;
    CHECK(asked.words == "x");
    CHECK(asked.pools == std::vector<std::string>{"gpu"});
    CHECK(asked.repos == std::vector<std::string>{"api", "gone"});
    CHECK(asked.tags == std::vector<std::string>{"t"});
    CHECK(asked.since.has_value());
    CHECK(asked.limit == 7);
  }

  TEST_CASE("many long hits stay within an answer's size, and an error is an error") {
    Desk desk;
    MemoryHit hit;
    hit.snippet = std::string(2000, 'x');
    desk.memories.found->hits.assign(50, hit);
    const Json answer = desk.ask("memory_search", {{"query", "x"}});
    CHECK(answer["hits"].size() < 20);
    CHECK(answer["hits"].size() > 10);
    desk.memories.found = mahavishnu::base::fail(ErrorCode::InvalidArgument, "query: no word");
    CHECK(desk.refused("memory_search", {{"query", "*"}}).message == "query: no word");
  }
}

TEST_SUITE("memory_search, scopes") {
  TEST_CASE("only what is here is asked unless more is wanted") {
    Desk desk;
    desk.ask("memory_search", {{"query", "make"}});
    CHECK(desk.sync.asked_for.empty());
  }

  TEST_CASE("both are asked, and each hit says where it is from") {
    Desk desk;
    MemoryHit hit;
    hit.memory.title = "make";
    desk.memories.found->hits = {hit};
    desk.sync.hits->push_back({"r1", 0.8, "make it", "how to make it"});
    const Json answer =
        desk.ask("memory_search", {{"query", "make"}, {"scope", "all"}, {"limit", 3}});
    CHECK(desk.sync.asked_for == "make");
    CHECK(desk.sync.asked_limit == 3);
    REQUIRE(answer["hits"].size() == 2);
    CHECK(answer["hits"][0]["source"] == "local");
    CHECK(answer["hits"][1] == Json{{"memory", "r1"},
                                    {"source", "session_buddy"},
                                    {"score", 0.8},
                                    {"title", "make it"},
                                    {"snippet", "how to make it"}});
    CHECK(answer["sources"][1] == Json{{"source", "session_buddy"}, {"answered", true}});
  }

  TEST_CASE("the one that does not answer is named, with the hits of the other") {
    Desk desk;
    MemoryHit hit;
    desk.memories.found->hits = {hit};
    desk.sync.hits = mahavishnu::base::fail(ErrorCode::Unavailable, "it is down");
    const Json answer = desk.ask("memory_search", {{"query", "make"}, {"scope", "all"}});
    CHECK(answer["hits"].size() == 1);
    CHECK(answer["sources"][1]["answered"] == false);
    CHECK(answer["sources"][1]["error"] == "it is down");
  }

  TEST_CASE("asked alone, one that does not answer is an error") {
    Desk desk;
    desk.sync.hits = mahavishnu::base::fail(ErrorCode::Unavailable, "it is down");
    const auto error = desk.refused("memory_search", {{"query", "x"}, {"scope", "session_buddy"}});
    CHECK(error.message == "it is down");
    CHECK(desk.memories.asked_for.words.empty());
    desk.sync.hits = std::vector<mahavishnu::domain::RemoteHit>{{"", 0, "t", "s"}};
    const Json answer = desk.ask("memory_search", {{"query", "x"}, {"scope", "session_buddy"}});
    CHECK(answer["sources"].size() == 1);
    CHECK_FALSE(answer["hits"][0].contains("memory"));
  }
}

TEST_SUITE("memory_sync") {
  TEST_CASE("it says how sending goes") {
    Desk desk;
    auto& status = desk.sync.status;
    status.state = mahavishnu::domain::SyncStatus::State::Down;
    status.target = "http://127.0.0.1:8678";
    status.outbox = {12, 2, desk.world.timers.now().wall - mahavishnu::base::Millis(5000)};
    status.sent = 7;
    status.accepted = 4;
    status.retried = 3;
    status.breaker = mahavishnu::domain::BreakerState::Open;
    status.retry_in = mahavishnu::base::Millis(700);
    status.last_error = "it takes no connection";
    const Json answer = desk.ask("memory_sync", {{"wait_ms", 100}, {"retry_dead", true}});
    CHECK(answer == Json{{"state", "down"},
                         {"target", "http://127.0.0.1:8678"},
                         {"outbox", 12},
                         {"oldest_ms", 5000},
                         {"in_flight", 0},
                         {"dead", 2},
                         {"sent", 7},
                         {"accepted", 4},
                         {"retried", 3},
                         {"breaker", "open"},
                         {"retry_in_ms", 700},
                         {"last_error", "it takes no connection"}});
    CHECK(desk.sync.asked.wait == mahavishnu::base::Millis(100));
    CHECK(desk.sync.asked.retry_dead);
  }

  TEST_CASE("without a memory server it is off") {
    Desk desk;
    const Json answer = desk.ask("memory_sync");
    CHECK(answer["state"] == "off");
    CHECK_FALSE(answer.contains("oldest_ms"));
  }
}

TEST_SUITE("pool_monitor: memories") {
  TEST_CASE("a pool's memories are counted, unless they are off") {
    Desk desk;
    CHECK_FALSE(desk.ask("pool_monitor")["items"][0].contains("memory_count"));
    desk.memories.pool_count = 12;
    CHECK(desk.ask("pool_monitor")["items"][0]["memory_count"] == 12);
  }
}
