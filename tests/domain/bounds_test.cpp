#include "domain/bounds.h"

#include <doctest/doctest.h>

using namespace mahavishnu::domain;

namespace {

const Repository kApi{"api", "/src/api", {}, {"node", "prod"}, "", ""};
const Repository kWeb{"web", "/src/web", {}, {"node"}, "", ""};

}  // namespace

TEST_SUITE("Bounds") {
  TEST_CASE("empty bounds allow everything") {
    const Bounds free;
    CHECK(free.none());
    CHECK(free.check_pool("any"));
    CHECK(free.check_repository(nullptr));
    CHECK(free.check_repository(&kApi));
    CHECK(free.usual_pool().value().empty());
  }

  TEST_CASE("a pool that is not allowed is Denied, and which are is told") {
    const Bounds bounds{{"ci", "lint"}, {}, {}};
    CHECK(bounds.check_pool("ci"));
    const auto denied = bounds.check_pool("gpu");
    REQUIRE(!denied);
    CHECK(denied.error().code == ErrorCode::Denied);
    CHECK(denied.error().message.find("\"gpu\"") != std::string::npos);
    CHECK(denied.error().message.find("lint") != std::string::npos);
    CHECK(bounds.check_repository(nullptr));
  }

  TEST_CASE("without a name the only pool is meant; of several one must be named") {
    CHECK(Bounds{{"ci"}, {}, {}}.usual_pool().value() == "ci");
    const auto unclear = Bounds{{"ci", "lint"}, {}, {}}.usual_pool();
    REQUIRE(!unclear);
    CHECK(unclear.error().code == ErrorCode::Denied);
  }

  TEST_CASE("repositories are allowed by name, by tag, or by both") {
    const Bounds by_name{{}, {"api"}, {}};
    CHECK(by_name.check_repository(&kApi));
    CHECK(!by_name.check_repository(&kWeb));
    const Bounds by_tag{{}, {}, {"rust", "node"}};
    CHECK(by_tag.check_repository(&kWeb));
    CHECK(!Bounds{{}, {}, {"rust"}}.check_repository(&kWeb));
    const Bounds by_both{{}, {"api", "web"}, {"prod"}};
    CHECK(by_both.check_repository(&kApi));
    CHECK(!by_both.check_repository(&kWeb));
  }

  TEST_CASE("work without a repository is outside of any") {
    const auto denied = Bounds{{}, {}, {"node"}}.check_repository(nullptr);
    REQUIRE(!denied);
    CHECK(denied.error().message.find("without a repository") != std::string::npos);
    CHECK(denied.error().message.find("node") != std::string::npos);
  }

  TEST_CASE("a credential that is no longer good may run nothing") {
    const Bounds ended{{}, {}, {}, true};
    CHECK(!ended.none());
    CHECK(!ended.usual_pool());
    CHECK(!ended.check_pool("ci"));
    CHECK(!ended.check_repository(&kApi));
    CHECK(!ended.check_repository(nullptr));
  }
}
