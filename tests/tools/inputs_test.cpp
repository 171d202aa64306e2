#include "tools/inputs.h"

#include <doctest/doctest.h>

using mahavishnu::base::Millis;
using mahavishnu::base::Result;
using mahavishnu::control::Service;
using mahavishnu::rpc::Json;
namespace domain = mahavishnu::domain;
namespace base = mahavishnu::base;
using namespace mahavishnu::tools;

namespace {

const std::string kTask = "task_01ARZ3NDEKTSV4RRFFQ69G5FAV";

template <class T>
Result<T> taken(const Json& document, T (*read)(Reader&, const Asker&),
                Asker asker = {"me", "/home/me"}) {
  std::optional<Error> problem;
  Reader reader(document, "", problem);
  T value = read(reader, asker);
  if (auto good = reader.finish(); !good) return fail(good.error());
  return value;
}

Result<Service::SubmitArgs> task(const Json& document) { return taken(document, read_task); }
Result<Service::WorkflowArgs> workflow(const Json& document) {
  return taken(document, read_workflow);
}

std::string refusal(const auto& result) { return result ? "" : result.error().message; }

Json steps(Json step) {
  return {{"over", {{"all", true}}}, {"steps", Json::array({std::move(step)})}};
}

}  // namespace

TEST_SUITE("task arguments") {
  TEST_CASE("the least a task needs gets the defaults of the catalogue") {
    const auto args = task({{"command", "make"}});
    REQUIRE(args);
    CHECK(args->spec.work.command == "make");
    CHECK(args->spec.caller == "me");
    CHECK(args->spec.priority == 2);
    CHECK(args->spec.timeouts.idle == Millis{600000});
    CHECK(args->spec.timeouts.run == Millis{1800000});
    CHECK(args->spec.retry.max_attempts == 1);
    CHECK(args->pool == "");
    CHECK(args->spec.selector == domain::Selector::LeastLoaded);
  }

  TEST_CASE("every argument arrives") {
    const auto args =
        task({{"argv", {"git", "fetch"}},
              {"pool", "gpu"},
              {"repo", "api"},
              {"cwd", "sub"},
              {"stdin", "in"},
              {"env", {{"A", "1"}}},
              {"priority", 4},
              {"timeouts", {{"queue_ms", 1}, {"total_ms", 2}}},
              {"retry", {{"max_attempts", 3}, {"backoff_ms", 5}, {"factor", 3}, {"jitter", 0}}},
              {"idempotency_key", "k"},
              {"depends_on", {kTask}},
              {"verify", "true"},
              {"labels", {{"team", "x"}}},
              {"not_before", "2030-01-01T00:00:00Z"}});
    REQUIRE_MESSAGE(args, refusal(args));
    CHECK(args->spec.work.argv == std::vector<std::string>{"git", "fetch"});
    CHECK(args->pool == "gpu");
    CHECK(args->spec.work.cwd == "sub");
    CHECK(args->spec.work.stdin_text == "in");
    CHECK(args->spec.timeouts.total == Millis{2});
    CHECK(args->spec.retry.factor == 3);
    CHECK(args->spec.depends_on.front().str() == kTask);
    CHECK(args->spec.not_before.has_value());
    CHECK(args->spec.work.verify == "true");
  }

  TEST_CASE("command and argv together, or neither, are refused") {
    CHECK(refusal(task(Json::object())) == "give exactly one of command, argv, tool; none came");
    CHECK(refusal(task({{"command", "a"}, {"argv", {"b"}}})) ==
          "give exactly one of command, argv, tool; more than one came");
    CHECK(refusal(task({{"command", ""}})) != "");
    CHECK(refusal(task({{"argv", Json::array()}})) != "");
    CHECK(refusal(task({{"argv", {""}}})) != "");
  }

  TEST_CASE("a tool and its arguments arrive, the arguments as text") {
    const auto args =
        task({{"tool", "search"}, {"arguments", {{"query", "é"}}}, {"pool", "buddy"}});
    REQUIRE_MESSAGE(args, refusal(args));
    CHECK(args->spec.work.tool == "search");
    CHECK(args->spec.work.arguments == R"({"query":"é"})");
    CHECK(args->spec.worker_type == "mcp");
    CHECK(task({{"tool", "search"}})->spec.work.arguments == "");
    CHECK(task({{"tool", "search"}, {"worker_type", "mcp"}}));
  }

  TEST_CASE("what does not go with a tool, or without one, is refused") {
    CHECK(refusal(task({{"tool", ""}})) == "tool: expected a text that is not empty, got \"\"");
    CHECK(refusal(task({{"command", "a"}, {"arguments", Json::object()}})) ==
          "arguments go with a tool");
    CHECK(refusal(task({{"tool", "x"}, {"arguments", {1}}})) ==
          "arguments: expected an object, got a list of 1");
    CHECK(refusal(task({{"tool", "x"}, {"arguments", {{"a", std::string(1U << 20U, 'x')}}}}))
              .find("at most 1048576 are taken") != std::string::npos);
    CHECK(refusal(task({{"tool", "x"}, {"selector", "random"}})).find("name the pool of a tool") !=
          std::string::npos);
    CHECK(refusal(task({{"tool", "x"}, {"worker_type", "shell"}})).find("expected mcp") !=
          std::string::npos);
    CHECK(refusal(task({{"command", "x"}, {"worker_type", "mcp"}})).find("expected shell") !=
          std::string::npos);
  }

  TEST_CASE("a pool and a selector exclude each other") {
    CHECK(refusal(task({{"command", "a"}, {"pool", "p"}, {"selector", "random"}})) ==
          "give pool or selector, not both");
  }

  TEST_CASE("affinity without a key goes by the repository, without one by the caller") {
    CHECK(task({{"command", "a"}, {"selector", "affinity"}, {"repo", "api"}})->spec.affinity_key ==
          "api");
    CHECK(task({{"command", "a"}, {"selector", "affinity"}})->spec.affinity_key == "me");
  }

  TEST_CASE("a relative cwd without a repository is the client's, and needs one") {
    CHECK(task({{"command", "a"}, {"cwd", "x"}})->spec.work.cwd == "/home/me/x");
    CHECK(refusal(taken<Service::SubmitArgs>({{"command", "a"}, {"cwd", "x"}}, read_task,
                                             {"me", ""})) ==
          "cwd: expected an absolute path, or one relative to a repo, got \"x\"");
  }

  TEST_CASE("what a process could not take is refused before it is admitted") {
    CHECK(refusal(task({{"command", std::string(131072, 'x')}})) != "");
    Json argv = Json::array();
    for (int i = 0; i < 20; ++i) argv.push_back(std::string(100000, 'x'));
    CHECK(refusal(task({{"argv", argv}})).find("argv and env come to") != std::string::npos);
  }

  TEST_CASE("a longer first pause than the usual cap is meant") {
    const auto args = task({{"command", "a"}, {"retry", {{"backoff_ms", 900000}}}});
    CHECK(args->spec.retry.max_backoff == Millis{900000});
  }

  TEST_CASE("an id of another kind in depends_on is named") {
    CHECK(refusal(task({{"command", "a"}, {"depends_on", {"wf_x"}}})).find("wf_x") !=
          std::string::npos);
  }
}

TEST_SUITE("batch defaults") {
  TEST_CASE("an item wins over the defaults, entry by entry in its objects") {
    const Json whole = with_defaults({{"command", "a"}, {"env", {{"A", "1"}}}},
                                     {{"env", {{"A", "9"}, {"B", "2"}}}, {"priority", 4}});
    CHECK(whole == Json{{"command", "a"}, {"env", {{"A", "1"}, {"B", "2"}}}, {"priority", 4}});
  }

  TEST_CASE("an item that says what to run or where takes neither from the defaults") {
    const Json whole =
        with_defaults({{"argv", {"x"}}, {"selector", "random"}}, {{"command", "a"}, {"pool", "p"}});
    CHECK(whole == Json{{"argv", {"x"}}, {"selector", "random"}});
    const Json tool{{"tool", "x"}, {"arguments", {{"a", 1}}}};
    CHECK(with_defaults({{"command", "c"}}, tool) == Json{{"command", "c"}});
    CHECK(with_defaults({{"tool", "y"}}, tool) == Json{{"tool", "y"}});
    CHECK(with_defaults({{"arguments", {{"b", 2}}}}, tool) ==
          Json{{"tool", "x"}, {"arguments", {{"a", 1}, {"b", 2}}}});
  }

  TEST_CASE("an item that is no object stays what it is") {
    CHECK(with_defaults(5, {{"command", "a"}}) == Json(5));
  }
}

TEST_SUITE("workflow arguments") {
  TEST_CASE("steps, repositories and pools arrive") {
    const auto args = workflow({{"steps",
                                 {{{"id", "test"}, {"command", "make"}, {"pool", "gpu"}},
                                  {{"id", "sum"},
                                   {"argv", {"x"}},
                                   {"depends_on", {"test"}},
                                   {"when", "always"},
                                   {"each", "once"},
                                   {"on_failure", "continue"}}}},
                                {"over", {{"tag", "node"}, {"repos", {"api"}}}},
                                {"max_parallel", 3}});
    REQUIRE_MESSAGE(args, refusal(args));
    CHECK(args->spec.steps.size() == 2);
    CHECK(args->spec.steps[1].when == domain::When::Always);
    CHECK(args->spec.steps[1].each == domain::Each::Once);
    CHECK(args->spec.max_parallel == 3);
    CHECK(args->step_pools.at("test") == "gpu");
    CHECK(args->over.tag == "node");
    CHECK(args->over.names == std::vector<std::string>{"api"});
  }

  TEST_CASE("a step's problem names the step") {
    CHECK(refusal(workflow(steps({{"id", "a"}}))) ==
          "steps[0]: give exactly one of command, argv, tool; none came");
    CHECK(refusal(
              workflow(steps({{"id", "a"}, {"command", "x"}, {"retry", {{"max_attempts", 0}}}}))) ==
          "steps[0].retry.max_attempts: expected an integer from 1 to 100, got 0");
    CHECK(refusal(workflow(steps({{"command", "x"}}))).find("steps[0].id") == 0);
    CHECK(
        refusal(workflow(steps({{"id", "a"}, {"command", "x"}, {"prompt", "y"}}))).find("prompt") !=
        std::string::npos);
  }

  TEST_CASE("over is everything or filters, never nothing and never both") {
    const auto over = [](Json what) {
      Json document = steps({{"id", "a"}, {"command", "x"}});
      document["over"] = std::move(what);
      return refusal(workflow(document));
    };
    CHECK(over({{"all", true}}) == "");
    CHECK(over(Json::object()) == "over: give either all: true or filters (tag, role, repos)");
    CHECK(over({{"all", false}}) != "");
    CHECK(over({{"all", true}, {"tag", "x"}}) != "");
    CHECK(over({{"tag", ""}}) == "over.tag: expected a text that is not empty, got \"\"");
    CHECK(over({{"repos", Json::array()}}) != "");
  }
}

TEST_SUITE("pool arguments") {
  TEST_CASE("a pool of type mcp has workers of that type, and a server") {
    std::optional<Error> problem;
    const Json document{{"name", "p"},
                        {"type", "mcp"},
                        {"settings",
                         {{"url", "https://host/mcp"},
                          {"token_file", "/etc/token"},
                          {"headers", {{"X-Team", "core"}}},
                          {"ca_file", "/etc/ca.pem"}}}};
    Reader reader(document, "", problem);
    const auto spec = read_pool(reader);
    REQUIRE(reader.finish());
    CHECK(spec.type == "mcp");
    CHECK(spec.worker_type == "mcp");
    CHECK(spec.settings.url == "https://host/mcp");
    CHECK(spec.settings.token_file == "/etc/token");
    CHECK(spec.settings.headers.at("X-Team") == "core");
    CHECK(spec.settings.ca_file == "/etc/ca.pem");
  }

  TEST_CASE("fewer workers at most than at least are refused") {
    std::optional<Error> problem;
    const Json document{{"name", "p"}, {"min_workers", 5}, {"max_workers", 2}};
    Reader reader(document, "", problem);
    read_pool(reader);
    const auto good = reader.finish();
    REQUIRE_FALSE(good);
    CHECK(good.error().message == "min_workers 5 is more than max_workers 2");
  }
}
