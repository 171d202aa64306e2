// Texts of the results MCP defines, per revision. Pure text building: no document is made for a
// reply, because most of a hot call's cost would be that.
#pragma once

#include <string>
#include <string_view>

#include "mcp/eras.h"
#include "mcp/server.h"

namespace mahavishnu::mcp {

class Results {
 public:
  explicit Results(const ServerOptions& options);

  std::string initialize(Revision revision) const;
  std::string discover() const;
  std::string empty(Revision revision) const;
  // `array`: the rendered tools.
  std::string tools(Revision revision, std::string_view array) const;
  // Opens a tool's result, ready for its members. Appended, because such results are long and hot.
  void open_tool_result(std::string& out, Revision revision) const;
  // isError true. No structuredContent: it would have to conform to the tool's output schema.
  std::string tool_error(Revision revision, std::string_view text) const;

 private:
  std::string server_info(Revision revision) const;
  // Opens a result object: `{`, in the modern era with resultType and _meta, ready for a member.
  std::string open(Revision revision) const;

  std::string name_, title_, version_, instructions_;  // as JSON strings, quoted
  std::string modern_head_;
};

}  // namespace mahavishnu::mcp
