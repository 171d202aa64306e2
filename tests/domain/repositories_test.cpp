#include <doctest/doctest.h>

#include "domain/repositories.h"

using namespace mahavishnu::domain;

namespace {

Repository repo(std::string name, std::vector<std::string> tags = {}, std::string role = "",
                std::vector<std::string> nicknames = {}) {
  return {name, "/src/" + name, std::move(nicknames), std::move(tags), std::move(role), ""};
}

std::shared_ptr<const RepositoryIndex> three() {
  return RepositoryIndex::build({repo("alpha", {"node", "web"}, "api", {"al"}),
                                 repo("beta", {"node"}, "library"), repo("gamma", {"rust"}, "api")})
      .value();
}

std::vector<std::string> names(const std::vector<const Repository*>& found) {
  std::vector<std::string> all;
  for (const Repository* repository : found) all.push_back(repository->name);
  return all;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_SUITE_BEGIN("RepositoryIndex");

TEST_CASE("a repository is found by name and by nickname") {
  CHECK(three()->find("beta").value()->path == "/src/beta");
  CHECK(three()->find("al").value()->name == "alpha");
}

TEST_CASE("a name nobody has is answered with the nearest one") {
  CHECK(three()->find("gama").error().code == ErrorCode::NotFound);
  CHECK(three()->find("gama").error().message == "no repository \"gama\"; did you mean \"gamma\"?");
}

TEST_CASE("tags and roles keep the order of the file") {
  CHECK(names(three()->with_tag("node")) == Names{"alpha", "beta"});
  CHECK(names(three()->with_role("api")) == Names{"alpha", "gamma"});
  CHECK(three()->with_tag("python").empty());
}

TEST_CASE("filters intersect") {
  CHECK(names(three()->select({false, "node", "api", {}}).value()) == Names{"alpha"});
  CHECK(names(three()->select({false, "", "", {"gamma", "al"}}).value()) ==
        Names{"alpha", "gamma"});
  CHECK(three()->select({true, "", "", {}}).value().size() == 3);
}

TEST_CASE("a selection of nothing is refused and says which filter met nothing") {
  CHECK(three()->select({}).error().code == ErrorCode::InvalidArgument);
  CHECK(three()->select({false, "nod", "", {}}).error().message ==
        "no repository has the tag \"nod\"; did you mean \"node\"?");
  CHECK(three()->select({false, "rust", "library", {}}).error().message ==
        "no repository meets all filters at once; give fewer of them");
  CHECK(three()->select({false, "", "", {"delta"}}).error().code == ErrorCode::NotFound);
}

TEST_CASE("two repositories of one name or nickname are refused") {
  const auto twice = RepositoryIndex::build({repo("a"), repo("b", {}, "", {"a"})});
  CHECK(twice.error().message.find("\"a\" names both") == 0);
  CHECK_FALSE(RepositoryIndex::build({repo("a"), repo("a")}).has_value());
}

TEST_CASE("an empty name and a relative path are refused") {
  CHECK_FALSE(RepositoryIndex::build({repo("")}).has_value());
  Repository relative = repo("a");
  relative.path = "src/a";
  CHECK(RepositoryIndex::build({relative}).error().message ==
        "the path \"src/a\" of repository \"a\" is not absolute");
}

TEST_CASE("nearest answers only what is near") {
  CHECK(nearest("timeout_ms", {"timeouts", "timeout_ns"}) == "timeout_ns");
  CHECK(nearest("xyz", {"alpha"}) == "");
  CHECK(nearest("ab", {"cd"}) == "");
}

TEST_SUITE_END();
