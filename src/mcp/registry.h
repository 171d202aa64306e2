// The tools of a server: found by name, checked against their schemas, listed for every revision.
//
// Built once; afterwards only the rendered lists are cached. Knows no transport and runs nothing.
// One executor.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "mcp/eras.h"
#include "mcp/header_params.h"
#include "mcp/schema.h"
#include "mcp/server.h"
#include "mcp/tool.h"

namespace mahavishnu::mcp {

class Registry {
 public:
  struct Entry {
    Tool tool;
    Schema input;
    std::string input_text;   // one line
    std::string output_text;  // one line; "" without an output schema
    std::vector<HeaderParam> header_params;
  };

  // InvalidArgument names the tool whose name is taken or unusable, or whose schema is none.
  static base::Result<Registry> create(std::vector<Tool> tools);

  // The tool of that name if `view` serves it; its permit is not asked. NotFound says what else may
  // have been meant.
  base::Result<const Entry*> choose(std::string_view name, const View& view) const;

  // Whether any tool has parameters that are repeated in headers.
  bool has_header_params() const { return has_header_params_; }
  bool empty() const { return entries_.empty(); }

  // A page of tools/list, in the order given to `create`: its JSON array, and the cursor of the
  // next or "". InvalidArgument: `params.cursor` is none. Valid until the next call.
  struct Listed {
    std::string array;
    std::string next;
  };
  base::Result<const Listed*> listed(Revision revision, const View& view, const rpc::Json& params,
                                     std::size_t page_size);

 private:
  Registry() = default;
  static bool served(const Entry& entry, const View& view);
  static bool shown(const Entry& entry, const View& view);
  std::vector<const Entry*> shown_to(const View& view) const;

  std::vector<std::unique_ptr<Entry>> entries_;  // in order
  std::unordered_map<std::string_view, const Entry*> by_name_;
  std::map<std::string, Listed, std::less<>> lists_;  // by shape, view and page
  bool has_header_params_ = false;
};

}  // namespace mahavishnu::mcp
