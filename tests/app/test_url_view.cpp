#include <doctest/doctest.h>

#include "app/url_view.h"

namespace mahavishnu::app {
namespace {

using Names = std::vector<std::string>;

mcp::View served(Names toolsets = {}, Names tools = {}) {
  mcp::View view;
  view.caller = "token";
  view.toolsets = std::move(toolsets);
  view.tools = std::move(tools);
  return view;
}

std::string refusal(std::string_view path, mcp::View view = served()) {
  const auto found = view_of(path, std::move(view));
  REQUIRE_FALSE(found.has_value());
  CHECK(found.error().code == base::ErrorCode::NotFound);
  return found.error().message;
}

TEST_SUITE("url_view") {
  TEST_CASE("the endpoint alone is what the server was started with") {
    const auto view = view_of("/mcp", served({"core", "ops"}));
    CHECK(view->toolsets == Names{"core", "ops"});
    CHECK_FALSE(view->read_only);
    CHECK(view->caller == "token");
  }

  TEST_CASE("readonly hides what changes something, and nothing else") {
    const auto view = view_of("/mcp/readonly", served({"ops"}));
    CHECK(view->read_only);
    CHECK(view->toolsets == Names{"ops"});
  }

  TEST_CASE("the old stream has the same below it") {
    CHECK(is_sse_path("/sse"));
    CHECK(is_sse_path("/sse/readonly"));
    CHECK_FALSE(is_sse_path("/ssex"));
    CHECK_FALSE(is_mcp_path("/sse"));
    CHECK(view_of("/sse/readonly", served())->read_only);
    CHECK(view_of("/sse/x/ops", served())->toolsets == Names{"ops"});
    CHECK(refusal("/sse/nope").find("/sse") != std::string::npos);
  }

  TEST_CASE("a toolset by its URL is that one alone") {
    CHECK(view_of("/mcp/x/ops", served())->toolsets == Names{"ops"});
    CHECK(view_of("/mcp/x/all", served())->toolsets == Names{"all"});
    const auto both = view_of("/mcp/x/ops/readonly", served());
    CHECK(both->toolsets == Names{"ops"});
    CHECK(both->read_only);
  }

  TEST_CASE("a URL does not widen what the server was started with") {
    mcp::View read_only = served();
    read_only.read_only = true;
    CHECK(view_of("/mcp/x/core", read_only)->read_only);
    CHECK(refusal("/mcp/x/ops", served({"core"})).ends_with("there are core"));
    CHECK(refusal("/mcp/x/all", served({"core"})).ends_with("there are core"));
    CHECK(view_of("/mcp/x/ops", served({"all"}))->toolsets == Names{"ops"});
    CHECK(refusal("/mcp/x/core", served({}, {"task_get"})).find("--tools") != std::string::npos);
  }

  TEST_CASE("nonsense is told what there is") {
    for (const char* path : {"/mcp/", "/mcp/x", "/mcp/x/", "/mcp/x/nosuch", "/mcp/x/core/",
                             "/mcp/x/core/x", "/mcp/readonly/x/core", "/mcp//readonly"}) {
      CAPTURE(path);
      CHECK(refusal(path).find("there are ") != std::string::npos);
    }
    CHECK(refusal("/mcp/x/OPS").find("ops") != std::string::npos);
  }

  TEST_CASE("only the endpoint and what is below it is its business") {
    CHECK(is_mcp_path("/mcp"));
    CHECK(is_mcp_path("/mcp/anything"));
    CHECK_FALSE(is_mcp_path("/mcpx"));
    CHECK_FALSE(is_mcp_path("/tools/call"));
  }
}

}  // namespace
}  // namespace mahavishnu::app
