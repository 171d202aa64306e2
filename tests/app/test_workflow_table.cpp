#include <doctest/doctest.h>

#include "app/workflow_table.h"

namespace mahavishnu::app {
namespace {

using rpc::Json;

constexpr TableSize kPlain{100, 24, false};

Json cell(const char* repo, const char* step, const char* state, const char* reason = "") {
  return {{"repo", repo}, {"step", step}, {"state", state}, {"reason", reason}};
}

Json workflow(Json cells, Json steps = {"test"}) {
  return {{"workflow", "wf_1"},
          {"state", "running"},
          {"progress", 40},
          {"counts", {{"total", 3}, {"failed", 1}, {"running", 0}, {"completed", 2}}},
          {"steps", std::move(steps)},
          {"cells", std::move(cells)}};
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_SUITE("workflow table") {
  TEST_CASE("the head says what runs, how far it is and what became of it") {
    const auto lines = workflow_table(workflow({cell("a", "test", "running")}), 1.25, kPlain);
    CHECK(lines[0] == "wf_1  running  40 %  1.2 s  1 failed, 2 completed");
  }

  TEST_CASE("a row a repository, a column a step") {
    const auto lines =
        workflow_table(workflow({cell("a", "test", "completed", "ok"), cell("a", "clean", "queued"),
                                 cell("b", "test", "failed", "exit_code")},
                                {"test", "clean"}),
                       0, kPlain);
    REQUIRE(lines.size() == 4);
    CHECK(holds(lines[1], "repository  test                clean"));
    CHECK(holds(lines[2], "b           FAIL exit_code"));
    CHECK(holds(lines[3], "a           ok                  waits"));
  }

  TEST_CASE("what failed comes first, steps for all repositories last") {
    const auto lines =
        workflow_table(workflow({cell("", "test", "failed"), cell("d", "test", "completed"),
                                 cell("c", "test", "queued"), cell("b", "test", "running"),
                                 cell("a", "test", "dead")}),
                       0, kPlain);
    REQUIRE(lines.size() == 7);
    const char* order[] = {"a ", "b ", "c ", "d ", "(all)"};
    for (int i = 0; i < 5; ++i) CHECK(lines[static_cast<std::size_t>(i) + 2].starts_with(order[i]));
  }

  TEST_CASE("what was never run is skipped, not failed") {
    const auto text = joined(
        workflow_table(workflow({cell("a", "test", "cancelled", "dependency_failed")}), 0, kPlain));
    CHECK(holds(text, "skipped"));
  }

  TEST_CASE("more rows than lines are counted on the last one") {
    Json cells = Json::array();
    for (int i = 0; i < 50; ++i) {
      cells.push_back(
          cell(("r" + std::to_string(i)).c_str(), "test", i < 2 ? "failed" : "completed"));
    }
    const auto lines = workflow_table(workflow(cells), 0, {100, 10, false});
    REQUIRE(lines.size() == 10);
    CHECK(lines.back() == "… and 43 more, 43 done");
  }

  TEST_CASE("no line is wider than the terminal") {
    Json cells = {
        cell("a-repository-with-a-very-long-name-indeed", "first", "failed", "total_timeout"),
        cell("ünïcödé", "second-step-with-a-long-name", "running")};
    for (const bool colour : {false, true}) {
      const auto lines = workflow_table(workflow(cells, {"first", "second-step-with-a-long-name"}),
                                        0, {60, 24, colour});
      for (const auto& line : lines) CHECK_MESSAGE(columns_of(line) <= 60, line);
    }
  }

  TEST_CASE("an empty answer is a head and no rows") {
    CHECK(workflow_table(Json::object(), 0, kPlain).size() == 2);
  }

  TEST_CASE("texts are cut at characters, not at bytes") {
    CHECK(clipped("äöü", 3) == "äöü");
    CHECK(clipped("äöüß", 3) == "äö…");
    CHECK(clipped("abc", 0).empty());
    CHECK(columns_of("\x1b[31mred\x1b[0m") == 3);
  }
}

}  // namespace
}  // namespace mahavishnu::app
