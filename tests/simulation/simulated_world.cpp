#include "simulation/simulated_world.h"

#include <algorithm>

namespace mahavishnu::simulation {

using std::chrono::seconds;

SimulatedWorld::SimulatedWorld(std::uint64_t seed) : dice_(seed), ids_(seed) {
  now_.wall = WallTime{Millis{1'700'000'000'000}};
  now_.mono = MonoTime{seconds(10)};
  options_.max_running = one_in(3) ? 3 + static_cast<int>(below(5)) : 0;
  options_.aging = Millis(2000);
  options_.key_memory = std::chrono::hours(1000);
  options_.max_live_tasks = one_in(4) ? 60 : 1000000;
  start_life();
}

std::string SimulatedWorld::story() const {
  std::string text;
  for (const std::string& line : story_) text += "\n  " + line;
  return text;
}

void SimulatedWorld::fail(const std::string& what) {
  if (broken_.empty()) broken_ = what;
}

void SimulatedWorld::step(const Event& event, const std::string& what) {
  if (!broken_.empty()) return;
  story_.push_back(what);
  if (story_.size() > 30) story_.pop_front();
  now_.entropy = dice_.draw();
  Effects effects = core_->step(event, now_);
  // A commit is handed to the journal before anything else of its step is done.
  for (Effect& effect : effects) std::visit([this](auto& e) { take(e); }, effect);
  if (const std::string wrong = core_->check(); !wrong.empty()) fail(wrong);
  if (!disk_.broken.empty()) fail(disk_.broken);
}

// ── Effects ──────────────────────────────────────────────────────────────────────────────────────

void SimulatedWorld::take(Persist& effect) {
  const CommitNo last = queue_.empty() ? persisted_ : queue_.back().number;
  if (effect.commit != last + 1) fail("a commit number is skipped or comes twice");
  if (effect.records.empty()) fail("a commit holds nothing");
  queue_.push_back({effect.commit, effect.admission, std::move(effect.records)});
}

void SimulatedWorld::take(Reply& effect) {
  if (answered_.contains(effect.ticket)) fail("a ticket is answered twice");
  replies_.insert_or_assign(effect.ticket, std::move(effect));
}

void SimulatedWorld::take(StartAttempt& effect) {
  const std::string name = effect.task.str();
  if (!(newest_ < effect.fence)) fail(name + ": a fence did not grow");
  newest_ = effect.fence;
  if (!disk_.tasks.contains(effect.task)) fail(name + " starts before it is on disk");
  if (disk_.ended(effect.task)) fail(name + " starts after its end");
  const TaskSpec& spec = *specs_.at(effect.task);
  const auto most = static_cast<std::uint32_t>(spec.retry.max_attempts);
  if (effect.attempt > most) fail(name + " has too many attempts");
  for (const TaskId needed : spec.depends_on) {
    if (!disk_.completed(needed)) fail(name + " starts before what it depends on has completed");
  }
  int in_repo = 0;
  int in_pool = 0;
  int in_flow = 0;
  const WorkflowId flow = flow_of_.contains(effect.task) ? flow_of_[effect.task] : WorkflowId{};
  for (const auto& [fence, attempt] : alive_) {
    if (attempt.task == effect.task) fail(name + " has two attempts at once");
    in_repo += !spec.repo.empty() && attempt.repo == spec.repo ? 1 : 0;
    in_pool += attempt.pool == effect.pool ? 1 : 0;
    in_flow += flow && flow_of_.contains(attempt.task) && flow_of_[attempt.task] == flow ? 1 : 0;
  }
  if (in_repo >= spec.max_per_repo && !spec.repo.empty()) fail(name + " crowds its repository");
  if (flow && parallel_[flow] > 0 && in_flow >= parallel_[flow])
    fail(name + " crowds its workflow");
  const auto pool = core_->pool(effect.pool);
  if (!pool || pool->record.paused) fail(name + " starts in a pool that is not there or paused");
  if (pool && in_pool >= pool->record.target_workers) fail(name + " crowds its pool");
  if (options_.max_running > 0 && static_cast<int>(alive_.size()) >= options_.max_running) {
    fail(name + " crowds the server");
  }
  alive_[effect.fence] = {effect.task, effect.attempt, effect.pool, spec.repo, false, Reason::None};
}

void SimulatedWorld::take(StopAttempt& effect) {
  const auto at = alive_.find(effect.fence);
  if (at != alive_.end()) at->second.stop = effect.why;
}

// Of an attempt whose end is on disk, or of one nobody asked for: that is killed.
void SimulatedWorld::take(ReleaseAttempt& effect) {
  const auto at = alive_.find(effect.fence);
  if (at != alive_.end() && at->second.stop == Reason::None) fail("a running attempt is released");
  if (at != alive_.end()) alive_.erase(at);
}

void SimulatedWorld::take(WorkflowEnded& effect) {
  if (!is_terminal(disk_.workflows.at(effect.workflow).status.state)) {
    fail(effect.workflow.str() + " is told to have ended before that is on disk");
  }
}

// What callers are told is what is on disk.
void SimulatedWorld::answer_due() {
  for (auto at = replies_.begin(); at != replies_.end();) {
    if (at->second.after > persisted_) {
      ++at;
      continue;
    }
    if (const auto* tasks = std::get_if<SubmittedTasks>(&at->second.body)) {
      for (const SubmittedTasks::Item& item : tasks->items) {
        if (item.refused) continue;
        accepted_.push_back(item.id);
        if (!disk_.tasks.contains(item.id))
          fail(item.id.str() + " was accepted and is not on disk");
      }
    } else if (const auto* flow = std::get_if<SubmittedWorkflow>(&at->second.body)) {
      if (!disk_.workflows.contains(flow->id)) fail("a workflow was accepted and is not on disk");
      workflows_.push_back(flow->id);
    }
    answered_.insert(at->first);
    at = replies_.erase(at);
  }
}

// ── Callers ──────────────────────────────────────────────────────────────────────────────────────

PoolId SimulatedWorld::some_pool() {
  std::vector<PoolId> known;
  for (const PoolStatus& pool : core_->pools()) known.push_back(pool.record.id);
  return known.empty() ? PoolId{} : any(known);
}

TaskSpec SimulatedWorld::random_spec() {
  TaskSpec spec;
  if (one_in(2)) {
    if (const PoolId pool = some_pool()) spec.pool = pool;
  }
  spec.selector = static_cast<Selector>(below(4));
  spec.affinity_key = one_in(2) ? "k" + std::to_string(below(5)) : "";
  if (one_in(2)) spec.repo = "r" + std::to_string(below(4));
  spec.max_per_repo = one_in(5) ? 2 : 1;
  spec.priority = static_cast<std::uint8_t>(below(5));
  spec.caller = "c" + std::to_string(below(3));
  spec.retry = {1 + static_cast<int>(below(3)), Millis(500), 2.0, 1.0, Millis(5000)};
  if (one_in(6)) spec.timeouts.queue = seconds(1 + below(20));
  if (one_in(6)) spec.timeouts.total = seconds(1 + below(40));
  if (one_in(8)) spec.not_before = now_.wall + seconds(below(10));
  if (one_in(4)) spec.idempotency_key = "key" + std::to_string(below(30));
  for (std::uint64_t i = below(8); i < 2 && !specs_.empty(); ++i) {
    const auto at = std::next(specs_.begin(), static_cast<long>(below(specs_.size())));
    spec.depends_on.push_back(at->first);
  }
  if (one_in(5)) spec.labels["team"] = std::to_string(below(2));
  return spec;
}

// As the shell does: a key that is on disk, and dependencies that have left the core, are looked up
// there.
void SimulatedWorld::submit() {
  SubmitTasks event;
  event.ticket = ++ticket_;
  std::map<TaskId, std::shared_ptr<const TaskSpec>> made;
  for (std::uint64_t i = 0, n = 1 + below(4); i < n; ++i) {
    NewTask task;
    task.id = TaskId{ids_.next(now_.wall)};
    auto spec = std::make_shared<const TaskSpec>(random_spec());
    task.spec = spec;
    if (disk_.keys.contains({spec->caller, spec->idempotency_key})) continue;
    for (const TaskId needed : spec->depends_on) {
      if (core_->is_live(needed) || !disk_.ended(needed)) continue;
      (disk_.completed(needed) ? task.settled_completed : task.settled_failed).push_back(needed);
    }
    made[task.id] = spec;
    event.tasks.push_back(std::move(task));
  }
  specs_.insert(made.begin(), made.end());
  step(event, "submit " + std::to_string(event.tasks.size()));
}

WorkflowSpec SimulatedWorld::random_workflow() {
  WorkflowSpec spec;
  spec.caller = "c" + std::to_string(below(3));
  spec.max_parallel = static_cast<int>(below(4));
  spec.priority = static_cast<std::uint8_t>(below(5));
  for (std::uint64_t i = 0, n = 1 + below(4); i < n; ++i) {
    const std::string name = "r" + std::to_string(i);
    spec.repos.push_back({name, "/src/" + name});
  }
  for (std::uint64_t i = 0, n = 1 + below(5); i < n; ++i) {
    StepSpec step;
    step.id = "s" + std::to_string(i);
    step.when = static_cast<When>(below(3));
    step.each = one_in(4) ? Each::Once : Each::Repo;
    step.on_failure = static_cast<OnFailure>(below(3));
    step.retry = {1 + static_cast<int>(below(2)), Millis(500), 2.0, 1.0, Millis(5000)};
    for (std::uint64_t needed = 0; needed < i; ++needed) {
      if (one_in(2)) step.depends_on.push_back("s" + std::to_string(needed));
    }
    spec.steps.push_back(std::move(step));
  }
  return spec;
}

void SimulatedWorld::run_workflow() {
  SubmitWorkflow event;
  event.ticket = ++ticket_;
  event.id = WorkflowId{ids_.next(now_.wall)};
  auto spec = std::make_shared<const WorkflowSpec>(random_workflow());
  event.spec = spec;
  const auto cells = Core::cells_of(*spec);
  for (std::size_t i = 0; i < *cells; ++i) {
    event.ids.push_back(TaskId{ids_.next(now_.wall)});
    flow_of_[event.ids.back()] = event.id;
  }
  parallel_[event.id] = spec->max_parallel;
  step(event, "run " + event.id.str());
  if (queue_.empty()) return;
  for (const Record& record : queue_.back().records) {
    if (const auto* task = std::get_if<TaskAdmitted>(&record)) {
      specs_[task->task.id] = task->task.spec;
    }
  }
}

void SimulatedWorld::change_pool() {
  const PoolId pool = some_pool();
  if (!pool || one_in(4)) {
    PoolSpec spec;
    spec.name = "p" + std::to_string(below(4));
    spec.max_workers = 1 + static_cast<int>(below(3));
    spec.max_queue = one_in(3) ? 3 : 1000;
    return step(SpawnPool{++ticket_, PoolId{ids_.next(now_.wall)}, spec}, "spawn " + spec.name);
  }
  if (one_in(6)) return step(ClosePool{++ticket_, pool, one_in(2)}, "close " + pool.str());
  ScalePool event{++ticket_, pool, {}, {}};
  if (one_in(2)) event.target_workers = static_cast<int>(below(4));
  if (one_in(2)) event.paused = one_in(3);
  step(event, "scale " + pool.str());
}

void SimulatedWorld::cancel() {
  if (one_in(5)) {
    CancelMatching event;
    event.ticket = ++ticket_;
    event.repo = "r" + std::to_string(below(4));
    if (one_in(2)) event.caller = "c" + std::to_string(below(3));
    return step(event, "cancel in " + event.repo);
  }
  if (one_in(3) && !workflows_.empty()) {
    const WorkflowId flow = any(workflows_);
    return step(CancelWorkflow{++ticket_, flow}, "cancel " + flow.str());
  }
  if (accepted_.empty()) return;
  const TaskId task =
      accepted_[accepted_.size() - 1 - below(std::min<std::size_t>(accepted_.size(), 9))];
  step(CancelTasks{++ticket_, {task}}, "cancel " + task.str());
}

// ── Disk, executors, time ────────────────────────────────────────────────────────────────────────

void SimulatedWorld::disk() {
  if (queue_.empty()) return;
  if (queue_.front().admission && one_in(6)) {
    const CommitNo number = queue_.front().number;
    queue_.pop_front();
    persisted_ = std::max(persisted_, number);
    step(PersistFailed{number, Error{ErrorCode::Exhausted, "the disk is full", 1000}},
         "commit " + std::to_string(number) + " failed");
    for (const auto& [ticket, reply] : replies_) {
      if (reply.after == number) fail("an answer waits for a commit that failed");
    }
    return answer_due();
  }
  for (std::uint64_t n = 1 + below(4); n > 0 && !queue_.empty(); --n) {
    disk_.apply(queue_.front().records);
    persisted_ = queue_.front().number;
    queue_.pop_front();
    if (!queue_.empty() && queue_.front().admission && one_in(6)) break;
  }
  answer_due();
  step(Persisted{persisted_}, "persisted " + std::to_string(persisted_));
}

void SimulatedWorld::end_attempt(Fence fence) {
  const Attempt attempt = alive_.at(fence);
  AttemptEnded event;
  event.fence = fence;
  static const std::vector<Reason> kReasons{Reason::Ok,       Reason::Ok,      Reason::Ok,
                                            Reason::ExitCode, Reason::Lost,    Reason::Signal,
                                            Reason::Rejected, Reason::TimedOut};
  event.reason = attempt.stop != Reason::None && !one_in(4) ? attempt.stop : any(kReasons);
  alive_.erase(fence);
  over_.push_back(fence);
  step(event, attempt.task.str() + " ended " + std::string(to_string(event.reason)));
}

void SimulatedWorld::executors() {
  if (!over_.empty() && one_in(10)) {
    return step(AttemptEnded{any(over_), Reason::Ok, 0, {}, 0, {}}, "an end comes again");
  }
  if (alive_.empty()) return;
  const auto at = std::next(alive_.begin(), static_cast<long>(below(alive_.size())));
  if (!at->second.up && !one_in(4)) {
    at->second.up = true;
    return step(AttemptStarted{at->first}, at->second.task.str() + " started");
  }
  end_attempt(at->first);
}

void SimulatedWorld::pass_time() {
  const Millis by{below(3000)};
  now_.mono += by;
  now_.wall += by;
  if (wake_ > now_.mono && !one_in(10)) return;
  wake_ = MonoTime::max();
  step(TimerDue{}, "time");
}

// Of what was handed to the journal a first part is on disk, told or not. Executors live on; some
// of their attempts die unseen.
void SimulatedWorld::crash() {
  for (std::uint64_t n = below(queue_.size() + 1); n > 0; --n) {
    disk_.apply(queue_.front().records);
    queue_.pop_front();
  }
  queue_.clear();
  replies_.clear();
  for (auto at = alive_.begin(); at != alive_.end();) {
    at = one_in(3) ? alive_.erase(at) : std::next(at);
  }
  start_life();
}

void SimulatedWorld::start_life() {
  core_ = std::make_unique<Core>(options_);
  persisted_ = 0;
  wake_ = MonoTime::max();
  answered_.clear();
  const Millis down{below(2000)};
  now_.wall += down;
  now_.mono += down;
  Restored event;
  event.snapshot = disk_.snapshot(++epoch_, one_in(2));
  for (auto& [fence, attempt] : alive_) {
    attempt.up = true;
    event.attempts.push_back({attempt.task, attempt.number, fence});
  }
  step(event, "start of life " + std::to_string(epoch_));
}

void SimulatedWorld::act() {
  switch (below(20)) {
    case 0:
    case 1:
    case 2:
      return submit();
    case 3:
      return run_workflow();
    case 4:
      return change_pool();
    case 5:
      return cancel();
    case 6:
    case 7:
      return pass_time();
    case 8:
      return one_in(25) ? crash() : step(Hold{one_in(4)}, "hold");
    case 9:
    case 10:
    case 11:
    case 12:
    case 13:
      return disk();
    default:
      return executors();
  }
}

void SimulatedWorld::finish() {
  step(Hold{false}, "the end");
  for (int round = 0; round < 20000 && broken_.empty(); ++round) {
    for (const PoolStatus& pool : core_->pools()) {
      const bool able = !pool.record.paused && pool.record.target_workers > 0;
      if (able || pool.record.state == PoolState::Draining) continue;
      step(ScalePool{++ticket_, pool.record.id, 1, false}, "open " + pool.record.spec.name);
    }
    disk();
    executors();
    pass_time();
    if (core_->counts().live == 0 && core_->counts().workflows == 0 && queue_.empty()) break;
  }
  const CoreCounts counts = core_->counts();
  if (counts.live > 0 || counts.workflows > 0) {
    fail("it does not come to its end: " + std::to_string(counts.live) + " tasks live, " +
         std::to_string(counts.queued) + " queued, " + std::to_string(counts.running) +
         " running, " + std::to_string(counts.delayed) + " delayed, " +
         std::to_string(counts.workflows) + " workflows");
  }
  if (!alive_.empty()) fail("an attempt runs that nobody knows of");
  for (const auto& [id, task] : disk_.tasks) {
    if (!is_terminal(task.status.state)) fail(id.str() + " never ended");
  }
  for (const TaskId id : accepted_) {
    if (!disk_.ended(id)) fail(id.str() + " was accepted and is lost");
  }
  for (const WorkflowId id : workflows_) {
    if (!is_terminal(disk_.workflows.at(id).status.state)) fail(id.str() + " never ended");
  }
}

}  // namespace mahavishnu::simulation
