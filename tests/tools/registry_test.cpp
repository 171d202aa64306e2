// What a client sees of the tools before it calls one, and the manifest that says the same.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "desk.h"

using mahavishnu::mcp::Effect;
using mahavishnu::mcp::Schema;
using mahavishnu::rpc::Json;
using mahavishnu::support::Desk;

namespace {

std::string file_in_checkout(const std::string& name) {
  std::ifstream file(std::string(MAHAVISHNU_CHECKOUT) + "/" + name);
  REQUIRE_MESSAGE(file.good(), name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// What tools/list shows of one tool.
std::string listed(const mahavishnu::mcp::Tool& tool) {
  const Json annotations{{"title", tool.title},
                         {"readOnlyHint", tool.effect == Effect::ReadOnly},
                         {"destructiveHint", tool.effect == Effect::Destructive},
                         {"idempotentHint", true},
                         {"openWorldHint", tool.open_world}};
  const Json entry{{"name", tool.name},
                   {"title", tool.title},
                   {"description", tool.description},
                   {"annotations", annotations},
                   {"inputSchema", Json::parse(tool.input_schema)},
                   {"outputSchema", Json::parse(tool.output_schema)}};
  return entry.dump();
}

void check_input_schema(const Json& schema, const std::string& where) {
  CAPTURE(where);
  for (const char* keyword : {"oneOf", "anyOf", "allOf", "$ref", "$defs", "definitions"}) {
    CHECK_FALSE(schema.contains(keyword));
  }
  if (schema.value("type", "") == "object" && schema.contains("properties")) {
    CHECK(schema.value("additionalProperties", Json(true)) == Json(false));
    for (const auto& [name, property] : schema["properties"].items()) {
      check_input_schema(property, where + "." + name);
    }
  }
  if (schema.contains("items")) check_input_schema(schema["items"], where + "[]");
}

}  // namespace

TEST_SUITE("registry") {
  TEST_CASE("the tools are these, in this order") {
    const Desk desk;
    std::string names;
    for (const auto& tool : desk.tools) names += tool.name + " ";
    CHECK(
        names ==
        "repo_list workflow_run workflow_get workflow_list workflow_cancel task_submit task_batch "
        "task_get task_output task_cancel task_list pool_spawn pool_list pool_monitor pool_scale "
        "pool_close pool_health memory_store memory_search memory_sync log_search "
        "metrics_get explain breaker_list breaker_reset message_publish message_poll message_ack "
        "message_topics cache_stats cache_invalidate audit_search ");
  }

  TEST_CASE("every tool says what it is for, briefly") {
    const Desk desk;
    for (const auto& tool : desk.tools) {
      CAPTURE(tool.name);
      CHECK(tool.title.size() >= 5);
      CHECK(tool.description.size() >= 50);
      CHECK(tool.description.size() <= 350);
    }
  }

  TEST_CASE("what is served by default stays under 8,000 tokens, the instructions under 300") {
    const Desk desk;
    std::map<std::string, std::size_t> bytes;
    for (const auto& tool : desk.tools) bytes[tool.toolset] += listed(tool).size();
    CHECK(bytes["core"] / 4 <= 8000);
    CHECK(bytes["message"] / 4 <= 2000);
    CHECK(mahavishnu::tools::instructions().size() / 4 <= 300);
  }

  TEST_CASE("every tool is in a set that can be asked for, and every set has tools") {
    const Desk desk;
    std::set<std::string> sets{"all"};
    for (const auto& tool : desk.tools) sets.insert(tool.toolset);
    const auto known = mahavishnu::tools::toolsets();
    CHECK(sets == std::set<std::string>(known.begin(), known.end()));
    CHECK(desk.tool("repo_list").toolset == "core");
    CHECK(desk.tool("message_poll").toolset == "message");
  }

  TEST_CASE("input schemas are shallow, closed and free of what some hosts refuse") {
    const Desk desk;
    for (const auto& tool : desk.tools) {
      const Json schema = Json::parse(tool.input_schema);
      CHECK(schema["type"] == "object");
      check_input_schema(schema, tool.name);
      CHECK(Json::parse(tool.output_schema)["type"] == "object");
      CHECK(Schema::compile(tool.input_schema).has_value());
      CHECK(Schema::compile(tool.output_schema).has_value());
    }
  }

  TEST_CASE("what changes state is told apart from what only looks") {
    const Desk desk;
    std::set<std::string> readers;
    for (const auto& tool : desk.tools) {
      if (tool.effect == Effect::ReadOnly) readers.insert(tool.name);
    }
    CHECK(readers == std::set<std::string>{"repo_list", "workflow_get", "workflow_list", "task_get",
                                           "task_output", "task_list", "pool_list", "pool_monitor",
                                           "pool_health", "memory_search", "log_search",
                                           "metrics_get", "explain", "breaker_list", "cache_stats",
                                           "message_topics", "audit_search"});
    CHECK(desk.tool("task_cancel").effect == Effect::Destructive);
    CHECK(desk.tool("task_submit").open_world);
  }

  TEST_CASE("every tool is in a toolset that can be asked for") {
    const Desk desk;
    const auto& known = mahavishnu::tools::toolsets();
    for (const auto& tool : desk.tools) {
      CHECK_MESSAGE(std::find(known.begin(), known.end() - 1, tool.toolset) != known.end() - 1,
                    tool.name);
    }
    CHECK(known.front() == mahavishnu::mcp::Tool().toolset);
  }

  TEST_CASE("what is not built is in no schema") {
    const Desk desk;
    for (const auto& tool : desk.tools) {
      const std::string text = tool.input_schema + tool.output_schema;
      for (const char* word : {"\"prompt\"", "\"tokens\"", "\"cost\"", "\"isolation\"", "\"redis\"",
                               "\"dirty\"", "\"events\""}) {
        CHECK_MESSAGE(text.find(word) == std::string::npos, tool.name << " has " << word);
      }
    }
  }
}

TEST_SUITE("manifest") {
  TEST_CASE("it names the tools of the registry and the version of the build") {
    const Desk desk;
    const Json manifest = Json::parse(file_in_checkout("mcp-manifest.json"));
    Json names = Json::array();
    for (const auto& tool : desk.tools) names.push_back(tool.name);
    CHECK(manifest["extensions"]["x-mahavishnu"]["tools"] == names);
    CHECK(manifest["server"]["version"] == MAHAVISHNU_VERSION);
  }

  TEST_CASE("it is valid once the packaged binary's checksum is filled in, and not before") {
    const auto schema =
        Schema::compile(file_in_checkout("tests/data/mcp-manifest-v1.0.schema.json"));
    REQUIRE_MESSAGE(schema.has_value(), schema.error().message);
    Json manifest = Json::parse(file_in_checkout("mcp-manifest.json"));
    CHECK_FALSE(schema->violations(manifest).empty());
    for (Json& way : manifest["install"]) {
      CHECK(way["method"] == "prebuilt-binary");
      CHECK_FALSE(way.contains("checksum"));
      way["checksum"] = "sha256:" + std::string(64, '0');
    }
    for (const auto& violation : schema->violations(manifest)) FAIL_CHECK(violation);
  }
}
