// What the conformance server offers: the tools, resources and prompts that the official suite asks
// for, by family. Their names, arguments and answers are the suite's; check.py holds
// each of them to the letter.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "mcp/offer.h"
#include "mcp/server.h"

namespace mahavishnu::conformance {

using mcp::Call;
using rpc::Json;

// What the tools do to the server that serves them.
struct Triggers {
  std::function<void(mcp::Change)> changed;
};

class Jobs;

std::vector<mcp::Tool> content_tools();                         // answers of every kind
std::vector<mcp::Tool> notice_tools(const Triggers& triggers);  // progress, messages, changes
std::vector<mcp::Tool> asking_tools();                          // ask in the middle of a call
std::vector<mcp::Tool> round_tools();                           // and over several rounds
std::vector<mcp::Tool> task_tools(asio::any_io_executor executor, Jobs& jobs);
mcp::Offer offer();                                             // resources and prompts

// So long a connection is held. All tools but test_reconnection are quicker.
inline constexpr base::Millis kStreamHold{600};

// The two files that are shown everywhere.
std::string png();  // one pixel
std::string wav();  // no sample

// A tool that takes what `properties` (JSON text) says and answers content.
mcp::Tool tool(std::string name, std::string description, std::string input_schema,
               mcp::ContentHandler handler);
inline constexpr const char* kNoArguments = R"({"type":"object","properties":{}})";

mcp::ToolContent shown(std::string text);
std::string text_of(const Json& content);  // of a sampling answer's content

// A form with one required property.
Json form(const std::string& message, const std::string& property, const std::string& type);
Json sampling(const std::string& prompt, int max_tokens);

}  // namespace mahavishnu::conformance
