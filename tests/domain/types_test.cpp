#include <doctest/doctest.h>

#include "domain/retry.h"
#include "domain/types.h"

using namespace mahavishnu::domain;

TEST_SUITE_BEGIN("words");

TEST_CASE("every word is read back as what it says") {
  for (int i = 0; i <= static_cast<int>(Reason::Rejected); ++i) {
    CHECK(parse_reason(to_string(static_cast<Reason>(i))) == static_cast<Reason>(i));
  }
  for (int i = 0; i <= static_cast<int>(TaskState::Dead); ++i) {
    CHECK(parse_task_state(to_string(static_cast<TaskState>(i))) == static_cast<TaskState>(i));
  }
  for (int i = 0; i <= static_cast<int>(PoolState::Failed); ++i) {
    CHECK(parse_pool_state(to_string(static_cast<PoolState>(i))) == static_cast<PoolState>(i));
  }
  CHECK(parse_workflow_state("partial") == WorkflowState::Partial);
  CHECK(parse_selector("round_robin") == Selector::RoundRobin);
  CHECK(parse_when("always") == When::Always);
  CHECK(parse_each("once") == Each::Once);
  CHECK(parse_on_failure("stop_all") == OnFailure::StopAll);
}

TEST_CASE("an unknown word is nothing") {
  CHECK_FALSE(parse_task_state("Queued").has_value());
  CHECK_FALSE(parse_selector("").has_value());
}

TEST_CASE("only ends are terminal") {
  CHECK_FALSE(is_terminal(TaskState::RetryWait));
  CHECK(is_terminal(TaskState::Dead));
  CHECK_FALSE(is_terminal(WorkflowState::Pending));
  CHECK(is_terminal(WorkflowState::Partial));
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("backoff");

TEST_CASE("it grows by its factor up to its cap") {
  const RetryPolicy policy{5, Millis(100), 3.0, 0.0, Millis(1000)};
  CHECK(backoff_after(policy, 1, 1) == Millis(100));
  CHECK(backoff_after(policy, 2, 1) == Millis(300));
  CHECK(backoff_after(policy, 3, 1) == Millis(900));
  CHECK(backoff_after(policy, 4, 1) == Millis(1000));
  CHECK(backoff_after(policy, 4000, 1) == Millis(1000));
}

TEST_CASE("jitter spreads it over the part it may take away, and nothing more") {
  const RetryPolicy policy{5, Millis(1000), 2.0, 0.25, Millis(100000)};
  Chance chance(1);
  Millis least(1000);
  Millis most(0);
  for (int i = 0; i < 2000; ++i) {
    const Millis wait = backoff_after(policy, 1, chance.draw());
    least = std::min(least, wait);
    most = std::max(most, wait);
  }
  CHECK(least >= Millis(750));
  CHECK(least < Millis(760));
  CHECK(most <= Millis(1000));
  CHECK(most > Millis(990));
}

TEST_CASE("full jitter reaches from nothing to all of it") {
  const RetryPolicy policy;
  CHECK(backoff_after(policy, 1, 0) == Millis(1000));
  CHECK(backoff_after(policy, 1, ~std::uint64_t{0}) == Millis(0));
}

TEST_SUITE_END();
