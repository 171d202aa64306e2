// What is said to Session Buddy, and what its answers mean.
//
// It speaks MCP, or, behind shims, a plain POST of a tool's name and arguments. Which of its tools
// there are depends on how it was started, so they are chosen from its list. A refused store looks
// like a success whose text begins with a cross or with "Error": that is judged here. Pure
// functions.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/memory_sync.h"
#include "net/http_client.h"
#include "rpc/json.h"

namespace mahavishnu::outbound {

using rpc::Json;

// How a call came out.
struct Verdict {
  enum class Kind : std::uint8_t {
    Accepted,
    Refused,  // it answered, and does not want this
    Trouble,  // it does not work, for whatever is sent
    Expired,  // the session, or the choice of tools, is not valid any more
    Cancelled,
  };
  Kind kind = Kind::Accepted;
  std::string error = {};
  Json result = {};  // of the tool; null but for Accepted
};

// A tool of the server: its name and the arguments it takes (none named: any).
struct BuddyTool {
  std::string name;
  std::set<std::string> takes;
  bool is(std::string_view other) const { return name == other; }
  explicit operator bool() const { return !name.empty(); }
};
struct BuddyTools {
  BuddyTool store, search;
};

// Takes from one page of tools/list what is better than what was chosen before.
void choose(const Json& tools, BuddyTools& chosen);

// What the tool is given for this memory: at most 10,000 bytes of text, and where more is.
Json store_arguments(const BuddyTool& tool, const domain::Memory& memory);
Json search_arguments(const BuddyTool& tool, const std::string& words, int limit);

std::string request_body(std::int64_t id, const char* method, Json params);
// The answer to request `id` in a body that is JSON or a stream of events, or null.
Json find_answer(const std::string& content_type, std::string_view body, std::int64_t id);

// Of an HTTP answer to JSON-RPC request `id`; `in_session`: it was sent in one.
Verdict judge_rpc(const base::Result<net::HttpReply>& reply, std::int64_t id, bool in_session);
// Of what tools/call or a shim's POST came to.
Verdict judge_tool(Verdict verdict);
Verdict judge_rest(const base::Result<net::HttpReply>& reply);

std::vector<domain::RemoteHit> hits_of(const Json& result, int limit);

}  // namespace mahavishnu::outbound
