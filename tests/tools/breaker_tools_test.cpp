#include "desk.h"

using mahavishnu::base::ErrorCode;
using mahavishnu::base::Millis;
using mahavishnu::domain::BreakerState;
using mahavishnu::domain::BreakerView;
using mahavishnu::rpc::Json;
using mahavishnu::support::Desk;

TEST_SUITE("breaker tools") {
  TEST_CASE("a breaker that is open says until when, and why") {
    Desk desk;
    BreakerView open;
    open.target = "session_buddy";
    open.state = BreakerState::Open;
    open.counts.in_a_row = 5;
    open.counts.opened = 2;
    open.cool_down = Millis(2000);
    open.retry_in = Millis(1500);
    open.last_error = "it refused the connection";
    BreakerView closed;
    closed.target = "opensearch";
    desk.breakers.views = {closed, open};
    const Json items = desk.ask("breaker_list")["items"];
    REQUIRE(items.size() == 2);
    CHECK(items[0]["state"] == "closed");
    CHECK_FALSE(items[0].contains("retry_in_ms"));
    CHECK_FALSE(items[0].contains("in_state_ms"));
    CHECK(items[1]["state"] == "open");
    CHECK(items[1]["retry_in_ms"] == 1500);
    CHECK(items[1]["cool_down_ms"] == 2000);
    CHECK(items[1]["opened"] == 2);
    CHECK(items[1]["last_error"] == "it refused the connection");
  }

  TEST_CASE("a reset names its target, and tells what is wrong with it") {
    Desk desk;
    CHECK(desk.ask("breaker_reset", {{"target", "session_buddy"}})["state"] == "closed");
    CHECK(desk.breakers.asked_to_reset == "session_buddy");
    desk.breakers.answer = mahavishnu::base::fail(ErrorCode::NotFound, "there is no breaker");
    CHECK(desk.refused("breaker_reset", {{"target", "x"}}).code == ErrorCode::NotFound);
  }

  TEST_CASE("they are served to those who ask for them") {
    const Desk desk;
    CHECK(desk.tool("breaker_list").toolset == "ops");
    CHECK(desk.tool("breaker_reset").toolset == "ops");
    CHECK(desk.tool("memory_search").toolset == "core");
  }
}
