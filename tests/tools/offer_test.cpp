#include "tools/offer.h"

#include "desk.h"

using mahavishnu::base::ErrorCode;
using mahavishnu::domain::Reason;
using mahavishnu::rpc::Json;
using mahavishnu::support::Desk;
namespace mcp = mahavishnu::mcp;
namespace tools = mahavishnu::tools;
namespace domain = mahavishnu::domain;

namespace {

const std::string kNoTask = "task_01ARZ3NDEKTSV4RRFFQ69G5FAV";

// A desk with what is offered besides tools.
struct Shelf {
  Desk desk;
  mcp::Offer offer = tools::offer(desk.context, desk.tools);

  using Read = mahavishnu::base::Result<std::vector<mcp::ResourceContents>>;
  Read read(const std::string& uri) {
    for (const auto& resource : offer.resources) {
      if (resource.uri == uri) return ended(resource.read(uri, {}, desk.call));
    }
    for (const auto& one : offer.templates) {
      const auto parsed = mcp::UriTemplate::parse(one.uri_template);
      REQUIRE(parsed.has_value());
      auto values = parsed->match(uri);
      if (values) return ended(one.read(uri, std::move(*values), desk.call));
    }
    FAIL("no template matches " << uri);
    return {};
  }
  std::string text(const std::string& uri) {
    const auto contents = read(uri);
    REQUIRE_MESSAGE(contents.has_value(), contents.error().message);
    REQUIRE(contents->size() == 1);
    CHECK(contents->front().uri == uri);
    return contents->front().body;
  }

  const mcp::Prompt& prompt(const std::string& name) const {
    for (const auto& one : offer.prompts) {
      if (one.name == name) return one;
    }
    throw std::runtime_error("no prompt " + name);
  }
  auto get(const std::string& name, mcp::Arguments arguments) {
    return ended(prompt(name).get(std::move(arguments), desk.call));
  }
  std::string says(const std::string& name, mcp::Arguments arguments = {}) {
    const auto messages = get(name, std::move(arguments));
    REQUIRE_MESSAGE(messages.has_value(), messages.error().message);
    REQUIRE(messages->size() == 1);
    return std::get<mcp::Text>(messages->front().content.block).text;
  }
  std::vector<std::string> completes(const mcp::Completer& complete, const std::string& argument,
                                     const std::string& begun) {
    const auto found = ended(complete(argument, begun, {}, desk.call));
    REQUIRE(found.has_value());
    return found->values;
  }

  std::string submitted(Json arguments = {{"command", "make"}}) {
    return desk.ask("task_submit", std::move(arguments))["task"];
  }

 private:
  template <class T>
  T ended(mahavishnu::base::awaitable<T> work) {
    const auto result = desk.world.start(std::move(work));
    desk.world.poll();
    REQUIRE(result->has_value());
    return std::move(**result);
  }
};

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE("resources") {
  TEST_CASE("a task is what task_get answers") {
    Shelf shelf;
    const std::string task = shelf.submitted();
    const std::string text = shelf.text("mahavishnu://task/" + task);
    CHECK(Json::parse(text) == shelf.desk.ask("task_get", {{"task", task}}));
  }

  TEST_CASE("a task that is not there, or no id at all, is the reader's mistake") {
    Shelf shelf;
    CHECK(shelf.read("mahavishnu://task/" + kNoTask).error().code == ErrorCode::NotFound);
    CHECK(shelf.read("mahavishnu://task/nonsense").error().code == ErrorCode::InvalidArgument);
    CHECK(shelf.read("mahavishnu://task/nonsense/output").error().code == ErrorCode::NotFound);
    CHECK(shelf.read("mahavishnu://task/" + kNoTask + "/output").error().code ==
          ErrorCode::NotFound);
  }

  TEST_CASE("output is text, and what an ended task wrote stays") {
    Shelf shelf;
    const std::string task = shelf.submitted();
    shelf.desk.end(0, Reason::Ok, 0, "all is built\n");
    const auto contents = shelf.read("mahavishnu://task/" + task + "/output");
    CHECK(contents->front().mime_type == "text/plain");
    CHECK(contents->front().body == "all is built\n");
  }

  TEST_CASE("a workflow is what workflow_get answers") {
    Shelf shelf;
    const Json run = shelf.desk.ask(
        "workflow_run", {{"over", {{"all", true}}}, {"steps", {{{"id", "t"}, {"command", "x"}}}}});
    const std::string id = run["workflow"];
    const Json read = Json::parse(shelf.text("mahavishnu://workflow/" + id));
    CHECK(read["workflow"] == id);
    CHECK(read["cells"].size() == run["cells"].size());
  }

  TEST_CASE("a pool by its name and by its id") {
    Shelf shelf;
    const Json by_name = Json::parse(shelf.text("mahavishnu://pool/default"));
    CHECK(by_name["name"] == "default");
    const std::string id = by_name["pool"];
    CHECK(Json::parse(shelf.text("mahavishnu://pool/" + id)) == by_name);
    CHECK(shelf.read("mahavishnu://pool/nosuch").error().code == ErrorCode::NotFound);
  }

  TEST_CASE("a repository by its name and by a nickname") {
    Shelf shelf;
    const Json api = Json::parse(shelf.text("mahavishnu://repo/api"));
    CHECK(api["path"] == "/repos/api");
    CHECK(Json::parse(shelf.text("mahavishnu://repo/a"))["name"] == "api");
    CHECK(shelf.read("mahavishnu://repo/nosuch").error().code == ErrorCode::NotFound);
  }

  TEST_CASE("metrics are those of metrics_get") {
    Shelf shelf;
    CHECK(Json::parse(shelf.text("mahavishnu://metrics")).contains("counters"));
  }

  TEST_CASE("what tells of changes names what is read") {
    Shelf shelf;
    const std::string task = shelf.submitted();
    const auto id = *domain::TaskId::parse(task);
    CHECK(tools::task_uri(id) == "mahavishnu://task/" + task);
    CHECK_FALSE(shelf.text(tools::task_uri(id)).empty());
    CHECK(shelf.read(tools::output_uri(id)).has_value());
    CHECK(shelf.read(tools::pool_uri("default")).has_value());
  }
}

TEST_SUITE("completions") {
  TEST_CASE("what begins so comes before what holds it, in any case of letters") {
    Shelf shelf;
    for (const char* name : {"arm-fast", "fast", "slow"}) {
      shelf.desk.ask("pool_spawn", {{"name", name}});
    }
    const auto& pool = shelf.offer.templates.at(3);
    REQUIRE(pool.name == "pool");
    CHECK(shelf.completes(pool.complete, "pool", "FA") ==
          std::vector<std::string>{"fast", "arm-fast", "default"});
    CHECK(shelf.completes(pool.complete, "pool", "zzz").empty());
  }

  TEST_CASE("tasks and workflows by their ids, repositories by name, tags and roles") {
    Shelf shelf;
    const std::string task = shelf.submitted();
    CHECK(shelf.completes(shelf.offer.templates.at(0).complete, "task", "task_") ==
          std::vector<std::string>{task});
    CHECK(shelf.completes(shelf.offer.templates.at(4).complete, "name", "ap") ==
          std::vector<std::string>{"api"});
    const auto& complete = shelf.prompt("sweep").complete;
    const auto tags = shelf.completes(complete, "tag", "");
    CHECK_FALSE(tags.empty());
    CHECK(std::is_sorted(tags.begin(), tags.end()));
    CHECK(shelf.completes(complete, "change", "x").empty());
    CHECK(shelf.completes(shelf.prompt("standup").complete, "since", "2") ==
          std::vector<std::string>{"24h"});
  }
}

TEST_SUITE("prompts") {
  TEST_CASE("sweep names the repositories it is about and how to choose them") {
    Shelf shelf;
    const std::string all = shelf.says("sweep", {{"change", "raise the year"}});
    CHECK(holds(all, "raise the year"));
    CHECK(holds(all, R"({"all":true})"));
    CHECK(holds(all, "api"));
    const auto& index = *shelf.desk.world.service->repositories();
    const auto& tagged = *index.find("api").value();
    REQUIRE_FALSE(tagged.tags.empty());
    const std::string some = shelf.says(
        "sweep", {{"change", "x"}, {"tag", tagged.tags.front()}, {"check", "make test"}});
    CHECK(holds(some, R"({"tag":")" + tagged.tags.front() + "\"}"));
    CHECK(holds(some, "make test"));
    CHECK(shelf.get("sweep", {{"change", "x"}, {"tag", "nosuch"}}).error().code ==
          ErrorCode::InvalidArgument);
  }

  TEST_CASE("triage shows what failed, with the end of its output") {
    Shelf shelf;
    CHECK(holds(shelf.says("triage"), "none"));
    const std::string failed = shelf.submitted();
    shelf.desk.end(0, Reason::ExitCode, 2, "undefined reference");
    shelf.submitted();
    shelf.desk.end(1);
    const std::string text = shelf.says("triage");
    CHECK(holds(text, failed));
    CHECK(holds(text, "undefined reference"));
  }

  TEST_CASE("triage of one workflow is about that one") {
    Shelf shelf;
    const Json run = shelf.desk.ask(
        "workflow_run", {{"over", {{"all", true}}}, {"steps", {{{"id", "t"}, {"command", "x"}}}}});
    const std::string id = run["workflow"];
    CHECK(holds(shelf.says("triage", {{"workflow", id}}), "in workflow " + id));
    CHECK(shelf.get("triage", {{"workflow", "wf_01ARZ3NDEKTSV4RRFFQ69G5FAV"}}).error().code ==
          ErrorCode::NotFound);
    CHECK(shelf.get("triage", {{"workflow", "x"}}).error().code == ErrorCode::InvalidArgument);
  }

  TEST_CASE("standup tells workflows and failures since a time or a span") {
    Shelf shelf;
    const Json run = shelf.desk.ask(
        "workflow_run", {{"over", {{"all", true}}}, {"steps", {{{"id", "t"}, {"command", "x"}}}}});
    CHECK(holds(shelf.says("standup", {{"since", "8h"}}), run["workflow"].get<std::string>()));
    CHECK(holds(shelf.says("standup", {{"since", "2020-01-01T00:00:00Z"}}), "since 2020-01-01"));
    for (const char* wrong : {"yesterday", "h", "-1h", "5x", "99999999999999999999d", "24hh"}) {
      CAPTURE(wrong);
      CHECK(shelf.get("standup", {{"since", wrong}}).error().code == ErrorCode::InvalidArgument);
    }
  }
}
