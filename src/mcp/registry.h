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
  };

  // InvalidArgument names the tool whose name is taken or unusable, or whose schema is none.
  static base::Result<Registry> create(std::vector<Tool> tools);

  // The tool of that name if `view` serves it; its permit is not asked. NotFound says what else may
  // have been meant.
  base::Result<const Entry*> choose(std::string_view name, const View& view) const;

  // The JSON array of tools/list, in the order given to `create`. Valid until the next call.
  const std::string& listed(Revision revision, const View& view);

 private:
  Registry() = default;
  static bool served(const Entry& entry, const View& view);
  static bool shown(const Entry& entry, const View& view);
  std::string render(Revision revision, const View& view) const;

  std::vector<std::unique_ptr<Entry>> entries_;  // in order
  std::unordered_map<std::string_view, const Entry*> by_name_;
  std::map<std::string, std::string, std::less<>> lists_;  // by shape and view
};

}  // namespace mahavishnu::mcp
