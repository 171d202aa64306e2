// What is said to Session Buddy, and what its answers mean.
//
// It speaks MCP (mcp_protocol.h), or, behind shims, a plain POST of a tool's name and arguments.
// Which of its tools there are depends on how it was started, so they are chosen from its list. A
// refused store looks like a success whose text begins with a cross or with "Error": that is judged
// here. Pure functions.
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
#include "outbound/mcp_protocol.h"

namespace mahavishnu::outbound {

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

// Of what tools/call or a shim's POST came to.
Verdict judge_tool(Verdict verdict);
Verdict judge_rest(const base::Result<net::HttpReply>& reply);

std::vector<domain::RemoteHit> hits_of(const Json& result, int limit);

}  // namespace mahavishnu::outbound
