// What is said to OpenSearch, and what its answers mean.
#include "outbound/opensearch_protocol.h"

#include <doctest/doctest.h>

#include "outbound/opensearch_search.h"

using namespace mahavishnu;
using base::Millis;
using base::WallTime;
using domain::LogFilter;
using domain::LogLevel;
using net::HttpReply;
using outbound::BulkBacklog;
using outbound::BulkItem;
using outbound::ItemOutcome;
using rpc::Json;
using Kind = outbound::BulkVerdict::Kind;

namespace {

const outbound::EventSource kSource{"events", "abcd", "host"};
constexpr WallTime kNow{Millis(1'763'000'000'000)};

domain::FedEntry event(const std::string& text = "it failed") {
  domain::FedEntry fed;
  fed.seq = 77;
  fed.entry.time = kNow;
  fed.entry.kind = "task_failed";
  fed.entry.level = LogLevel::Warn;
  fed.entry.text = text;
  return fed;
}

BulkBacklog::Bulk bulk_of(std::initializer_list<const char*> ids) {
  BulkBacklog::Bulk bulk;
  for (const char* id : ids) {
    BulkItem item;
    item.id = id;
    bulk.push_back(std::move(item));
  }
  return bulk;
}

HttpReply reply(int status, std::string body,
                std::vector<std::pair<std::string, std::string>> headers = {}) {
  return {status, std::move(headers), std::move(body)};
}

outbound::BulkVerdict judged(int status, const std::string& body, const BulkBacklog::Bulk& bulk,
                             std::vector<std::pair<std::string, std::string>> headers = {}) {
  return outbound::judge_bulk(reply(status, body, std::move(headers)), bulk, kNow);
}

// An answer to a bulk of one for each status.
std::string items(std::initializer_list<int> statuses) {
  Json all = Json::array();
  for (const int status : statuses) all.push_back({{"create", {{"status", status}}}});
  return Json{{"took", 1}, {"items", all}}.dump();
}

Json body_of(const LogFilter& filter, const domain::Page& page = {}) {
  auto body = outbound::search_body(filter, page, Millis(5000));
  REQUIRE(body);
  return Json::parse(*body);
}
Json filters_of(const LogFilter& filter) { return body_of(filter)["query"]["bool"]["filter"]; }

}  // namespace

TEST_SUITE("opensearch protocol") {
  TEST_CASE("an event is a document of its day's index, with an id of its own") {
    auto fed = event("it \"failed\"\nbadly");
    fed.entry.task = domain::TaskId{{1, 2}};
    fed.entry.repo = "api";
    const auto item = outbound::bulk_item(kSource, fed);
    CHECK(item.seq == 77);
    CHECK(item.id == "abcd-77-1763000000000");
    const auto newline = item.lines.find('\n');
    CHECK(Json::parse(item.lines.substr(0, newline)) ==
          Json{{"create", {{"_index", "events-2025.11.13"}, {"_id", item.id}}}});
    CHECK(item.lines.back() == '\n');
    CHECK(Json::parse(item.lines.substr(newline + 1)) ==
          Json{{"@timestamp", "2025-11-13T02:13:20.000Z"},
               {"seq", 77},
               {"severity", 3},
               {"history", "abcd"},
               {"node", "host"},
               {"kind", "task_failed"},
               {"level", "warn"},
               {"task", fed.entry.task.str()},
               {"repo", "api"},
               {"message", "it \"failed\"\nbadly"}});
    CHECK(std::count(item.lines.begin(), item.lines.end(), '\n') == 2);
  }

  TEST_CASE("bytes that are no text make no document that cannot be read") {
    const auto item = outbound::bulk_item(kSource, event("a\xFF\x01z"));
    const Json document = Json::parse(item.lines.substr(item.lines.find('\n') + 1));
    CHECK(document["message"] == "a\xEF\xBF\xBD\x01z");
  }

  TEST_CASE("the template has a field for everything a document can have") {
    const Json made = Json::parse(outbound::template_body("events"));
    CHECK(made["index_patterns"] == Json{"events-*"});
    auto fed = event();
    fed.entry.task = domain::TaskId{{1, 2}};
    fed.entry.workflow = domain::WorkflowId{{1, 3}};
    fed.entry.pool = domain::PoolId{{1, 4}};
    fed.entry.repo = "api";
    const auto item = outbound::bulk_item(kSource, fed);
    const Json document = Json::parse(item.lines.substr(item.lines.find('\n') + 1));
    const Json& fields = made["template"]["mappings"]["properties"];
    for (const auto& member : document.items())
      CHECK_MESSAGE(fields.contains(member.key()), member.key());
    CHECK(fields.size() == document.size());
    CHECK(fields["@timestamp"]["type"] == "date");
    CHECK(fields["task"]["type"] == "keyword");
    CHECK(fields["message"]["type"] == "text");
  }

  TEST_CASE("what cannot begin an index's name is refused") {
    CHECK(outbound::check_index("mahavishnu-events"));
    for (const char* bad : {"", "Events", "-events", "_events", "a/b", "a b", "a,b", "a*", "a#"}) {
      CHECK_FALSE(outbound::check_index(bad));
    }
    CHECK_FALSE(outbound::check_index(std::string(201, 'a')));
  }

  TEST_CASE("each document of an answer is judged by itself") {
    const auto verdict =
        judged(200, items({201, 409, 429, 503, 400, 403}), bulk_of({"a", "b", "c", "d", "e", "f"}));
    REQUIRE(verdict.kind == Kind::Answered);
    using Item = ItemOutcome::Kind;
    std::vector<Item> kinds;
    for (const auto& item : verdict.items) kinds.push_back(item.kind);
    CHECK(kinds == std::vector<Item>{Item::Indexed, Item::Known, Item::Busy, Item::Broken,
                                     Item::Rejected, Item::Broken});
    CHECK_FALSE(verdict.error.empty());
  }

  TEST_CASE("an error is told in the server's words") {
    const std::string body = R"({"items":[{"create":{"_id":"a","status":400,"error":{"type":)"
                             R"("mapper_parsing_exception","reason":"failed to parse [x]"}}}]})";
    CHECK(judged(200, body, bulk_of({"a"})).error ==
          "400 mapper_parsing_exception: failed to parse [x]");
    CHECK(judged(403, R"({"error":{"type":"security_exception","reason":"no permissions"}})",
                 bulk_of({"a"}))
              .error == "it answered HTTP 403: security_exception: no permissions");
    CHECK(judged(401, "", bulk_of({"a"})).error.find("opensearch.password_file") !=
          std::string::npos);
    CHECK(judged(301, "", bulk_of({"a"}), {{"location", "https://b/"}}).error ==
          "it answered HTTP 301, a redirect to https://b/; set opensearch.url to where it is");
  }

  TEST_CASE("a bulk of which nothing was taken is the server's trouble, or it is busy") {
    CHECK(judged(200, items({503, 500}), bulk_of({"a", "b"})).kind == Kind::Trouble);
    CHECK(judged(200, items({403, 403}), bulk_of({"a", "b"})).kind == Kind::Trouble);
    CHECK(judged(200, items({429, 429}), bulk_of({"a", "b"})).kind == Kind::Busy);
    CHECK(judged(200, items({400, 400}), bulk_of({"a", "b"})).kind == Kind::Answered);
  }

  TEST_CASE("an answer to something else is none") {
    for (const char* body :
         {"", "[]", "{}", "\xFF", R"({"items":{}})", R"({"items":[]})",
          R"({"items":[{"index":{"status":201}}]})", R"({"items":[{"create":{"status":"201"}}]})",
          R"({"items":[{"create":{"_id":"b","status":201}}]})", R"({"items":[7]})"}) {
      CHECK_MESSAGE(judged(200, body, bulk_of({"a"})).kind == Kind::Trouble, body);
    }
    CHECK(judged(200, items({201, 201}), bulk_of({"a"})).kind == Kind::Trouble);
  }

  TEST_CASE("statuses of the whole") {
    const auto bulk = bulk_of({"a"});
    CHECK(judged(413, "", bulk).kind == Kind::TooLarge);
    CHECK(judged(429, "", bulk).kind == Kind::Busy);
    for (const int status : {301, 400, 401, 403, 404, 500, 502, 503}) {
      CHECK_MESSAGE(judged(status, "", bulk).kind == Kind::Trouble, status);
    }
    const base::Result<HttpReply> stopped = base::fail(base::ErrorCode::Cancelled, "stopped");
    CHECK(outbound::judge_bulk(stopped, bulk, kNow).kind == Kind::Cancelled);
  }

  TEST_CASE("Retry-After is seconds or a date, and nothing else") {
    const auto bulk = bulk_of({"a"});
    const auto pause = [&](const char* value) {
      return judged(429, "", bulk, {{"retry-after", value}}).pause;
    };
    CHECK(pause("7") == Millis(7000));
    CHECK(pause("Thu, 13 Nov 2025 02:13:25 GMT") == Millis(5000));
    CHECK(pause("Thu, 13 Nov 2025 02:13:15 GMT") == Millis(0));
    CHECK(pause("-3") == Millis(0));
    CHECK(pause("soon") == Millis(0));
    CHECK(pause("99999999") == Millis(3'600'000));
    CHECK(judged(503, "", bulk, {{"retry-after", "2"}}).pause == Millis(2000));
    CHECK(judged(503, "", bulk).pause == Millis(0));
  }

  TEST_CASE("a template that is refused holds nothing up, a server that does not work does") {
    const auto kind = [](int status, const char* body) {
      return outbound::judge_template(reply(status, body), kNow).kind;
    };
    CHECK(kind(200, R"({"acknowledged":true})") == Kind::Answered);
    CHECK(kind(403, "") == Kind::Answered);
    CHECK(kind(404, "") == Kind::Answered);
    CHECK(kind(200, "garbage") == Kind::Trouble);
    CHECK(kind(401, "") == Kind::Trouble);
    CHECK(kind(500, "") == Kind::Trouble);
    CHECK(kind(429, "") == Kind::Busy);
    CHECK_FALSE(outbound::judge_template(reply(403, ""), kNow).error.empty());
  }
}

TEST_SUITE("opensearch search") {
  TEST_CASE("every filter is asked for") {
    LogFilter filter;
    CHECK(filters_of(filter) == Json::array());
    filter.least = LogLevel::Warn;
    filter.task = domain::TaskId{{1, 2}};
    filter.workflow = domain::WorkflowId{{1, 3}};
    filter.pool = domain::PoolId{{1, 4}};
    filter.repo = "api";
    filter.since = kNow;
    filter.until = kNow + Millis(1);
    const Json asked = filters_of(filter);
    CHECK(asked ==
          Json{{{"range", {{"severity", {{"gte", 3}}}}}},
               {{"term", {{"task", filter.task.str()}}}},
               {{"term", {{"workflow", filter.workflow.str()}}}},
               {{"term", {{"pool", filter.pool.str()}}}},
               {{"term", {{"repo", "api"}}}},
               {{"range",
                 {{"@timestamp",
                   {{"gte", "2025-11-13T02:13:20.000Z"}, {"lte", "2025-11-13T02:13:20.001Z"}}}}}}});
  }

  TEST_CASE("each word is asked for by itself, and nothing in it is an operator") {
    LogFilter filter;
    filter.query = "  timed\t* ";
    const Json asked = filters_of(filter);
    REQUIRE(asked.size() == 2);
    const Json& first = asked[0]["bool"]["should"];
    CHECK(first[0]["match_phrase_prefix"]["message"]["query"] == "timed");
    CHECK(first[1]["wildcard"]["kind"]["value"] == "*timed*");
    CHECK(asked[1]["bool"]["should"][1]["wildcard"]["kind"]["value"] == "*\\**");
  }

  TEST_CASE("a page begins behind the last of the one before") {
    Json hits = Json::array();
    for (int seq = 9; seq >= 7; --seq) {
      hits.push_back({{"_source",
                       {{"@timestamp", "2025-11-13T02:13:20.000Z"},
                        {"seq", seq},
                        {"history", "abcd"},
                        {"kind", "log"},
                        {"level", "error"},
                        {"node", "host"},
                        {"task", domain::TaskId{{1, 2}}.str()},
                        {"message", "text " + std::to_string(seq)}}}});
    }
    const auto found =
        outbound::judge_search(reply(200, Json{{"hits", {{"hits", hits}}}}.dump()), 2);
    REQUIRE(found.page);
    REQUIRE(found.page->items.size() == 2);
    const auto& entry = found.page->items[0];
    CHECK(entry.time == kNow);
    CHECK(entry.kind == "log");
    CHECK(entry.level == LogLevel::Error);
    CHECK(entry.node == "host");
    CHECK(entry.task == domain::TaskId{{1, 2}});
    CHECK(entry.text == "text 9");
    CHECK(found.page->next_cursor == "o1763000000000.8.abcd");
    const Json asked = body_of({}, {2, found.page->next_cursor});
    CHECK(asked["search_after"] == Json{1763000000000, 8, "abcd"});
    CHECK(asked["size"] == 3);
    CHECK(asked["timeout"] == "5000ms");
    CHECK(asked["sort"].size() == 3);
    CHECK_FALSE(body_of({}).contains("search_after"));
    const auto last =
        outbound::judge_search(reply(200, Json{{"hits", {{"hits", hits}}}}.dump()), 3);
    CHECK(last.page->next_cursor.empty());
  }

  TEST_CASE("a cursor of something else is refused") {
    for (const char* bad : {"e1.2", "o1.2", "o1", "o.2.x", "x"}) {
      const auto body = outbound::search_body({}, {10, bad}, Millis(1));
      REQUIRE_FALSE(body);
      CHECK(body.error().code == base::ErrorCode::InvalidArgument);
    }
  }

  TEST_CASE("what it had no time for, or no shard, is said") {
    const auto cut_short = [](const char* body) {
      return outbound::judge_search(reply(200, body), 5).page->cut_short;
    };
    CHECK(cut_short(R"({"timed_out":true,"hits":{"hits":[]}})"));
    CHECK(cut_short(R"({"_shards":{"total":3,"failed":1},"hits":{"hits":[]}})"));
    CHECK_FALSE(cut_short(R"({"timed_out":false,"_shards":{"failed":0},"hits":{"hits":[]}})"));
  }

  TEST_CASE("documents of others in its indexes are left out") {
    const auto found = outbound::judge_search(
        reply(
            200,
            R"({"hits":{"hits":[{"_source":{"a":1}},{},7,{"_source":{"@timestamp":7,"seq":1}}]}})"),
        5);
    REQUIRE(found.page);
    CHECK(found.page->items.empty());
  }

  TEST_CASE("no answer is an error that says what came, and whose fault it is") {
    const auto garbage = outbound::judge_search(reply(200, "nonsense"), 5);
    CHECK(garbage.trouble);
    CHECK(garbage.page.error().message.find("nonsense") != std::string::npos);
    CHECK(outbound::judge_search(reply(500, ""), 5).trouble);
    CHECK_FALSE(outbound::judge_search(reply(400, ""), 5).trouble);
    CHECK(outbound::judge_search(base::fail(base::ErrorCode::Unavailable, "gone"), 5).trouble);
    CHECK_FALSE(outbound::judge_search(base::fail(base::ErrorCode::Deadline, "late"), 5).trouble);
    CHECK_FALSE(outbound::judge_search(base::fail(base::ErrorCode::Cancelled, "stop"), 5).trouble);
  }
}
