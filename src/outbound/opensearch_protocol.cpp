#include "outbound/opensearch_protocol.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/base64.h"
#include "outbound/opensearch_answer.h"
#include "rpc/codec.h"

namespace mahavishnu::outbound {
namespace {

using base::ErrorCode;
using base::fail;
using domain::LogEntry;
using BulkKind = BulkVerdict::Kind;

constexpr std::size_t kLongestIndex = 200;  // bytes; with the day it stays below their 255

std::string day_of(base::WallTime time) {
  const std::chrono::year_month_day day(std::chrono::floor<std::chrono::days>(time));
  char text[32];
  std::snprintf(text, sizeof text, "%04d.%02u.%02u", static_cast<int>(day.year()),
                static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()));
  return text;
}

void add(std::string& out, const char* name, std::string_view text) {
  if (text.empty()) return;
  ((out += ",\"") += name) += "\":";
  rpc::append_json_string(out, text);
}

template <class Id>
void add_id(std::string& out, const char* name, Id id) {
  if (id) add(out, name, id.str());
}

// ── What its answers say ─────────────────────────────────────────────────────────────────────────

BulkVerdict verdict(BulkKind kind, std::string error, base::Millis pause = {}) {
  return {kind, std::move(error), pause, {}};
}

// What all calls have in common; Answered: a success, or a refusal of this very request.
BulkVerdict judge(const base::Result<net::HttpReply>& reply, base::WallTime now) {
  if (!reply) {
    const bool stopped = reply.error().code == ErrorCode::Cancelled;
    return verdict(stopped ? BulkKind::Cancelled : BulkKind::Trouble, reply.error().message);
  }
  if (is_success(reply->status)) return {};
  switch (reply->status) {
    case 413:
      return verdict(BulkKind::TooLarge, said(*reply));
    case 429:
      return verdict(BulkKind::Busy, said(*reply), retry_after(*reply, now));
    default:
      return verdict(BulkKind::Trouble, said(*reply), retry_after(*reply, now));
  }
}

// 400 is the document's fault, and 413 its length. A right that is missing, an index that is closed
// or cannot be made (401, 403, 404) is the server's: what waits is not lost for it.
ItemOutcome judge_item(const Json& item, bool& strange, const std::string& id) {
  using Item = ItemOutcome::Kind;
  const Json& create = member(item, "create");
  const Json& status = member(create, "status");
  const std::string told = text_of(create, "_id");
  if (!status.is_number_integer() || (!told.empty() && told != id)) {
    strange = true;
    return {};
  }
  const int code = status;
  if (is_success(code)) return {};
  if (code == 409) return {Item::Known, ""};
  std::string error = std::to_string(code) + " " + words_of(member(create, "error"));
  if (code == 429) return {Item::Busy, std::move(error)};
  const bool of_server =
      code >= 500 || code == 401 || code == 403 || code == 404 || code == 408 || code < 400;
  return {of_server ? Item::Broken : Item::Rejected, std::move(error)};
}

}  // namespace

// ── Sending ──────────────────────────────────────────────────────────────────────────────────────

base::Status check_index(const std::string& prefix) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  };
  const bool begins = !prefix.empty() && ((prefix[0] >= 'a' && prefix[0] <= 'z') ||
                                          (prefix[0] >= '0' && prefix[0] <= '9'));
  if (begins && prefix.size() <= kLongestIndex && std::all_of(prefix.begin(), prefix.end(), good)) {
    return {};
  }
  return fail(ErrorCode::InvalidArgument,
              "\"" + prefix +
                  "\" is not the beginning of an index's name: small letters, digits, - _ and ., "
                  "a letter or digit first, at most 200");
}

std::string basic_credentials(const std::string& user, const std::string& password) {
  if (user.empty()) return {};
  return "Basic " + base::encode_base64(user + ":" + password);
}

BulkItem bulk_item(const EventSource& source, const domain::FedEntry& fed) {
  const LogEntry& entry = fed.entry;
  const std::string seq = std::to_string(fed.seq);
  BulkItem item;
  item.seq = fed.seq;
  item.id =
      source.history + "-" + seq + "-" + std::to_string(entry.time.time_since_epoch().count());
  std::string& out = item.lines;
  out = R"({"create":{"_index":")" + source.index + "-" + day_of(entry.time) + R"(","_id":")" +
        item.id + "\"}}\n";
  out += R"({"@timestamp":")" + base::to_rfc3339(entry.time) + R"(","seq":)" + seq +
         R"(,"severity":)" + std::to_string(static_cast<int>(entry.level));
  add(out, "history", source.history);
  add(out, "node", source.node);
  add(out, "kind", entry.kind);
  add(out, "level", to_string(entry.level));
  add_id(out, "task", entry.task);
  add_id(out, "workflow", entry.workflow);
  add_id(out, "pool", entry.pool);
  add(out, "repo", entry.repo);
  add(out, "message", entry.text);
  out += "}\n";
  return item;
}

std::string bulk_body(const BulkBacklog::Bulk& bulk) {
  std::size_t bytes = 0;
  for (const auto& item : bulk) bytes += item.lines.size();
  std::string body;
  body.reserve(bytes);
  for (const auto& item : bulk) body += item.lines;
  return body;
}

std::string template_body(const std::string& index) {
  const Json word{{"type", "keyword"}, {"ignore_above", 1024}};
  Json fields{{kEventTime, {{"type", "date"}}},
              {"seq", {{"type", "long"}}},
              {"severity", {{"type", "byte"}}},
              {"message", {{"type", "text"}}}};
  for (const char* name :
       {"history", "node", "kind", "level", "task", "workflow", "pool", "repo"}) {
    fields[name] = word;
  }
  return rpc::dump({{"index_patterns", Json::array({index + "-*"})},
                    {"priority", 100},
                    {"template", {{"mappings", {{"properties", std::move(fields)}}}}}});
}

BulkVerdict judge_bulk(const base::Result<net::HttpReply>& reply, const BulkBacklog::Bulk& bulk,
                       base::WallTime now) {
  BulkVerdict found = judge(reply, now);
  if (found.kind != BulkKind::Answered) return found;
  const Json document = parsed(reply->body);
  const Json& items = member(document, "items");
  if (!items.is_array() || items.size() != bulk.size()) {
    return verdict(BulkKind::Trouble, garbage(*reply));
  }
  bool strange = false;
  found.items.reserve(bulk.size());
  for (std::size_t i = 0; i < bulk.size(); ++i) {
    found.items.push_back(judge_item(items[i], strange, bulk[i].id));
    if (found.error.empty()) found.error = found.items.back().error;
  }
  if (strange) return verdict(BulkKind::Trouble, garbage(*reply));
  // Where not one document is to blame, it is the server.
  const auto all = [&found](ItemOutcome::Kind kind) {
    return std::all_of(found.items.begin(), found.items.end(),
                       [kind](const ItemOutcome& item) { return item.kind == kind; });
  };
  if (all(ItemOutcome::Kind::Busy)) return verdict(BulkKind::Busy, std::move(found.error));
  if (all(ItemOutcome::Kind::Broken)) return verdict(BulkKind::Trouble, std::move(found.error));
  return found;
}

BulkVerdict judge_template(const base::Result<net::HttpReply>& reply, base::WallTime now) {
  BulkVerdict found = judge(reply, now);
  if (found.kind == BulkKind::Answered && !parsed(reply->body).is_object()) {
    return verdict(BulkKind::Trouble, garbage(*reply));
  }
  const bool refused = reply && (reply->status == 400 || reply->status == 403 ||
                                 reply->status == 404 || reply->status == 405);
  if (refused) found.kind = BulkKind::Answered;
  return found;
}

}  // namespace mahavishnu::outbound
