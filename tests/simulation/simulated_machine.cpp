#include "simulation/simulated_machine.h"

#include <algorithm>
#include <utility>

namespace mahavishnu::simulation {
namespace {

const std::vector<Reason> kOwnEnds{Reason::Ok,       Reason::Ok,      Reason::Ok,
                                   Reason::ExitCode, Reason::Signal,  Reason::Lost,
                                   Reason::TimedOut, Reason::Rejected};

std::string name_of(Fence fence) {
  return std::to_string(fence.epoch) + "/" + std::to_string(fence.counter);
}

}  // namespace

// ── The machine ──────────────────────────────────────────────────────────────────────────────────

bool Machine::runs(TaskId task) const {
  return std::any_of(attempts_.begin(), attempts_.end(), [task](const auto& one) {
    return one.second.order.task == task && one.second.state != State::Ended;
  });
}

void Machine::order(AttemptOrder order, const std::string& type) {
  const std::string name = brief(order.task);
  const TaskRecord* task = disk_.task(order.task);
  Fence& newest = newest_[order.task];
  if (!(newest < order.fence)) verdict_.fail(name + ": a fence did not grow");
  newest = order.fence;
  if (task == nullptr) return verdict_.fail(name + " starts and is not on disk");
  if (is_terminal(task->status.state)) verdict_.fail(name + " starts after its end");
  if (cancelled_.contains(order.task)) {
    verdict_.fail(name + " starts after its cancel was answered");
  }
  if (runs(order.task)) verdict_.fail(name + " has two attempts at once");
  if (static_cast<int>(order.attempt) > task->spec->retry.max_attempts) {
    verdict_.fail(name + " has too many attempts");
  }
  for (const TaskId needed : task->spec->depends_on) {
    const TaskRecord* other = disk_.task(needed);
    if (other == nullptr || other->status.state != TaskState::Completed) {
      verdict_.fail(name + " starts before what it depends on has completed");
    }
  }
  check_limits(order, *task);
  verdict_.tell(name, " is ordered, fence ", name_of(order.fence));
  Attempt& attempt = attempts_[order.fence];
  attempt.type = type;
  attempt.stuck = dice_.one_in(25);
  attempt.order = std::move(order);
}

// Counted anew from what is here, not from anybody's ledger. Orders arrive out of turn (payloads
// are read in between), so of several tasks in a repository the most generous limit counts.
void Machine::check_limits(const AttemptOrder& order, const TaskRecord& task) {
  int all = 0;
  int in_repo = 0;
  int most = task.spec->max_per_repo;
  for (const auto& [fence, attempt] : attempts_) {
    if (attempt.state == State::Ended || attempt.dying) continue;
    ++all;
    const TaskRecord* other = disk_.task(attempt.order.task);
    if (other == nullptr || other->spec->repo != task.spec->repo) continue;
    ++in_repo;
    most = std::max(most, other->spec->max_per_repo);
  }
  if (max_running > 0 && all >= max_running)
    verdict_.fail(brief(order.task) + " crowds the server");
  if (!task.spec->repo.empty() && in_repo >= most) {
    verdict_.fail(brief(order.task) + " crowds its repository");
  }
}

void Machine::run(Attempt& attempt) {
  attempt.state = State::Running;
  attempt.stuck = dice_.one_in(15);
  const TaskId task = attempt.order.task;
  const TaskRecord* record = disk_.task(task);
  const int most = record->spec->retry.max_attempts + lost_unseen_[task];
  if (++runs_[task] > most) verdict_.fail(brief(task) + " ran more often than it may");
  verdict_.tell(brief(task), " runs");
}

void Machine::end(Attempt& attempt, Reason reason) {
  if (attempt.state == State::Running && reason == Reason::Ok) {
    succeeded_.insert(attempt.order.task);
  }
  attempt.state = State::Ended;
  attempt.end.fence = attempt.order.fence;
  attempt.end.reason = reason;
  if (reason == Reason::Ok) attempt.end.exit_code = 0;
  if (reason == Reason::ExitCode) attempt.end.exit_code = 3;
  verdict_.tell(brief(attempt.order.task), " ends on the machine: ", to_string(reason));
}

void Machine::end_somehow(Attempt& attempt) {
  const bool as_asked = attempt.stop && !dice_.one_in(6);
  end(attempt, as_asked ? *attempt.stop : dice_.any(kOwnEnds));
}

// Orders on their way arrive or do not; running ones go on, end, or are ended by their lease; a
// shim that dies leaves nothing to be found.
void Machine::while_down(bool lapsed, bool power_loss) {
  for (auto at = attempts_.begin(); at != attempts_.end();) {
    Attempt& attempt = at->second;
    bool gone = power_loss && !(attempt.state == State::Ended && dice_.one_in(2));
    if (attempt.state == State::Ordered && !gone) {
      gone = dice_.one_in(2);
      if (!gone) run(attempt);
    }
    if (attempt.dying) gone = true;
    if (attempt.state == State::Running && !gone) {
      if (lapsed) {
        end(attempt, Reason::Lost);
      } else if (dice_.one_in(10)) {
        gone = true;  // its shim died
      } else if (dice_.one_in(3)) {
        end_somehow(attempt);
      }
    }
    if (gone && attempt.state != State::Ordered) ++lost_unseen_[attempt.order.task];
    at = gone ? attempts_.erase(at) : std::next(at);
  }
}

// ── The executor ─────────────────────────────────────────────────────────────────────────────────

void SimulatedExecutor::start(AttemptOrder order) {
  open_.insert(order.fence);
  machine_.order(std::move(order), type_);
}

void SimulatedExecutor::stop(Fence fence, Reason why) {
  const auto at = machine_.attempts().find(fence);
  if (at == machine_.attempts().end() || at->second.state == Machine::State::Ended) return;
  verdict_.tell(brief(at->second.order.task), " is stopped: ", to_string(why));
  if (!at->second.stop) at->second.stop = why;
}

void SimulatedExecutor::release(Fence fence) {
  open_.erase(fence);
  const auto at = machine_.attempts().find(fence);
  if (at == machine_.attempts().end()) return;
  if (at->second.state == Machine::State::Running) {
    if (!at->second.stop) verdict_.fail(brief(at->second.order.task) + " is released and runs");
    at->second.dying = true;
    return;
  }
  if (at->second.state == Machine::State::Ended) past_.push_back(at->second.end);
  machine_.erase(fence);
}

void SimulatedExecutor::read_output(Fence fence, OutputStream, std::int64_t, std::size_t,
                                    std::function<void(Result<OutputChunk>)> answer) {
  const bool here = machine_.attempts().contains(fence);
  asio::post(control_, [here, answer = std::move(answer)] {
    here ? answer(OutputChunk{})
         : answer(domain::fail(ErrorCode::NotFound, "no such attempt any more"));
  });
}

void SimulatedExecutor::read_spool(std::string, OutputStream, std::int64_t, std::size_t,
                                   std::function<void(Result<OutputChunk>)> answer) {
  asio::post(control_, [answer = std::move(answer)] { answer(OutputChunk{"", 0, true, 0}); });
}

void SimulatedExecutor::resident(std::vector<Fence> fences,
                                 std::function<void(Result<std::vector<std::int64_t>>)> answer) {
  asio::post(control_, [count = fences.size(), answer = std::move(answer)] {
    answer(std::vector<std::int64_t>(count, 0));
  });
}

void SimulatedExecutor::examine(PoolSpec, StringMap,
                                std::function<void(Result<std::string>)> answer) {
  asio::post(control_, [answer = std::move(answer)] { answer(std::string()); });
}

void SimulatedExecutor::tell_end(const AttemptEnded& end) {
  told_.insert(end.fence);
  asio::post(control_, [this, end] {
    verdict_.tell("the end of ", name_of(end.fence), " is told: ", to_string(end.reason));
    open_.erase(end.fence);
    events_.ended(end);
  });
}

void SimulatedExecutor::answer_recovery() {
  auto answer = std::exchange(recovery_, nullptr);
  if (dice_.one_in(20)) {
    verdict_.tell(type_, " executor cannot recover");
    return asio::post(control_, [answer] {
      answer(domain::fail(ErrorCode::Unavailable, "a former zygote holds the run directory"));
    });
  }
  std::vector<Restored::Found> found;
  for (const auto& [fence, attempt] : machine_.attempts()) {
    if (attempt.type != type_) continue;
    found.push_back({attempt.order.task, attempt.order.attempt, fence});
    open_.insert(fence);
  }
  verdict_.tell(type_, " executor finds ", found.size(), " attempts");
  asio::post(control_, [answer, found = std::move(found)] { answer(found); });
}

bool SimulatedExecutor::move_on(Fence fence, Machine::Attempt& attempt) {
  if (attempt.dying) {
    machine_.erase(fence);
    return true;
  }
  const bool patient = attempt.stuck && !attempt.stop && !machine_.ending;
  switch (attempt.state) {
    case Machine::State::Ordered:
      if (patient) return false;
      if (attempt.stop && dice_.one_in(2)) {
        machine_.end(attempt, *attempt.stop);  // before it began
      } else if (dice_.one_in(40)) {
        machine_.end(attempt, Reason::Lost);
      } else {
        machine_.run(attempt);
        asio::post(control_, [this, fence] { events_.started(fence); });
      }
      return true;
    case Machine::State::Running:
      if (patient || (!machine_.ending && dice_.one_in(2))) return false;
      machine_.end_somehow(attempt);
      return true;
    case Machine::State::Ended:
      if (told_.contains(fence) && !dice_.one_in(12)) return false;
      tell_end(attempt.end);
      return true;
  }
  return false;
}

bool SimulatedExecutor::act() {
  if (!up_) return false;
  if (recovery_) {
    answer_recovery();
    return true;
  }
  if (!past_.empty() && dice_.one_in(20)) {
    tell_end(dice_.any(past_));
    return true;
  }
  std::vector<Fence> mine;
  for (const auto& [fence, attempt] : machine_.attempts()) {
    if (attempt.type == type_) mine.push_back(fence);
  }
  if (mine.empty()) return false;
  const Fence fence = dice_.any(mine);
  return move_on(fence, machine_.attempts().at(fence));
}

}  // namespace mahavishnu::simulation
