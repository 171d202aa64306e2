#include "tools/repo_answers.h"

#include "desk.h"

using mahavishnu::base::ErrorCode;
using mahavishnu::base::Millis;
using mahavishnu::domain::RepositoryIndex;
using mahavishnu::rpc::Json;
using mahavishnu::support::Desk;
namespace domain = mahavishnu::domain;
namespace base = mahavishnu::base;

namespace {

std::vector<std::string> names_in(const Json& answer) {
  std::vector<std::string> all;
  for (const Json& item : answer["items"]) all.push_back(item["name"]);
  return all;
}

}  // namespace

TEST_SUITE("repo_list") {
  TEST_CASE("it shows every repository and what it is at") {
    Desk desk;
    const Json answer = desk.ask("repo_list");
    CHECK(names_in(answer) == std::vector<std::string>{"api", "web", "ops"});
    CHECK(answer["total"] == 3);
    const Json& api = answer["items"][0];
    CHECK(api["branch"] == "main");
    CHECK(api["head"] == std::string(40, 'a'));
    CHECK(api["exists"] == true);
    CHECK(api["nicknames"] == Json{"a"});
    CHECK(api["role"] == "service");
  }

  TEST_CASE("filters intersect, and meeting nothing is an empty list") {
    Desk desk;
    CHECK(names_in(desk.ask("repo_list", {{"tag", "node"}})) ==
          std::vector<std::string>{"api", "web"});
    CHECK(names_in(desk.ask("repo_list", {{"tag", "node"}, {"role", "ui"}})) ==
          std::vector<std::string>{"web"});
    CHECK(names_in(desk.ask("repo_list", {{"query", "THE api"}})) ==
          std::vector<std::string>{"api"});
    CHECK(names_in(desk.ask("repo_list", {{"tag", "none"}})).empty());
  }

  TEST_CASE("pages follow each other") {
    Desk desk;
    const Json first = desk.ask("repo_list", {{"limit", 2}});
    CHECK(names_in(first) == std::vector<std::string>{"api", "web"});
    const Json second = desk.ask("repo_list", {{"limit", 2}, {"cursor", first["next_cursor"]}});
    CHECK(names_in(second) == std::vector<std::string>{"ops"});
    CHECK_FALSE(second.contains("next_cursor"));
    CHECK(desk.refused("repo_list", {{"cursor", "gone"}}).code == ErrorCode::InvalidArgument);
  }

  TEST_CASE("asking again costs no look until the answer ages") {
    Desk desk;
    desk.ask("repo_list");
    for (int i = 0; i < 100; ++i) desk.ask("repo_list");
    CHECK(desk.git.looks == 1);
  }

  TEST_CASE("an ageing answer is given at once while a new look is under way") {
    Desk desk;
    desk.ask("repo_list");
    desk.git.at["/repos/api"].branch = "topic";
    desk.world.advance(Millis{1500});
    CHECK(desk.ask("repo_list")["items"][0]["branch"] == "main");
    CHECK(desk.git.looks == 2);
    CHECK(desk.ask("repo_list")["items"][0]["branch"] == "topic");
  }

  TEST_CASE("an old answer is looked up anew before it is given") {
    Desk desk;
    desk.ask("repo_list");
    desk.git.at["/repos/api"].branch = "topic";
    desk.world.advance(Millis{2500});
    CHECK(desk.ask("repo_list")["items"][0]["branch"] == "topic");
  }

  TEST_CASE("work that ended may have moved a branch: the next answer knows") {
    Desk desk;
    desk.ask("repo_list");
    desk.ask("task_submit", {{"command", "git checkout topic"}, {"repo", "api"}});
    desk.git.at["/repos/api"].branch = "topic";
    desk.end(0);
    CHECK(desk.ask("repo_list")["items"][0]["branch"] == "topic");
  }

  TEST_CASE("a new list of repositories is shown at once") {
    Desk desk;
    desk.ask("repo_list");
    desk.world.service->set_repositories(
        *RepositoryIndex::build({{"new", "/repos/new", {}, {}, "", ""}}));
    const Json answer = desk.ask("repo_list");
    CHECK(names_in(answer) == std::vector<std::string>{"new"});
    CHECK(answer["items"][0]["exists"] == false);
  }

  TEST_CASE("callers that come together share one look") {
    Desk desk;
    desk.git.hold = true;
    const auto first = desk.begin("repo_list", Json::object());
    const auto second = desk.begin("repo_list", Json::object());
    CHECK_FALSE(first->has_value());
    CHECK(desk.git.looks == 1);
    desk.git.release();
    desk.world.poll();
    CHECK(names_in(desk.answer("repo_list", first)).size() == 3);
    CHECK(names_in(desk.answer("repo_list", second)).size() == 3);
  }

  TEST_CASE("a look that began before the call is not enough for it") {
    Desk desk;
    desk.git.hold = true;
    const auto early = desk.begin("repo_list", Json::object());
    desk.world.advance(Millis{10});
    const auto late = desk.begin("repo_list", Json::object());
    desk.git.release();
    desk.world.poll();
    CHECK(early->has_value());
    CHECK_FALSE(late->has_value());
    desk.git.at["/repos/api"].branch = "topic";
    desk.git.release();
    desk.world.poll();
    CHECK(desk.answer("repo_list", late)["items"][0]["branch"] == "topic");
  }

  TEST_CASE("when nobody can look, the list says so and the next call tries again") {
    Desk desk;
    desk.git.fail_with = base::Error{ErrorCode::Exhausted, "too many looks", 2000};
    const Json answer = desk.ask("repo_list");
    CHECK(answer["items"][0]["problem"] == "too many looks");
    CHECK_FALSE(answer["items"][0].contains("exists"));
    desk.git.fail_with.reset();
    CHECK(desk.ask("repo_list")["items"][0]["branch"] == "main");
  }

  TEST_CASE("what a repository lacks is said beside it") {
    Desk desk;
    desk.git.at["/repos/web"] = {false, "", "", "the directory is not there"};
    const Json web = desk.ask("repo_list")["items"][1];
    CHECK(web["exists"] == false);
    CHECK(web["problem"] == "the directory is not there");
    CHECK_FALSE(web.contains("branch"));
  }

  TEST_CASE("a long list is cut to the size of an answer and goes on by its cursor") {
    Desk desk;
    std::vector<domain::Repository> many;
    for (int i = 0; i < 300; ++i) {
      const std::string name = "repo" + std::to_string(1000 + i);
      many.push_back({name, "/repos/" + name, {}, {"many"}, "", std::string(300, 'd')});
    }
    desk.world.service->set_repositories(*RepositoryIndex::build(many));
    std::size_t seen = 0;
    Json arguments{{"limit", 500}};
    for (int pages = 0; pages < 20; ++pages) {
      const Json answer = desk.ask("repo_list", arguments);
      CHECK(answer["total"] == 300);
      seen += answer["items"].size();
      if (!answer.contains("next_cursor")) break;
      arguments["cursor"] = answer["next_cursor"];
    }
    CHECK(seen == 300);
  }

  TEST_CASE("the kept answers are bounded") {
    Desk desk;
    for (int i = 0; i < 200; ++i) desk.ask("repo_list", {{"query", "q" + std::to_string(i)}});
    const int looks = desk.git.looks;
    desk.ask("repo_list", {{"query", "q199"}});
    CHECK(desk.git.looks == looks);
    desk.ask("repo_list", {{"query", "q0"}});
    CHECK(desk.git.looks == looks + 1);
  }
}
