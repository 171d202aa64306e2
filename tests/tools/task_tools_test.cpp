#include <set>

#include "desk.h"
#include "tools/token_estimate.h"

using mahavishnu::base::ErrorCode;
using mahavishnu::base::Millis;
using mahavishnu::domain::Reason;
using mahavishnu::rpc::Json;
using mahavishnu::support::Desk;
using mahavishnu::tools::estimated_tokens;
using mahavishnu::tools::kAnswerTokens;

namespace {

const std::string kNoTask = "task_01ARZ3NDEKTSV4RRFFQ69G5FAV";
const std::string kNoBatch = "batch_01ARZ3NDEKTSV4RRFFQ69G5FAV";

std::string submitted(Desk& desk, Json arguments = {{"command", "make"}}) {
  return desk.ask("task_submit", std::move(arguments))["task"];
}

Json batch_of(int tasks) {
  Json items = Json::array();
  for (int i = 0; i < tasks; ++i) items.push_back({{"command", "make"}});
  return {{"tasks", std::move(items)}};
}

}  // namespace

TEST_SUITE("task_submit") {
  TEST_CASE("it answers the task once it is on disk") {
    Desk desk;
    desk.world.journal.hold = true;
    const auto pending =
        desk.begin("task_submit", {{"command", "make"}, {"repo", "a"}, {"labels", {{"k", "v"}}}});
    CHECK_FALSE(pending->has_value());
    desk.world.journal.hold = false;
    desk.world.journal.release();
    desk.world.poll();
    const Json task = desk.answer("task_submit", pending);
    CHECK(task["existing"] == false);
    CHECK(task["repo"] == "api");
    CHECK(task["pool"] == "default");
    CHECK(task["labels"]["k"] == "v");
  }

  TEST_CASE("with a wait it answers the result") {
    Desk desk;
    const auto pending = desk.begin("task_submit", {{"command", "make"}, {"wait_ms", 5000}});
    CHECK_FALSE(pending->has_value());
    desk.end(0, Reason::ExitCode, 2, "no rule");
    const Json task = desk.answer("task_submit", pending);
    CHECK(task["state"] == "failed");
    CHECK(task["reason"] == "exit_code");
    CHECK(task["result"]["text"] == "no rule");
    CHECK(task["attempts"][0]["exit_code"] == 2);
  }

  TEST_CASE("a wait that ends first answers the task as it is") {
    Desk desk;
    const auto pending = desk.begin("task_submit", {{"command", "make"}, {"wait_ms", 5000}});
    desk.world.advance(Millis{5000});
    const Json task = desk.answer("task_submit", pending);
    CHECK((task["state"] == "queued" || task["state"] == "running"));
  }

  TEST_CASE("the same key answers the first task") {
    Desk desk;
    const Json keyed{{"command", "make"}, {"idempotency_key", "k"}};
    const Json first = desk.ask("task_submit", keyed);
    const Json second = desk.ask("task_submit", keyed);
    CHECK(second["task"] == first["task"]);
    CHECK(second["existing"] == true);
    CHECK(desk.world.executor.started().size() == 1);
  }

  TEST_CASE("unknown repositories, pools and places are errors that name them") {
    Desk desk;
    CHECK(desk.refused("task_submit", {{"command", "x"}, {"repo", "apy"}}).code ==
          ErrorCode::NotFound);
    CHECK(desk.refused("task_submit", {{"command", "x"}, {"pool", "gpu"}}).message.find("gpu") !=
          std::string::npos);
    CHECK(desk.refused("task_submit", {{"command", "x"}, {"cwd", "/etc"}}).code ==
          ErrorCode::Denied);
    CHECK(desk.refused("task_submit", {{"command", "x"}, {"depends_on", {kNoTask}}}).code ==
          ErrorCode::NotFound);
    CHECK(desk.refused("task_submit", Json::object()).code == ErrorCode::InvalidArgument);
  }

  TEST_CASE("progress is told while it waits, and grows") {
    Desk desk;
    desk.call.wants = true;
    const auto pending = desk.begin("task_submit", {{"command", "make"}, {"wait_ms", 5000}});
    desk.end(0);
    CHECK(desk.answer("task_submit", pending)["state"] == "completed");
    CHECK_FALSE(desk.call.told.empty());
  }

  TEST_CASE("the progress of a tool is told, line by line, and its answer comes as structure") {
    Desk desk;
    desk.ask("pool_spawn",
             {{"name", "buddy"}, {"type", "mcp"}, {"settings", {{"command", {"server"}}}}});
    desk.call.wants = true;
    const auto pending = desk.begin("task_submit", {{"tool", "index"}, {"wait_ms", 9000}});
    auto& callers = desk.world.callers;
    const auto fence = callers.started().at(0);
    callers.begin(fence);
    desk.world.poll();
    callers.write(fence, "progress 1/3: a\n[info] noise\nprogress 2/3: b\nprog");
    desk.world.poll();
    callers.write(fence, "ress 3/3: c\n");
    desk.world.poll();
    mahavishnu::domain::AttemptEnded end;
    end.fence = fence;
    end.reason = mahavishnu::domain::Reason::Ok;
    end.result.structured = R"({"n":[1,2.50]})";
    callers.end(end);
    desk.world.poll();
    const Json answer = desk.answer("task_submit", pending);
    CHECK(answer["worker_type"] == "mcp");
    CHECK(answer["result"]["structured"] == Json{{"n", {1, 2.5}}});
    const auto& told = desk.call.told;
    CHECK(std::count(told.begin(), told.end(), "2/3: b") == 1);
    CHECK(std::count(told.begin(), told.end(), "3/3: c") == 1);
    CHECK(told.back() == "completed");
  }

  TEST_CASE("a task that has ended before it is looked at tells its progress, too") {
    Desk desk;
    desk.world.executor.end_on_start = true;
    const Json input{{"command", "make"}, {"wait_ms", 5000}, {"idempotency_key", "once"}};
    REQUIRE(desk.ask("task_submit", input)["state"] == "completed");
    desk.call.wants = true;
    CHECK(desk.ask("task_submit", input)["existing"] == true);
    CHECK_FALSE(desk.call.told.empty());
  }
}

TEST_SUITE("task_batch") {
  TEST_CASE("it answers the tasks in order") {
    Desk desk;
    const Json answer = desk.ask("task_batch", batch_of(3));
    CHECK(answer["tasks"].size() == 3);
    CHECK(answer["refused"] == 0);
    CHECK(answer["tasks"][0] < answer["tasks"][1]);
    CHECK_FALSE(answer.contains("errors"));
  }

  TEST_CASE("one bad item never fails the others, and equal errors are told once") {
    Desk desk;
    const Json answer = desk.ask("task_batch", {{"tasks",
                                                 {{{"command", "a"}},
                                                  {{"comand", "b"}},
                                                  5,
                                                  {{"command", "c"}, {"priority", 9}},
                                                  {{"command", "d"}, {"priority", 9}},
                                                  {{"command", "e"}, {"repo", "none"}}}}});
    CHECK(answer["refused"] == 5);
    CHECK(answer["tasks"][0].is_string());
    CHECK(answer["tasks"][1].is_null());
    CHECK(answer["errors"].size() == 4);
    CHECK(answer["errors"][2]["items"] == Json{3, 4});
    CHECK(answer["errors"][2]["message"] ==
          "task.priority: expected an integer from 0 to 4, got 9");
    CHECK(answer["errors"][3]["code"] == "NotFound");
  }

  TEST_CASE("defaults fill in what an item leaves out") {
    Desk desk;
    const Json answer = desk.ask(
        "task_batch", {{"tasks", {{{"command", "a"}}, {{"command", "b"}, {"repo", "web"}}}},
                       {"defaults", {{"repo", "api"}, {"labels", {{"k", "v"}}}}}});
    CHECK(desk.ask("task_get", {{"task", answer["tasks"][0]}})["repo"] == "api");
    CHECK(desk.ask("task_get", {{"task", answer["tasks"][1]}})["repo"] == "web");
    CHECK(desk.ask("task_get", {{"task", answer["tasks"][1]}})["labels"]["k"] == "v");
  }

  TEST_CASE("a key among the defaults would make all tasks one, and is refused") {
    Desk desk;
    Json arguments = batch_of(2);
    arguments["defaults"] = {{"idempotency_key", "k"}};
    CHECK(desk.refused("task_batch", arguments).message.find("idempotency_key") !=
          std::string::npos);
  }

  TEST_CASE("of a thousand the ids that fit are answered, and task_get goes on") {
    Desk desk;
    Json arguments = batch_of(1000);
    arguments["tasks"][3] = 5;  // refused
    const Json answer = desk.ask("task_batch", arguments);
    CHECK(estimated_tokens(answer.dump()) <= kAnswerTokens);
    const std::size_t shown = answer["tasks"].size();
    CHECK(shown > 300);
    CHECK(answer["left_out"] == 1000 - shown);
    CHECK(answer["tasks"][3].is_null());
    std::set<std::string> ids;
    for (const Json& id : answer["tasks"]) {
      if (id.is_string()) ids.insert(id);
    }
    Json page = answer;
    while (page.contains("next_cursor")) {
      page = desk.ask("task_get", {{"batch", answer["batch"]},
                                   {"limit", 500},
                                   {"cursor", page["next_cursor"]}});
      for (const Json& item : page["items"]) CHECK(ids.insert(item["task"]).second);
    }
    CHECK(ids.size() == 999);
  }

  TEST_CASE("a batch that fits has nothing left out") {
    Desk desk;
    const Json answer = desk.ask("task_batch", batch_of(100));
    CHECK(answer["tasks"].size() == 100);
    CHECK_FALSE(answer.contains("left_out"));
    CHECK_FALSE(answer.contains("next_cursor"));
  }

  TEST_CASE("with a wait it answers how they ended") {
    Desk desk;
    Json arguments = batch_of(2);
    arguments["wait_ms"] = 5000;
    const auto pending = desk.begin("task_batch", arguments);
    desk.end(0);
    CHECK_FALSE(pending->has_value());
    desk.end(1, Reason::ExitCode, 1);
    CHECK(desk.answer("task_batch", pending)["counts"] == Json{{"completed", 1}, {"failed", 1}});
  }

  TEST_CASE("tasks that a key already named are waited for as well") {
    Desk desk;
    const std::string task = submitted(desk, {{"command", "make"}, {"idempotency_key", "k"}});
    const auto pending = desk.begin(
        "task_batch",
        {{"tasks", {{{"command", "make"}, {"idempotency_key", "k"}}}}, {"wait_ms", 5000}});
    CHECK_FALSE(pending->has_value());
    desk.end(0);
    const Json answer = desk.answer("task_batch", pending);
    CHECK(answer["tasks"][0] == task);
    CHECK(answer["counts"]["completed"] == 1);
    CHECK_FALSE(answer.contains("batch"));
  }

  TEST_CASE("progress counts what has ended") {
    Desk desk;
    desk.call.wants = true;
    Json arguments = batch_of(2);
    arguments["wait_ms"] = 5000;
    const auto pending = desk.begin("task_batch", arguments);
    desk.end(0);
    desk.end(1);
    desk.answer("task_batch", pending);
    CHECK(desk.call.told.front() == "0/2 tasks");
    CHECK(desk.call.told.back() == "2/2 tasks");
    CHECK(desk.call.totals.back() == 2);
  }
}

TEST_SUITE("task_get") {
  TEST_CASE("a task that does not exist, and a text that is no id, are errors") {
    Desk desk;
    CHECK(desk.refused("task_get", {{"task", kNoTask}}).code == ErrorCode::NotFound);
    CHECK(desk.refused("task_get", {{"task", "nonsense"}}).code == ErrorCode::InvalidArgument);
    CHECK(desk.refused("task_get", {{"batch", kNoBatch}}).code == ErrorCode::NotFound);
  }

  TEST_CASE("exactly one of task and batch is wanted") {
    Desk desk;
    CHECK(desk.refused("task_get", Json::object()).message ==
          "give exactly one of task, batch; none came");
    CHECK(desk.refused("task_get", {{"task", kNoTask}, {"batch", kNoBatch}}).code ==
          ErrorCode::InvalidArgument);
  }

  TEST_CASE("an ended task is answered alike again, without a look at anything") {
    Desk desk;
    const std::string task = submitted(desk);
    desk.end(0);
    const Json first = desk.ask("task_get", {{"task", task}});
    CHECK(first["state"] == "completed");
    auto quick = desk.tool("task_get").handler({{"task", task}}, desk.call);
    CHECK(Json::parse(*desk.world.run(std::move(quick))) == first);
  }

  TEST_CASE("until change answers when anything changed") {
    Desk desk;
    const std::string task = submitted(desk);
    const auto pending =
        desk.begin("task_get", {{"task", task}, {"wait_ms", 9000}, {"until", "change"}});
    CHECK_FALSE(pending->has_value());
    desk.end(0);
    CHECK(desk.answer("task_get", pending)["state"] == "completed");
  }

  TEST_CASE("a batch is shown with counts, in order and in pages") {
    Desk desk;
    const Json batch = desk.ask("task_batch", batch_of(5));
    desk.end(0);
    const Json first = desk.ask("task_get", {{"batch", batch["batch"]}, {"limit", 3}});
    CHECK(first["counts"]["completed"] == 1);
    CHECK(first["items"].size() == 3);
    CHECK(first["items"][0]["task"] == batch["tasks"][0]);
    const Json second = desk.ask(
        "task_get", {{"batch", batch["batch"]}, {"limit", 3}, {"cursor", first["next_cursor"]}});
    CHECK(second["items"].size() == 2);
    CHECK(second["items"][1]["task"] == batch["tasks"][4]);
    CHECK_FALSE(second.contains("next_cursor"));
    CHECK(desk.refused("task_get", {{"batch", batch["batch"]}, {"cursor", "x"}}).code ==
          ErrorCode::InvalidArgument);
  }

  TEST_CASE("a batch is waited for") {
    Desk desk;
    const Json batch = desk.ask("task_batch", batch_of(2));
    const auto pending = desk.begin("task_get", {{"batch", batch["batch"]}, {"wait_ms", 9000}});
    desk.end(0);
    CHECK_FALSE(pending->has_value());
    desk.end(1);
    CHECK(desk.answer("task_get", pending)["counts"] == Json{{"completed", 2}});
  }
}

TEST_SUITE("task_output") {
  TEST_CASE("the end of an ended task's output, and that it is the end") {
    Desk desk;
    const std::string task = submitted(desk);
    desk.end(0, Reason::Ok, 0, "hello");
    const Json output = desk.ask("task_output", {{"task", task}});
    CHECK(output["text"] == "hello");
    CHECK(output["eof"] == true);
    CHECK_FALSE(output.contains("next_cursor"));
  }

  TEST_CASE("a cursor goes on where the last piece ended") {
    Desk desk;
    const std::string task = submitted(desk);
    desk.end(0, Reason::Ok, 0, "0123456789");
    const Json first = desk.ask("task_output", {{"task", task}, {"offset", 0}, {"max_bytes", 4}});
    CHECK(first["text"] == "0123");
    const Json second = desk.ask("task_output", {{"task", task}, {"cursor", first["next_cursor"]}});
    CHECK(second["text"] == "456789");
  }

  TEST_CASE("cursors that contradict are refused") {
    Desk desk;
    const std::string task = submitted(desk);
    CHECK(desk.refused("task_output", {{"task", task}, {"cursor", "all:1"}, {"offset", 1}}).code ==
          ErrorCode::InvalidArgument);
    CHECK(
        desk.refused("task_output", {{"task", task}, {"cursor", "stdout:1"}, {"stream", "stderr"}})
            .code == ErrorCode::InvalidArgument);
    CHECK(desk.refused("task_output", {{"task", task}, {"cursor", "junk"}}).code ==
          ErrorCode::InvalidArgument);
    CHECK(desk.refused("task_output", {{"task", kNoTask}}).code == ErrorCode::NotFound);
  }

  TEST_CASE("output that escapes blow up is given in smaller pieces") {
    Desk desk;
    const std::string task = submitted(desk);
    desk.end(0, Reason::Ok, 0, std::string(30000, '\x01'));
    const Json output =
        desk.ask("task_output", {{"task", task}, {"offset", 0}, {"max_bytes", 32768}});
    const auto given = output["text"].get<std::string>().size();
    CHECK(given > 1000);
    CHECK(given < 5000);
    CHECK(output["next_offset"] == given);
    CHECK(output["eof"] == false);
  }

  TEST_CASE("prose is given in one piece of the longest size") {
    Desk desk;
    const std::string task = submitted(desk);
    std::string prose;
    while (prose.size() < 40000) prose += "the server said what it does and why, ";
    desk.end(0, Reason::Ok, 0, prose);
    const Json output =
        desk.ask("task_output", {{"task", task}, {"offset", 0}, {"max_bytes", 32768}});
    CHECK(output["next_offset"] == 32768);
  }

  TEST_CASE("a wait is over when a running task writes") {
    Desk desk;
    const std::string task = submitted(desk);
    const auto pending = desk.begin("task_output", {{"task", task}, {"wait_ms", 9000}});
    CHECK_FALSE(pending->has_value());
    desk.world.executor.write(desk.fence(0), "line");
    desk.world.poll();
    const Json output = desk.answer("task_output", pending);
    CHECK(output["text"] == "line");
    CHECK(output["eof"] == false);
    CHECK(output["next_cursor"].is_string());
  }
}

TEST_SUITE("task_cancel") {
  TEST_CASE("a queued task is cancelled, an ended one said to be so") {
    Desk desk;
    const std::string task =
        submitted(desk, {{"command", "x"}, {"not_before", "2040-01-01T00:00:00Z"}});
    const Json first = desk.ask("task_cancel", {{"task", task}, {"wait_ms", 1000}});
    CHECK(first["items"][0]["outcome"] == "cancelled");
    CHECK(first["items"][0]["ended"] == true);
    CHECK(first["processes_left"] == 0);
    const Json second = desk.ask("task_cancel", {{"task", task}});
    CHECK(second["items"][0]["outcome"] == "already_ended");
    CHECK(second["already_ended"] == 1);
  }

  TEST_CASE("what still ends when the wait is over is said to end still") {
    Desk desk;
    const std::string task = submitted(desk);
    const Json answer = desk.ask("task_cancel", {{"task", task}});
    CHECK(answer["items"][0]["outcome"] == "cancelled");
    CHECK(answer["items"][0]["ended"] == false);
    CHECK_FALSE(answer["items"][0].contains("processes_left"));
    CHECK(answer["still_ending"] == 1);
  }

  TEST_CASE("a batch is cancelled as a whole, with those that had ended") {
    Desk desk;
    const Json batch = desk.ask("task_batch", batch_of(3));
    desk.end(0);
    const Json answer = desk.ask("task_cancel", {{"batch", batch["batch"]}});
    CHECK(answer["items"].size() == 3);
    CHECK(answer["already_ended"] == 1);
    CHECK(answer["cancelled"] == 2);
  }

  TEST_CASE("a filter needs a condition or all: true, and not both") {
    Desk desk;
    CHECK(desk.refused("task_cancel", {{"filter", {{"all", false}}}}).code ==
          ErrorCode::InvalidArgument);
    CHECK(desk.refused("task_cancel", {{"filter", {{"all", true}, {"repo", "api"}}}}).code ==
          ErrorCode::InvalidArgument);
    CHECK(desk.refused("task_cancel", {{"filter", {{"repo", ""}}}}).code ==
          ErrorCode::InvalidArgument);
    CHECK(desk.refused("task_cancel", {{"filter", {{"pool", "gpu"}}}}).code == ErrorCode::NotFound);
    CHECK(desk.refused("task_cancel", Json::object()).code == ErrorCode::InvalidArgument);
  }

  TEST_CASE("a filter ends what it meets and nothing else") {
    Desk desk;
    submitted(desk, {{"command", "x"}, {"repo", "api"}});
    submitted(desk, {{"command", "x"}, {"repo", "web"}});
    submitted(desk, {{"command", "x"}, {"labels", {{"team", "red"}}}});
    CHECK(desk.ask("task_cancel", {{"filter", {{"label", "team=blue"}}}})["cancelled"] == 0);
    CHECK(desk.ask("task_cancel", {{"filter", {{"label", "team=red"}}}})["cancelled"] == 1);
    CHECK(desk.refused("task_cancel", {{"filter", {{"label", "team"}}}}).message ==
          "filter.label: expected key=value, got \"team\"");
    const Json answer = desk.ask("task_cancel", {{"filter", {{"repo", "a"}}}});
    CHECK(answer["cancelled"] == 1);
    CHECK(desk.ask("task_cancel", {{"filter", {{"all", true}}}})["cancelled"].get<int>() >= 1);
    CHECK(desk.ask("task_cancel", {{"filter", {{"repo", "unheard-of"}}}})["items"].empty());
  }
}

TEST_SUITE("task_list") {
  TEST_CASE("it filters and shows the short form") {
    Desk desk;
    submitted(desk, {{"command", "x"}, {"repo", "api"}});
    submitted(desk, {{"command", "x"}, {"repo", "web"}});
    CHECK(desk.ask("task_list")["items"].size() == 2);
    const Json answer = desk.ask("task_list", {{"repo", "a"}});
    CHECK(answer["items"].size() == 1);
    CHECK(answer["items"][0]["repo"] == "api");
    CHECK_FALSE(answer["items"][0].contains("attempts"));
  }

  TEST_CASE("filters that match nothing answer an empty list") {
    Desk desk;
    submitted(desk);
    CHECK(desk.ask("task_list", {{"pool", "gpu"}})["items"].empty());
    CHECK(desk.ask("task_list", {{"repo", "unheard-of"}})["items"].empty());
    CHECK(desk.ask("task_list", {{"state", "dead"}})["items"].empty());
  }

  TEST_CASE("pages are cut to the size of an answer and lose nothing") {
    Desk desk;
    Json arguments = batch_of(300);
    arguments["defaults"] = {{"labels", {{"text", std::string(200, 'l')}}}};
    desk.ask("task_batch", arguments);
    std::size_t seen = 0;
    Json query{{"limit", 500}};
    for (int pages = 0; pages < 20; ++pages) {
      const Json answer = desk.ask("task_list", query);
      seen += answer["items"].size();
      if (!answer.contains("next_cursor")) break;
      query["cursor"] = answer["next_cursor"];
    }
    CHECK(seen == 300);
  }

  TEST_CASE("a reason, an order or a time that is none is refused") {
    Desk desk;
    CHECK(desk.refused("task_list", {{"reason", "boredom"}}).code == ErrorCode::InvalidArgument);
    CHECK(desk.refused("task_list", {{"label", "=x"}}).code == ErrorCode::InvalidArgument);
    CHECK(desk.ask("task_list", {{"since", "2020-01-01T00:00:00Z"}, {"order", "oldest"}})["items"]
              .empty());
  }
}
