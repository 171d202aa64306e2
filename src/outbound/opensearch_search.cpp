#include "outbound/opensearch_search.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "outbound/opensearch_answer.h"
#include "rpc/codec.h"

namespace mahavishnu::outbound {
namespace {

using base::ErrorCode;
using base::fail;
using domain::LogEntry;
using domain::LogFilter;

constexpr int kMostExpansions = 1000;  // of the beginning of a word

// "o1763000000000.77.83f1…": time, number and history of the last one shown.
std::string cursor_of(const Json& source) {
  const auto time = base::parse_rfc3339(text_of(source, kEventTime));
  const Json& seq = member(source, "seq");
  if (!time || !seq.is_number_integer()) return {};
  return "o" + std::to_string(time->time_since_epoch().count()) + "." + seq.dump() + "." +
         text_of(source, "history");
}

base::Result<Json> parse_cursor(std::string_view text) {
  std::int64_t time = 0;
  std::int64_t seq = 0;
  const char* const end = text.data() + text.size();
  if (text.starts_with('o')) {
    const auto first = std::from_chars(text.data() + 1, end, time);
    if (first.ec == std::errc{} && first.ptr != end && *first.ptr == '.') {
      const auto second = std::from_chars(first.ptr + 1, end, seq);
      if (second.ec == std::errc{} && second.ptr != end && *second.ptr == '.') {
        return Json{time, seq, std::string(second.ptr + 1, end)};
      }
    }
  }
  return fail(ErrorCode::InvalidArgument,
              "the cursor is not one of log_search with source opensearch; take next_cursor of its "
              "last page, or start without one");
}

std::string escaped(std::string_view word) {
  std::string out;
  for (const char c : word) {
    if (c == '*' || c == '?' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// A word begins a word of the message, or is part of the kind.
Json holds(const std::string& word) {
  const Json in_message{{"match_phrase_prefix",
                         {{"message", {{"query", word}, {"max_expansions", kMostExpansions}}}}}};
  const Json in_kind{
      {"wildcard", {{"kind", {{"value", "*" + escaped(word) + "*"}, {"case_insensitive", true}}}}}};
  return {{"bool", {{"should", {in_message, in_kind}}, {"minimum_should_match", 1}}}};
}

Json filters_of(const LogFilter& filter) {
  Json all = Json::array();
  const auto term = [&all](const char* name, const std::string& value) {
    all.push_back({{"term", {{name, value}}}});
  };
  if (filter.least > domain::LogLevel::Trace) {
    all.push_back({{"range", {{"severity", {{"gte", static_cast<int>(filter.least)}}}}}});
  }
  if (filter.task) term("task", filter.task.str());
  if (filter.workflow) term("workflow", filter.workflow.str());
  if (filter.pool) term("pool", filter.pool.str());
  if (!filter.repo.empty()) term("repo", filter.repo);
  Json times = Json::object();
  if (filter.since) times["gte"] = base::to_rfc3339(*filter.since);
  if (filter.until) times["lte"] = base::to_rfc3339(*filter.until);
  if (!times.empty()) all.push_back({{"range", {{kEventTime, times}}}});
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  std::string_view rest = filter.query;
  while (true) {
    rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
    if (rest.empty()) return all;
    const auto end = std::min(rest.find_first_of(kBlanks), rest.size());
    all.push_back(holds(std::string(rest.substr(0, end))));
    rest.remove_prefix(end);
  }
}

Json descending(const char* field, const char* type) {
  return {{field, {{"order", "desc"}, {"unmapped_type", type}}}};
}

template <class Id>
void read_id(const Json& source, const char* name, Id& id) {
  if (auto found = Id::parse(text_of(source, name))) id = *found;
}

LogEntry entry_of(const Json& source) {
  LogEntry entry;
  entry.time = base::parse_rfc3339(text_of(source, kEventTime)).value_or(base::WallTime{});
  entry.kind = text_of(source, "kind");
  entry.level = domain::parse_log_level(text_of(source, "level")).value_or(domain::LogLevel::Info);
  read_id(source, "task", entry.task);
  read_id(source, "workflow", entry.workflow);
  read_id(source, "pool", entry.pool);
  entry.text = text_of(source, "message");
  entry.repo = text_of(source, "repo");
  entry.node = text_of(source, "node");
  return entry;
}

}  // namespace

base::Result<std::string> search_body(const LogFilter& filter, const domain::Page& page,
                                      base::Millis limit) {
  Json body{{"size", page.limit + 1},  // one more tells whether there are more
            {"track_total_hits", false},
            {"timeout", std::to_string(limit.count()) + "ms"},
            {"sort",
             {descending(kEventTime, "date"), descending("seq", "long"),
              descending("history", "keyword")}},
            {"query", {{"bool", {{"filter", filters_of(filter)}}}}}};
  if (!page.cursor.empty()) {
    auto after = parse_cursor(page.cursor);
    if (!after) return fail(std::move(after.error()));
    body["search_after"] = std::move(*after);
  }
  return rpc::dump(body);
}

Searched judge_search(const base::Result<net::HttpReply>& reply, int limit) {
  if (!reply) {
    // One that takes too long, or waited for others that did, says nothing of bulks.
    const auto code = reply.error().code;
    return {fail(reply.error()), code != ErrorCode::Cancelled && code != ErrorCode::Deadline};
  }
  if (!is_success(reply->status)) {
    const bool refused = reply->status == 400 || reply->status == 404 || reply->status == 429;
    return {fail(ErrorCode::Unavailable, said(*reply)), !refused};
  }
  const Json document = parsed(reply->body);
  const Json& hits = member(member(document, "hits"), "hits");
  if (!hits.is_array()) return {fail(ErrorCode::Unavailable, garbage(*reply)), true};
  domain::LogPage page;
  std::string last;
  for (const Json& hit : hits) {
    const Json& source = member(hit, "_source");
    const std::string cursor = cursor_of(source);
    if (cursor.empty()) continue;  // nothing of ours
    if (static_cast<int>(page.items.size()) == limit) {
      page.next_cursor = last;
      break;
    }
    page.items.push_back(entry_of(source));
    last = cursor;
  }
  const Json& failed = member(member(document, "_shards"), "failed");
  page.cut_short = member(document, "timed_out") == true ||
                   (failed.is_number_integer() && failed.get<int>() > 0);
  if (page.cut_short && page.next_cursor.empty()) page.next_cursor = last;
  return {std::move(page), false};
}

}  // namespace mahavishnu::outbound
