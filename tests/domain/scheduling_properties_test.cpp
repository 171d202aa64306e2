// Random runs of the scheduler beside the plainest model of its rules: a list that is scanned.
#include <doctest/doctest.h>

#include <set>

#include "domain/desk.h"
#include "domain/retry.h"

using namespace mahavishnu::domain;
using namespace mahavishnu::domain::tests;

namespace {

constexpr Millis kAging(1000);

struct Waiting {
  TaskId id;
  PoolId pool;
  std::string caller, repo;
  int priority = 0;
  int max_per_repo = 1;
  MonoTime since{};
  std::uint64_t arrival = 0;
};

// What may start, in which order, said without any cleverness.
struct Model {
  std::vector<Waiting> waiting;
  std::map<TaskId, Waiting> running;
  std::map<std::pair<PoolId, std::string>, int> live;  // by pool and caller
  std::map<std::pair<PoolId, std::string>, std::uint64_t> served;
  std::map<PoolId, int> workers;
  int max_running = 0;
  std::uint64_t turn = 0;

  static int band(const Waiting& task, MonoTime now) {
    const auto risen = (now - task.since) / kAging;
    return static_cast<int>(std::min<std::int64_t>(kPriorities - 1, task.priority + risen));
  }
  int in_repo(const std::string& repo) const {
    int n = 0;
    for (const auto& [id, task] : running) n += task.repo == repo ? 1 : 0;
    return n;
  }
  int in_pool(PoolId pool, const std::string* caller = nullptr) const {
    int n = 0;
    for (const auto& [id, t] : running) n += t.pool == pool && (!caller || t.caller == *caller);
    return n;
  }
  bool fits(const Waiting& task) const {
    if (max_running > 0 && static_cast<int>(running.size()) >= max_running) return false;
    if (in_pool(task.pool) >= workers.at(task.pool)) return false;
    return task.repo.empty() || in_repo(task.repo) < task.max_per_repo;
  }
  // Whether `other` should have started instead of `task`, which is in the same pool.
  bool goes_first(const Waiting& other, const Waiting& task, MonoTime now) const {
    if (band(other, now) != band(task, now)) return band(other, now) > band(task, now);
    if (other.caller != task.caller) {
      const int mine = in_pool(task.pool, &task.caller);
      const int theirs = in_pool(task.pool, &other.caller);
      if (mine != theirs) return theirs < mine;
      return served.at({task.pool, other.caller}) < served.at({task.pool, task.caller});
    }
    return other.priority == task.priority && other.arrival < task.arrival;
  }
  void join(const Waiting& task) {
    if (live[{task.pool, task.caller}]++ == 0) served[{task.pool, task.caller}] = ++turn;
  }
};

struct Run {
  Desk desk;
  Model model;
  Chance dice;
  std::vector<PoolId> pools;
  std::map<TaskId, Waiting> known;
  std::size_t seen = 0;  // starts compared
  std::string wrong;

  Run(std::uint64_t seed, CoreOptions options) : desk(options), dice(seed) {
    model.max_running = options.max_running;
    for (int i = 0; i < 3; ++i) {
      const int workers = 1 + static_cast<int>(dice.draw() % 4);
      pools.push_back(desk.pool("p" + std::to_string(i), workers));
      model.workers[pools.back()] = workers;
    }
  }
  std::uint64_t below(std::uint64_t n) { return dice.draw() % n; }

  void compare() {
    if (wrong.empty()) wrong = desk.problem;
    std::map<std::string, int> after;  // how full repositories are at the end of the step
    for (const auto& [id, task] : model.running) ++after[task.repo];
    for (std::size_t i = seen; i < desk.order.size(); ++i) ++after[known.at(desk.order[i]).repo];
    for (; seen < desk.order.size() && wrong.empty(); ++seen) {
      const TaskId id = desk.order[seen];
      const auto at = std::find_if(model.waiting.begin(), model.waiting.end(),
                                   [&](const Waiting& t) { return t.id == id; });
      if (at == model.waiting.end()) {
        wrong = "a task starts that does not wait";
        return;
      }
      const Waiting task = *at;
      if (!model.fits(task)) wrong = "a task starts where there is no room";
      for (const Waiting& other : model.waiting) {
        if (other.id == id || other.pool != task.pool || !model.fits(other)) continue;
        // Those who wait for one repository get it in turns of their own.
        if (!other.repo.empty() && after[other.repo] >= other.max_per_repo) continue;
        // The one whose turn it was there may be in a pool that the server had no room for.
        if (max_running_binds() && !other.repo.empty() && other.repo != task.repo) continue;
        if (model.goes_first(other, task, desk.now.mono)) {
          wrong = tell(other) + " was before " + tell(task);
        }
      }
      model.waiting.erase(at);
      model.running[id] = task;
      model.served[{task.pool, task.caller}] = ++model.turn;
    }
    for (const Waiting& task : model.waiting) {
      if (wrong.empty() && model.fits(task)) wrong = "there is room and a task waits";
    }
  }
  std::string tell(const Waiting& task) const {
    const auto share = std::pair(task.pool, task.caller);
    return task.caller + " in " + task.repo + " (band " +
           std::to_string(Model::band(task, desk.now.mono)) + ", running " +
           std::to_string(model.in_pool(task.pool, &task.caller)) + ", served " +
           std::to_string(model.served.at(share)) + ", arrival " + std::to_string(task.arrival) +
           ")";
  }
  bool max_running_binds() const { return model.max_running > 0; }
  void forget(const Waiting& task) { --model.live[{task.pool, task.caller}]; }

  void submit() {
    TaskSpec spec;
    spec.pool = pools[below(pools.size())];
    spec.priority = static_cast<std::uint8_t>(below(5));
    spec.caller = "c" + std::to_string(below(3));
    if (below(3) > 0) spec.repo = "r" + std::to_string(below(5));
    spec.max_per_repo = spec.repo == "r0" ? 2 : 1;
    Waiting task{
        {}, *spec.pool, spec.caller, spec.repo, spec.priority, spec.max_per_repo, desk.now.mono, 0};
    task.id = desk.offer(spec);
    task.arrival = seen + known.size();
    known[task.id] = task;
    model.join(task);
    model.waiting.push_back(task);
    desk.settle();
  }
  void end() {
    if (model.running.empty()) return;
    const auto at =
        std::next(model.running.begin(), static_cast<long>(below(model.running.size())));
    const Waiting task = at->second;
    model.running.erase(at);
    forget(task);
    desk.end(task.id);
  }
  void cancel() {
    if (model.waiting.empty()) return;
    const auto at = model.waiting.begin() + static_cast<long>(below(model.waiting.size()));
    const Waiting task = *at;
    model.waiting.erase(at);
    forget(task);
    desk.cancel(task.id);
  }
  void act() {
    const std::uint64_t what = below(10);
    if (what < 4) submit();
    if (what >= 4 && what < 8) end();
    if (what == 8) cancel();
    if (what == 9) desk.advance(Millis(below(400)));
    compare();
  }
};

}  // namespace

TEST_SUITE_BEGIN("scheduling, at random");

TEST_CASE("every start is the one a plain scan would choose, and no room is left unused") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CoreOptions options;
    options.aging = kAging;
    options.max_running = seed % 3 == 0 ? 4 : 0;
    Run run(seed, options);
    for (int i = 0; i < 400 && run.wrong.empty(); ++i) run.act();
    INFO("seed " << seed);
    REQUIRE(run.wrong == "");
    CHECK(run.seen > 50);
  }
}

TEST_CASE("a background task starts however many urgent ones keep coming") {
  for (const bool same_caller : {true, false}) {
    CoreOptions options;
    options.aging = kAging;
    Desk desk(options);
    desk.pool("p", 1);
    const auto urgent = [&] {
      TaskSpec spec;
      spec.priority = 4;
      spec.caller = same_caller ? "me" : "you";
      return desk.submit(spec);
    };
    urgent();
    TaskSpec background;
    background.priority = 0;
    background.caller = "me";
    const TaskId task = desk.submit(background);
    int ends = 0;
    for (; !desk.starts.contains(task) && ends < 100; ++ends) {
      urgent();
      desk.advance(Millis(500));
      desk.end(desk.order.back());
    }
    CHECK(ends < 20);
  }
}

TEST_CASE("a task is placed at most max_attempts times, whatever ends it") {
  Chance dice(5);
  Desk desk;
  desk.pool("p", 3);
  std::map<TaskId, std::uint32_t> most;
  std::map<TaskId, std::uint32_t> starts;
  for (int i = 0; i < 200; ++i) {
    TaskSpec spec;
    spec.retry.max_attempts = 1 + static_cast<int>(dice.draw() % 4);
    most[desk.submit(spec)] = static_cast<std::uint32_t>(spec.retry.max_attempts);
  }
  for (std::size_t i = 0; i < 2000; ++i) {
    if (i >= desk.order.size()) desk.advance(Millis(300000));
    if (i >= desk.order.size()) break;
    ++starts[desk.order[i]];
    desk.end(desk.order[i], dice.draw() % 4 == 0 ? Reason::Ok : Reason::ExitCode);
  }
  CHECK(desk.core.counts().live == 0);
  for (const auto& [task, n] : starts) {
    CHECK(n <= most[task]);
    CHECK((desk.state(task) == TaskState::Completed || n == most[task]));
  }
}

TEST_SUITE_END();
