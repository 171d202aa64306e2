#include <doctest/doctest.h>

#include <set>

#include "domain/desk.h"
#include "domain/pool_selector.h"
#include "domain/retry.h"

using namespace mahavishnu::domain;
using namespace mahavishnu::domain::tests;
using std::chrono::seconds;

namespace {

TaskSpec task_of(std::string caller, int priority = kDefaultPriority, std::string repo = "",
                 int max_per_repo = 1) {
  TaskSpec spec;
  spec.caller = std::move(caller);
  spec.priority = static_cast<std::uint8_t>(priority);
  spec.repo = std::move(repo);
  spec.max_per_repo = max_per_repo;
  return spec;
}

// Ends what runs, one by one, until `tasks` have started; answers who was started in which order.
std::vector<TaskId> run_down(Desk& desk, std::size_t tasks) {
  while (desk.order.size() < tasks) desk.end(desk.order.back());
  return {desk.order.begin() + 1, desk.order.end()};
}

using Ids = std::vector<TaskId>;

}  // namespace

TEST_SUITE_BEGIN("scheduling");

TEST_CASE("higher priorities go first, equal ones in order of arrival") {
  Desk desk;
  desk.pool("a", 1);
  desk.submit(task_of("x"));
  const TaskId low = desk.submit(task_of("x", 0));
  const TaskId first = desk.submit(task_of("x", 3));
  const TaskId second = desk.submit(task_of("x", 3));
  const TaskId urgent = desk.submit(task_of("x", 4));
  CHECK(run_down(desk, 5) == Ids{urgent, first, second, low});
}

TEST_CASE("a task rises one band for every aging it waited") {
  CoreOptions options;
  options.aging = seconds(10);
  Desk desk(options);
  desk.pool("a", 1);
  const TaskId busy = desk.submit(task_of("x"));
  const TaskId old = desk.submit(task_of("x", 0));
  desk.advance(seconds(29));
  const TaskId fresh = desk.submit(task_of("x", 2));  // old is in band 2 as well, and came first
  const TaskId higher = desk.submit(task_of("x", 3));
  desk.end(busy);
  CHECK(desk.running(higher));
  desk.advance(seconds(1));  // now in band 3
  const TaskId late = desk.submit(task_of("x", 3));
  desk.end(higher);
  CHECK(desk.running(old));
  CHECK_FALSE(desk.running(fresh));
  CHECK_FALSE(desk.running(late));
}

TEST_CASE("callers share a pool whatever each of them queues") {
  Desk desk;
  desk.pool("a", 2);
  std::map<TaskId, std::string> whose;
  for (int i = 0; i < 20; ++i) whose[desk.submit(task_of("greedy"))] = "greedy";
  for (int i = 0; i < 4; ++i) whose[desk.submit(task_of("modest"))] = "modest";
  for (int i = 0; i < 8; ++i) desk.end(desk.order[static_cast<std::size_t>(i)]);
  int modest = 0;
  for (const TaskId task : desk.order) modest += whose[task] == "modest" ? 1 : 0;
  CHECK(desk.order.size() == 10);
  CHECK(modest == 4);
}

TEST_CASE("a caller who comes one task at a time does not push out one who queues") {
  Desk desk;
  desk.pool("a", 1);
  desk.submit(task_of("q"));
  for (int i = 0; i < 10; ++i) desk.submit(task_of("q"));
  int queued = 0;
  std::set<TaskId> theirs;
  for (int i = 0; i < 12; ++i) {
    for (const char* caller : {"b", "c"}) theirs.insert(desk.submit(task_of(caller)));
    desk.end(desk.order.back());
    queued += theirs.contains(desk.order.back()) ? 0 : 1;
  }
  CHECK(queued >= 4);
}

TEST_CASE("a task whose repository is busy does not block the ones behind it") {
  Desk desk;
  desk.pool("a", 2);
  const TaskId first = desk.submit(task_of("x", 2, "api"));
  const TaskId same = desk.submit(task_of("x", 2, "api"));
  const TaskId other = desk.submit(task_of("x", 2, "web"));
  CHECK_FALSE(desk.running(same));
  CHECK(desk.running(other));
  CHECK(desk.core.explain(same, desk.now)->blocked_by == "repo_busy");
  desk.end(first);
  CHECK(desk.running(same));
}

TEST_CASE("those that wait for a repository start in order of arrival, from any pool") {
  Desk desk;
  const PoolId a = desk.pool("a", 3);
  const PoolId b = desk.pool("b", 3);
  Ids tasks;
  for (int i = 0; i < 6; ++i) {
    TaskSpec spec = task_of("x", 2, "api");
    spec.pool = i % 2 == 0 ? a : b;
    tasks.push_back(desk.submit(spec));
  }
  while (desk.order.size() < 6) desk.end(desk.order.back());
  CHECK(desk.order == tasks);
}

TEST_CASE("callers that wait for one repository get it in turns") {
  Desk desk;
  desk.pool("a", 2);
  desk.submit(task_of("greedy", 2, "api"));
  for (int i = 0; i < 20; ++i) desk.submit(task_of("greedy", 2, "api"));
  const TaskId modest = desk.submit(task_of("modest", 2, "api"));
  desk.end(desk.order.back());
  desk.end(desk.order.back());
  CHECK(desk.starts.contains(modest));
}

TEST_CASE("one that wants a repository for itself is not overtaken for ever") {
  Desk desk;
  desk.pool("a", 8);
  const TaskId one = desk.submit(task_of("x", 2, "api", 2));
  const TaskId alone = desk.submit(task_of("x", 2, "api", 1));
  const TaskId third = desk.submit(task_of("x", 2, "api", 2));
  CHECK_FALSE(desk.running(alone));
  CHECK_FALSE(desk.running(third));  // there is room, but alone came first
  desk.end(one);
  CHECK(desk.running(alone));
  desk.end(alone);
  CHECK(desk.running(third));
}

TEST_CASE("a repository that gets free reaches a pool whose workers were busy meanwhile") {
  Desk desk;
  const PoolId a = desk.pool("a", 1);
  const PoolId b = desk.pool("b", 1);
  TaskSpec spec = task_of("x", 2, "api");
  spec.pool = b;
  const TaskId holder = desk.submit(spec);
  spec.pool = a;
  const TaskId waits = desk.submit(spec);
  TaskSpec filler = task_of("x");
  filler.pool = a;
  const TaskId busy = desk.submit(filler);
  CHECK(desk.running(busy));
  desk.end(holder);
  CHECK_FALSE(desk.running(waits));
  desk.end(busy);
  CHECK(desk.running(waits));
}

TEST_CASE("least_loaded evens out by what runs and waits for each worker") {
  Desk desk;
  const PoolId big = desk.pool("big", 6);
  const PoolId small = desk.pool("small", 2);
  std::map<PoolId, int> got;
  for (int i = 0; i < 16; ++i) {
    const TaskId task = desk.submit(task_of("x"));
    for (const TaskRecord& record : desk.admitted) got[record.pool] += record.id == task ? 1 : 0;
  }
  CHECK(got[big] == 12);
  CHECK(got[small] == 4);
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("PoolSelector");

namespace {

PoolSelector some(std::uint32_t pools) {
  PoolSelector selector;
  for (std::uint32_t pool = 0; pool < pools; ++pool) {
    selector.add(pool, "p" + std::to_string(pool), "shell");
    selector.update(pool, true, 0, 4);
  }
  return selector;
}

}  // namespace

TEST_CASE("the least loaded is exact where floating point is not") {
  PoolSelector selector = some(2);
  selector.update(0, true, 3000001, 3);
  selector.update(1, true, 3000000, 3);
  CHECK(selector.choose(Selector::LeastLoaded, "shell", "", 0) == 1);
  selector.update(1, true, 0, 0);  // no workers: last, however idle
  CHECK(selector.choose(Selector::LeastLoaded, "shell", "", 0) == 0);
}

TEST_CASE("round_robin goes round those that take work") {
  PoolSelector selector = some(3);
  std::vector<std::uint32_t> turns;
  for (int i = 0; i < 4; ++i)
    turns.push_back(selector.choose(Selector::RoundRobin, "shell", "", 0));
  selector.update(1, false, 0, 4);
  for (int i = 0; i < 3; ++i)
    turns.push_back(selector.choose(Selector::RoundRobin, "shell", "", 0));
  CHECK(turns == std::vector<std::uint32_t>{0, 1, 2, 0, 2, 0, 2});
}

TEST_CASE("random reaches all alike") {
  PoolSelector selector = some(4);
  Chance chance(3);
  std::vector<int> hits(4, 0);
  for (int i = 0; i < 4000; ++i)
    ++hits[selector.choose(Selector::Random, "shell", "", chance.draw())];
  for (const int hit : hits) CHECK(std::abs(hit - 1000) < 150);
}

TEST_CASE("affinity: a key keeps its pool, moves while that is full, and comes back") {
  PoolSelector selector = some(5);
  const std::uint32_t home = selector.choose(Selector::Affinity, "shell", "key", 1);
  selector.update(home, true, 40, 4);
  CHECK(selector.choose(Selector::Affinity, "shell", "key", 2) == home);
  selector.update(home, false, 40, 4);
  CHECK(selector.choose(Selector::Affinity, "shell", "key", 3) != home);
  selector.update(home, true, 39, 4);
  CHECK(selector.choose(Selector::Affinity, "shell", "key", 4) == home);
}

TEST_CASE("affinity: a pool that goes moves only its own keys") {
  PoolSelector selector = some(5);
  std::map<int, std::uint32_t> home;
  for (int key = 0; key < 500; ++key) {
    home[key] = selector.choose(Selector::Affinity, "shell", std::to_string(key), 0);
  }
  selector.remove(2);
  for (int key = 0; key < 500; ++key) {
    const std::uint32_t now = selector.choose(Selector::Affinity, "shell", std::to_string(key), 0);
    if (home[key] != 2) CHECK(now == home[key]);
    CHECK(now != 2);
  }
}

TEST_CASE("an unknown worker type has no pool") {
  CHECK(some(2).choose(Selector::Random, "python", "", 0) == kNone);
}

TEST_SUITE_END();
