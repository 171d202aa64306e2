// Texts of the results MCP defines, per revision. Pure text building: no document is made for a
// reply, because most of a hot call's cost would be that.
#pragma once

#include <string>
#include <string_view>

#include "mcp/eras.h"
#include "mcp/server.h"

namespace mahavishnu::mcp {

// resultType of 2026-07-28; before it, every result is complete.
enum class ResultKind { Complete, InputRequired, Task };

// What a server can do, as both eras declare it.
struct Capabilities {
  bool tools = true;
  bool completions = false;
  bool prompts = false;
  bool resources = false;
  bool logs = false;
  bool tools_change = false;
  bool prompts_change = false;
  bool resources_change = false;
  bool resources_update = false;
  bool tasks = false;

  bool tells() const {
    return tools_change || prompts_change || resources_change || resources_update || tasks;
  }
};

class Results {
 public:
  Results(const ServerOptions& options, const Capabilities& capabilities);

  std::string initialize(Revision revision) const;
  std::string discover() const;
  std::string empty(Revision revision) const;
  // A page of a list: its member's name, its rendered items, the cursor of the next or "".
  std::string list(Revision revision, std::string_view member, std::string_view array,
                   std::string_view next) const;
  // `members`: JSON text without braces.
  std::string of(Revision revision, std::string_view members, ResultKind kind) const;
  // Of a subscription that the server ends itself.
  std::string subscription_end(std::string_view id) const;
  // Opens a tool's result, ready for its members. Appended, because such results are long and hot.
  void open_tool_result(std::string& out, Revision revision) const;
  // isError true. No structuredContent: it would have to conform to the tool's output schema.
  std::string tool_error(Revision revision, std::string_view text) const;

 private:
  std::string server_info(Revision revision) const;
  // Opens a result object: `{`, in the modern era with resultType and _meta, ready for a member.
  std::string open(Revision revision) const;

  std::string capabilities(Revision revision) const;

  Capabilities capabilities_;
  std::string name_, title_, version_, instructions_;  // as JSON strings, quoted
  std::string modern_head_;
};

}  // namespace mahavishnu::mcp
