#include <doctest/doctest.h>

#include "app/bus_options.h"

namespace mahavishnu::app {
namespace {

using domain::SlowPolicy;

base::Result<control::MessageBusOptions> options_of(Environment environment) {
  Config::Sources given;
  environment["HOME"] = "/home/ada";
  given.environment = std::move(environment);
  given.working_folder = "/work";
  auto config = Config::load(given);
  if (!config) return base::fail(config.error());
  return message_bus_options(*config);
}

TEST_SUITE("message bus settings") {
  TEST_CASE("without settings they are the bus's own") {
    const auto options = options_of({});
    REQUIRE(options);
    const domain::BusOptions usual;
    const domain::BusOptions& given = options->bus;
    CHECK(given.max_messages == usual.max_messages);
    CHECK(given.max_bytes == usual.max_bytes);
    CHECK(given.max_groups == usual.max_groups);
    CHECK(given.max_pending == usual.max_pending);
    CHECK(given.max_in_flight == usual.max_in_flight);
    CHECK(given.max_deliveries == usual.max_deliveries);
    CHECK(given.keep == usual.keep);
    CHECK(given.group_idle == usual.group_idle);
    CHECK(given.policy == usual.policy);
    CHECK(given.policies.empty());
  }

  TEST_CASE("policies are chosen for topics, in the order they are written") {
    const auto options =
        options_of({{"MAHAVISHNU_MESSAGES_POLICIES", "logs.#=drop_oldest,a=b.*=disconnect"},
                    {"MAHAVISHNU_MESSAGES_POLICY", "disconnect"}});
    REQUIRE(options);
    CHECK(options->bus.policy == SlowPolicy::Disconnect);
    REQUIRE(options->bus.policies.size() == 2);
    CHECK(options->bus.policies[0] ==
          std::pair<std::string, SlowPolicy>("logs.#", SlowPolicy::DropOldest));
    CHECK(options->bus.policies[1].first == "a=b.*");
  }

  TEST_CASE("what is no policy is refused by its words") {
    for (const char* wrong :
         {"logs", "logs=drop", "=drop_oldest", "a..b=disconnect", "a.#.b=disconnect"}) {
      const auto refused = options_of({{"MAHAVISHNU_MESSAGES_POLICIES", wrong}});
      REQUIRE_MESSAGE(!refused, wrong);
      CHECK(refused.error().message.find(std::string("\"") + wrong + "\"") != std::string::npos);
    }
    CHECK_FALSE(options_of({{"MAHAVISHNU_MESSAGES_POLICY", "drop"}}));
  }
}

}  // namespace
}  // namespace mahavishnu::app
