#include "outbound/buddy_protocol.h"

#include <algorithm>
#include <array>
#include <utility>

#include "rpc/codec.h"

namespace mahavishnu::outbound {
namespace {

using Kind = Verdict::Kind;

// Above 10,000 bytes content may be put into quarantine there.
constexpr std::size_t kContentBytes = 9'500;
constexpr std::size_t kSnippetBytes = 600;
constexpr std::size_t kMostTags = 40;
// The best first.
constexpr std::array<std::string_view, 3> kStoreTools{"store_memory", "store_conversation",
                                                      "store_reflection"};
constexpr std::array<std::string_view, 3> kSearchTools{"fingerprint_search", "search_conversations",
                                                       "quick_search"};

template <std::size_t N>
void choose_of(const std::array<std::string_view, N>& order, const Json& tool, BuddyTool& chosen) {
  const auto rank = [&order](std::string_view name) {
    return std::find(order.begin(), order.end(), name) - order.begin();
  };
  const std::string name = tool.value("name", "");
  if (rank(name) >= rank(chosen.name)) return;
  chosen = {name, {}};
  const auto schema = tool.find("inputSchema");
  if (schema == tool.end() || !schema->is_object()) return;
  const auto properties = schema->find("properties");
  if (properties == schema->end() || !properties->is_object()) return;
  for (const auto& entry : properties->items()) chosen.takes.insert(entry.key());
}

std::string content_of(const domain::Memory& memory) {
  std::string head;
  if (!memory.task.is_null()) head = memory.title + "\n";
  std::string foot = "\n[" + memory.id.str();
  if (!memory.task.is_null()) foot += ", mahavishnu://task/" + memory.task.str();
  foot += "]";
  const std::size_t room = kContentBytes - std::min(head.size() + foot.size(), kContentBytes);
  head = cut(head, kContentBytes - foot.size());
  return head + cut(memory.text, room) + foot;
}

std::vector<std::string> tags_of(const domain::Memory& memory) {
  std::vector<std::string> tags{"mahavishnu", "item:" + memory.id.str()};
  const auto add = [&tags](const char* key, const std::string& value) {
    if (!value.empty()) tags.push_back(std::string(key) + ":" + value);
  };
  if (!memory.task.is_null()) add("task", memory.task.str());
  add("pool", memory.pool_name);
  add("status", memory.state);
  add("repo", memory.repo);
  for (const auto& tag : memory.tags) {
    if (tags.size() < kMostTags) tags.push_back(tag);
  }
  return tags;
}

Json metadata_of(const domain::Memory& memory) {
  Json metadata = memory.metadata;
  if (!metadata.is_object()) metadata = Json::object();
  const auto put = [&metadata](const char* key, const std::string& value) {
    if (!value.empty()) metadata[key] = value;
  };
  metadata["source"] = "mahavishnu";
  metadata["item"] = memory.id.str();
  metadata["time"] = base::to_rfc3339(memory.time);
  put("pool", memory.pool_name);
  put("repo", memory.repo);
  put("status", memory.state);
  put("reason", memory.reason);
  if (!memory.tags.empty()) metadata["tags"] = memory.tags;
  if (!memory.task.is_null()) {
    metadata["task"] = memory.task.str();
    metadata["run_ms"] = memory.run_time.count();
  }
  if (memory.exit_code) metadata["exit_code"] = *memory.exit_code;
  return metadata;
}

void keep_taken(const BuddyTool& tool, Json& arguments) {
  if (tool.takes.empty()) return;
  for (auto entry = arguments.begin(); entry != arguments.end();) {
    entry = tool.takes.contains(entry.key()) ? std::next(entry) : arguments.erase(entry);
  }
}

}  // namespace

void choose(const Json& tools, BuddyTools& chosen) {
  if (!tools.is_array()) return;
  for (const Json& tool : tools) {
    if (!tool.is_object() || !tool.contains("name") || !tool["name"].is_string()) continue;
    choose_of(kStoreTools, tool, chosen.store);
    choose_of(kSearchTools, tool, chosen.search);
  }
}

Json store_arguments(const BuddyTool& tool, const domain::Memory& memory) {
  Json arguments{{"content", content_of(memory)}};
  if (tool.is("store_reflection")) {
    arguments["tags"] = tags_of(memory);
  } else {
    arguments["metadata"] = metadata_of(memory);
  }
  if (tool.is("store_conversation")) {
    arguments["project"] = memory.repo.empty() ? "mahavishnu" : memory.repo;
  }
  keep_taken(tool, arguments);
  return arguments;
}

Json search_arguments(const BuddyTool& tool, const std::string& words, int limit) {
  Json arguments{{"query", words}, {"limit", limit}};
  keep_taken(tool, arguments);
  return arguments;
}

Verdict judge_tool(Verdict verdict) {
  const bool refused = verdict.kind == Kind::Refused;
  if (verdict.kind != Kind::Accepted && !refused) return verdict;
  std::string text = refused ? verdict.error : text_of(verdict.result);
  text.erase(0, std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  const std::string low = lower(std::string_view(text).substr(0, kErrorBytes));
  const bool failed =
      refused || (verdict.result.is_object() && verdict.result.contains("isError") &&
                  verdict.result["isError"] == true);
  if (low.starts_with("reflection tools not available")) {
    return {Kind::Trouble, cut(text, kErrorBytes)};
  }
  if (failed && names_unknown(text)) return {Kind::Expired, cut(text, kErrorBytes)};
  const Json structured =
      verdict.result.is_object() ? verdict.result.value("structuredContent", Json()) : Json();
  const bool no_success =
      structured.is_object() && structured.contains("success") && structured["success"] == false;
  if (failed || no_success || text.starts_with("❌") || low.starts_with("error")) {
    return {Kind::Refused, text.empty() ? "it refused without a word" : cut(text, kErrorBytes), {}};
  }
  return verdict;
}

Verdict judge_rest(const base::Result<net::HttpReply>& reply) {
  if (!reply) {
    const bool stopped = reply.error().code == base::ErrorCode::Cancelled;
    return {stopped ? Kind::Cancelled : Kind::Trouble, reply.error().message, {}};
  }
  if (reply->status != 200) return judge_status(*reply, false);
  Json document = parsed(reply->body);
  if (document.is_null()) {
    return {Kind::Trouble, "it answered with something else than JSON: " +
                               cut(domain::plain_text(reply->body), 80)};
  }
  if (document.is_object() && document.contains("error") && !document["error"].is_null()) {
    return {Kind::Refused, cut(rpc::dump(document["error"]), kErrorBytes), {}};
  }
  if (document.is_string()) {
    document = Json{{"content", {{{"type", "text"}, {"text", document}}}}};
  } else if (document.is_object() && document.contains("result") &&
             document["result"].is_object()) {
    document = Json(document["result"]);
  }
  return judge_tool({Kind::Accepted, "", std::move(document)});
}

std::vector<domain::RemoteHit> hits_of(const Json& result, int limit) {
  std::vector<domain::RemoteHit> hits;
  const std::string text = text_of(result);
  Json structured = result.is_object() ? result.value("structuredContent", Json()) : Json();
  if (!structured.is_object() || !structured.contains("results")) structured = parsed(text);
  if (structured.is_object() && structured.contains("results") &&
      structured["results"].is_array()) {
    for (const Json& one : structured["results"]) {
      if (!one.is_object() || static_cast<int>(hits.size()) >= limit) continue;
      domain::RemoteHit hit;
      if (one.contains("id")) {
        hit.id = one["id"].is_string() ? one["id"].get<std::string>() : rpc::dump(one["id"]);
      }
      for (const char* key : {"similarity", "score"}) {
        if (one.contains(key) && one[key].is_number()) hit.score = one[key];
      }
      if (one.contains("content") && one["content"].is_string()) {
        const std::string content = one["content"];
        hit.title = domain::first_line(content);
        hit.snippet = cut(content, kSnippetBytes);
      }
      hits.push_back(std::move(hit));
    }
    return hits;
  }
  if (!text.empty()) hits.push_back({"", 0, domain::first_line(text), cut(text, kSnippetBytes)});
  return hits;
}

}  // namespace mahavishnu::outbound
