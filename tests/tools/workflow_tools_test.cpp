#include "desk.h"

using mahavishnu::base::ErrorCode;
using mahavishnu::base::Millis;
using mahavishnu::domain::Reason;
using mahavishnu::rpc::Json;
using mahavishnu::support::Desk;

namespace {

const std::string kNoWorkflow = "wf_01ARZ3NDEKTSV4RRFFQ69G5FAV";

Json over_all(Json more = Json::object()) {
  Json arguments{{"steps", Json::array({{{"id", "test"}, {"command", "make test"}}})},
                 {"over", {{"all", true}}}};
  arguments.update(more);
  return arguments;
}

}  // namespace

TEST_SUITE("workflow_run") {
  TEST_CASE("it answers one cell a step and repository") {
    Desk desk;
    const Json workflow = desk.ask("workflow_run", over_all({{"labels", {{"k", "v"}}}}));
    CHECK(workflow["cells"].size() == 3);
    CHECK(workflow["progress"] == 0);
    CHECK(workflow["counts"]["total"] == 3);
    CHECK(workflow["existing"] == false);
    CHECK(workflow["labels"]["k"] == "v");
    CHECK(workflow["cells"][0]["step"] == "test");
  }

  TEST_CASE("its cells stand as workflow_get shows them") {
    Desk desk;
    const Json steps = Json::array({{{"id", "one"}, {"command", "x"}},
                                    {{"id", "two"}, {"command", "y"}, {"depends_on", {"one"}}}});
    const Json begun = desk.ask("workflow_run", over_all({{"steps", steps}}));
    const Json later = desk.ask("workflow_get", {{"workflow", begun["workflow"]}});
    REQUIRE(begun["cells"].size() == 6);
    REQUIRE(later["cells"].size() == 6);
    for (std::size_t cell = 0; cell < 6; ++cell) {
      CHECK(begun["cells"][cell]["task"] == later["cells"][cell]["task"]);
    }
  }

  TEST_CASE("filters choose the repositories, and nothing chosen is refused") {
    Desk desk;
    CHECK(
        desk.ask("workflow_run", over_all({{"over", {{"tag", "node"}, {"repos", {"a"}}}}}))["cells"]
            .size() == 1);
    CHECK(desk.refused("workflow_run", over_all({{"over", {{"tag", "none"}}}})).code ==
          ErrorCode::InvalidArgument);
    CHECK(desk.refused("workflow_run", over_all({{"over", {{"repos", {"apy"}}}}})).code !=
          ErrorCode::Internal);
  }

  TEST_CASE("a graph that is none is refused with the step's name") {
    Desk desk;
    const Json steps = Json::array({{{"id", "a"}, {"command", "x"}, {"depends_on", {"b"}}}});
    const auto error = desk.refused("workflow_run", over_all({{"steps", steps}}));
    CHECK(error.code == ErrorCode::InvalidArgument);
    CHECK(error.message.find("\"b\"") != std::string::npos);
  }

  TEST_CASE("the same key answers the first workflow") {
    Desk desk;
    const Json first = desk.ask("workflow_run", over_all({{"idempotency_key", "k"}}));
    const Json second = desk.ask("workflow_run", over_all({{"idempotency_key", "k"}}));
    CHECK(second["workflow"] == first["workflow"]);
    CHECK(second["existing"] == true);
  }

  TEST_CASE("with a wait and a progress token it tells cells as they end") {
    Desk desk;
    desk.call.wants = true;
    const auto pending = desk.begin("workflow_run", over_all({{"wait_ms", 9000}}));
    desk.end(0);
    desk.end(1, Reason::ExitCode, 1, "broken");
    CHECK_FALSE(pending->has_value());
    desk.end(2);
    const Json workflow = desk.answer("workflow_run", pending);
    CHECK(workflow["state"] == "partial");
    CHECK(workflow["progress"] == 100);
    CHECK(desk.call.told.front() == "0/3 cells, 0 failed");
    CHECK(desk.call.told.size() >= 3);
    CHECK(desk.call.totals.front() == 3);
  }
}

TEST_SUITE("workflow_get") {
  TEST_CASE("a failed cell shows the end of its output and why") {
    Desk desk;
    const std::string id = desk.ask("workflow_run", over_all())["workflow"];
    desk.end(0, Reason::ExitCode, 3, "assertion failed");
    const Json failed = desk.ask("workflow_get", {{"workflow", id}, {"state", "failed"}});
    REQUIRE(failed["cells"].size() == 1);
    CHECK(failed["cells"][0]["error_tail"] == "assertion failed");
    CHECK(failed["cells"][0]["reason"] == "exit_code");
    CHECK(failed["counts"]["failed"] == 1);
    CHECK(failed["progress"] == 33);
  }

  TEST_CASE("cells are chosen by repository and step") {
    Desk desk;
    const std::string id = desk.ask("workflow_run", over_all())["workflow"];
    CHECK(desk.ask("workflow_get", {{"workflow", id}, {"repo", "a"}})["cells"].size() == 1);
    CHECK(desk.ask("workflow_get", {{"workflow", id}, {"step", "none"}})["cells"].empty());
    CHECK(desk.ask("workflow_get", {{"workflow", id}, {"limit", 2}})["cells"].size() == 2);
  }

  TEST_CASE("it waits for the end, and until change for anything") {
    Desk desk;
    const std::string id = desk.ask("workflow_run", over_all())["workflow"];
    const auto done = desk.begin("workflow_get", {{"workflow", id}, {"wait_ms", 9000}});
    const auto change =
        desk.begin("workflow_get", {{"workflow", id}, {"wait_ms", 9000}, {"until", "change"}});
    desk.end(0);
    CHECK(change->has_value());
    CHECK_FALSE(done->has_value());
    desk.end(1);
    desk.end(2);
    CHECK(desk.answer("workflow_get", done)["state"] == "completed");
  }

  TEST_CASE("a workflow that does not exist is an error") {
    Desk desk;
    CHECK(desk.refused("workflow_get", {{"workflow", kNoWorkflow}}).code == ErrorCode::NotFound);
    CHECK(desk.refused("workflow_get", {{"workflow", "x"}}).code == ErrorCode::InvalidArgument);
    CHECK(desk.refused("workflow_cancel", {{"workflow", kNoWorkflow}}).code == ErrorCode::NotFound);
  }
}

TEST_SUITE("workflow_list") {
  TEST_CASE("workflows are listed in short form, newest first") {
    Desk desk;
    const std::string first = desk.ask("workflow_run", over_all())["workflow"];
    desk.world.advance(Millis{5});
    const std::string second = desk.ask("workflow_run", over_all())["workflow"];
    const Json list = desk.ask("workflow_list");
    REQUIRE(list["items"].size() == 2);
    CHECK(list["items"][0]["workflow"] == second);
    CHECK(list["items"][0]["steps"] == Json{"test"});
    CHECK(list["items"][0]["repos"] == 3);
    CHECK(desk.ask("workflow_list", {{"state", "failed"}})["items"].empty());
  }
}

TEST_SUITE("workflow_cancel") {
  TEST_CASE("it ends what runs and what waits, and counts them") {
    Desk desk;
    const std::string id = desk.ask("workflow_run", over_all())["workflow"];
    desk.end(0);
    const auto pending = desk.begin("workflow_cancel", {{"workflow", id}, {"wait_ms", 9000}});
    CHECK_FALSE(pending->has_value());
    desk.end(1, Reason::CancelledByCaller);
    desk.end(2, Reason::CancelledByCaller);
    const Json answer = desk.answer("workflow_cancel", pending);
    CHECK(answer["cancelled"] == 2);
    CHECK(answer["processes_left"] == 0);
    CHECK(answer["still_ending"] == 0);
    CHECK(desk.ask("workflow_get", {{"workflow", id}})["counts"]["cancelled"] == 2);
  }
}
