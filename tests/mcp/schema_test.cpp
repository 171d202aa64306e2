#include <doctest/doctest.h>

#include "mcp/schema.h"

using mahavishnu::mcp::Schema;
using mahavishnu::rpc::Json;

namespace {

using Sentences = std::vector<std::string>;

constexpr const char* kSchema = R"({
  "type": "object", "additionalProperties": false, "required": ["pool"],
  "properties": {
    "pool": {"type": "string", "minLength": 1, "maxLength": 8},
    "command": {"type": "string"},
    "until": {"type": "string", "enum": ["done", "change"]},
    "priority": {"type": "integer", "minimum": 0, "maximum": 4},
    "factor": {"type": "number", "exclusiveMinimum": 0},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "name": {"type": ["string", "null"], "pattern": "^[a-z]+$"},
    "timeouts": {"$ref": "#/definitions/timeouts"},
    "argv": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3,
             "uniqueItems": true},
    "when": {"type": "string", "format": "date-time"},
    "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
    "steps": {"type": "array", "items": {"type": "object", "required": ["id"],
              "properties": {"id": {"type": "string"}}, "additionalProperties": false}}
  },
  "definitions": {"timeouts": {"type": "object", "additionalProperties": false,
    "properties": {"run_ms": {"type": "integer"}}}}
})";

Sentences violations(Json document) {
  const auto schema = Schema::compile(kSchema);
  REQUIRE(schema);
  document.emplace("pool", "gpu");
  return schema->violations(document);
}

}  // namespace

TEST_SUITE("schema") {
  TEST_CASE("a valid document has no violations") {
    CHECK(violations({{"priority", 4}, {"argv", {"a", "b"}}, {"labels", {{"k", "v"}}}}).empty());
    CHECK(violations({{"name", nullptr}, {"either", 3}}).empty());
  }

  TEST_CASE("a wrong type names the path, what was expected and what came") {
    CHECK(violations({{"timeouts", {{"run_ms", "5s"}}}}) ==
          Sentences{R"(arguments/timeouts/run_ms: expected integer, got string "5s")"});
    CHECK(violations({{"name", true}}) ==
          Sentences{"arguments/name: expected string or null, got true"});
    CHECK(violations({{"argv", {"a", Json::array({1, 2})}}}) ==
          Sentences{"arguments/argv/1: expected string, got array of 2"});
    CHECK(violations({{"labels", {{"k", 7}}}}) ==
          Sentences{"arguments/labels/k: expected string, got integer 7"});
    CHECK(violations({{"priority", 1.5}}) ==
          Sentences{"arguments/priority: expected integer, got number 1.5"});
    CHECK(violations({{"command", Json::object()}}) ==
          Sentences{"arguments/command: expected string, got object with 0 keys"});
  }

  TEST_CASE("an unknown argument says what may have been meant") {
    CHECK(violations({{"comand", "ls"}}) ==
          Sentences{R"(arguments: unknown argument "comand"; did you mean "command"?)"});
    CHECK(violations({{"zzzzzzzzzz", 1}}) ==
          Sentences{R"(arguments: unknown argument "zzzzzzzzzz")"});
    CHECK(violations({{"timeouts", {{"run", 5}}}}) ==
          Sentences{R"(arguments/timeouts: unknown key "run")"});
    CHECK(violations({{"timeouts", {{"runms", 5}}}}) ==
          Sentences{R"(arguments/timeouts: unknown key "runms"; did you mean "run_ms"?)"});
  }

  TEST_CASE("what is missing is named") {
    const auto schema = Schema::compile(kSchema);
    Json empty = Json::object();
    CHECK(schema->violations(empty) == Sentences{R"(missing required argument "pool")"});
    CHECK(violations({{"steps", {Json::object()}}}) ==
          Sentences{R"(arguments/steps/0: missing required "id")"});
  }

  TEST_CASE("an enum lists what it takes, and the nearest") {
    CHECK(violations({{"until", "changes"}}) ==
          Sentences{R"(arguments/until: expected one of "done", "change", got string "changes";)"
                    R"( did you mean "change"?)"});
  }

  TEST_CASE("limits name the limit and the value") {
    CHECK(violations({{"priority", 9}}) ==
          Sentences{"arguments/priority: expected at most 4, got 9"});
    CHECK(violations({{"priority", -1}}) ==
          Sentences{"arguments/priority: expected at least 0, got -1"});
    CHECK(violations({{"factor", 0}}) ==
          Sentences{"arguments/factor: expected more than 0, got 0"});
    CHECK(violations({{"pool", ""}}) ==
          Sentences{"arguments/pool: expected a string that is not empty"});
    CHECK(violations({{"pool", "äöüäöüäöü"}}) ==
          Sentences{"arguments/pool: expected at most 8 characters, got 9"});
    CHECK(violations({{"argv", Json::array()}}) ==
          Sentences{"arguments/argv: expected at least 1 items, got 0"});
    CHECK(violations({{"argv", {"a", "b", "c", "d"}}}) ==
          Sentences{"arguments/argv: expected at most 3 items, got 4"});
    CHECK(violations({{"argv", {"a", "a"}}}) ==
          Sentences{R"(arguments/argv/1: expected no item twice, got string "a" again)"});
    CHECK(violations({{"name", "A1"}}) ==
          Sentences{R"(arguments/name: expected a string like /^[a-z]+$/, got string "A1")"});
  }

  TEST_CASE("several violations are told together, at most five") {
    CHECK(violations({{"priority", "x"}, {"until", 1}, {"comand", 1}}).size() == 3);
    CHECK(violations({{"a1", 1}, {"a2", 1}, {"a3", 1}, {"a4", 1}, {"a5", 1}, {"a6", 1}}).size() ==
          5);
  }

  TEST_CASE("a violation the walk does not know is still told, with its path") {
    const auto found = violations({{"either", Json::array()}});
    REQUIRE(!found.empty());
    CHECK(found.front().starts_with("arguments/either: "));
    CHECK(found.front().ends_with(" It got array of 0."));
    CHECK(violations({{"when", "tomorrow"}}).front().ends_with(" It got string \"tomorrow\"."));
  }

  TEST_CASE("a long value is cut") {
    const auto found = violations({{"until", std::string(500, 'x')}});
    REQUIRE(found.size() == 1);
    CHECK(found.front().size() < 200);
  }

  TEST_CASE("5.0 is an integer, and the handler sees 5") {
    const auto schema = Schema::compile(kSchema);
    Json document{{"pool", "gpu"}, {"priority", 3.0}};
    CHECK(schema->violations(document).empty());
    CHECK(document["priority"].is_number_integer());
  }

  TEST_CASE("what is no schema of an object does not compile") {
    CHECK(!Schema::compile("{"));
    CHECK(!Schema::compile("[]"));
    CHECK(!Schema::compile(R"({"type":"array"})"));
    CHECK(!Schema::compile(R"({"properties":{}})"));
    CHECK(!Schema::compile(R"({"type":"object","properties":5})"));
    CHECK(!Schema::compile(R"({"type":"object","properties":{"a":{"$ref":"http://x/y"}}})"));
  }

  TEST_CASE("the text has no line feed and keeps its keys in order") {
    const auto schema = Schema::compile("{\"type\":\"object\",\n\"properties\":{},\n\"a\":1}");
    CHECK(schema->text() == "{\"type\":\"object\", \"properties\":{}, \"a\":1}");
  }
}
