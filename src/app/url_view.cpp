#include "app/url_view.h"

#include <algorithm>
#include <string>
#include <vector>

#include "tools/registry.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;

constexpr std::string_view kEndpoint = "/mcp";
constexpr std::string_view kStream = "/sse";
static_assert(kEndpoint.size() == kStream.size());
constexpr std::string_view kReadOnly = "/readonly";
constexpr std::string_view kToolset = "/x/";

bool holds(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_below(std::string_view path, std::string_view root) {
  return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
}

// The toolsets a URL may name: all of them, unless the server was started with some.
std::vector<std::string> offered(const mcp::View& served) {
  const auto& known = tools::toolsets();
  const bool all = served.toolsets.empty() || holds(served.toolsets, known.back());
  return all ? known : served.toolsets;
}

base::Error no_toolset(std::string_view name, const std::vector<std::string>& names) {
  std::string text = "there is no toolset \"" + std::string(name) + "\" here; there are ";
  for (const auto& each : names) text += (each == names.front() ? "" : ", ") + each;
  return {ErrorCode::NotFound, std::move(text)};
}

}  // namespace

bool is_mcp_path(std::string_view path) { return is_below(path, kEndpoint); }
bool is_sse_path(std::string_view path) { return is_below(path, kStream); }

base::Result<mcp::View> view_of(std::string_view path, mcp::View served) {
  std::string_view rest = path.substr(kEndpoint.size());
  if (rest.empty()) return served;
  if (rest.ends_with(kReadOnly)) {
    served.read_only = true;
    rest.remove_suffix(kReadOnly.size());
  }
  if (rest.empty()) return served;
  if (!rest.starts_with(kToolset) || rest.find('/', kToolset.size()) != rest.npos) {
    return fail(ErrorCode::NotFound,
                "there is no " + std::string(path) +
                    "; there are ROOT, ROOT/readonly, ROOT/x/TOOLSET and ROOT/x/TOOLSET/readonly, "
                    "ROOT being /mcp, or /sse for clients of 2024-11-05");
  }
  const std::string_view toolset = rest.substr(kToolset.size());
  const auto names = offered(served);
  if (!holds(names, toolset)) return tl::unexpected(no_toolset(toolset, names));
  if (!served.tools.empty()) {
    return fail(
        ErrorCode::NotFound,
        "this server names its tools one by one (--tools), not by toolsets; use /mcp or /sse");
  }
  served.toolsets = {std::string(toolset)};
  return served;
}

}  // namespace mahavishnu::app
