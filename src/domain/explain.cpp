// Why a thing is where it is: one sentence for a person, the same as structure for a program.
#include <algorithm>

#include "domain/core_state.h"

namespace mahavishnu::domain {
namespace {

std::string count_of(std::int64_t n, const std::string& one, const std::string& many) {
  return std::to_string(n) + " " + (n == 1 ? one : many);
}

std::string seconds(MonoTime from, MonoTime to) {
  const auto ms = std::max<std::int64_t>(std::chrono::duration_cast<Millis>(to - from).count(), 0);
  if (ms < 1000) return std::to_string(ms) + " ms";
  return std::to_string((ms + 500) / 1000) + " s";
}

constexpr std::size_t kMostNames = 20;  // of what is waited for

}  // namespace

// Filled in by explain(TaskId): one function a place.
struct Core::State::Explainer {
  const Core::State& s;
  const LiveTask& t;
  std::uint32_t slot;
  Moment now;
  Explanation said;

  std::string pool_name() const { return "pool \"" + s.pools[t.pool].spec.name + "\""; }
  std::string repo_name() const { return "repository \"" + s.repos.text(t.repo) + "\""; }

  void held() {
    const std::string id = t.id.str();
    if (!t.durable) {
      said.sentence = id + " is being written to disk; it is queued in " + pool_name() + " then";
      return;
    }
    if (t.waits > 0) {
      said.blocked_by = "dependency";
      needs();
      said.sentence = id + " waits for " + count_of(t.waits, "task", "tasks") + " it depends on";
      if (!said.waits_for.empty()) said.sentence += ", first " + said.waits_for.front();
      return;
    }
    said.blocked_by = "not_before";
    said.sentence = id + " may start in " + seconds(now.mono, t.since) + " (not_before)";
  }

  void needs() {
    const auto add = [&](std::uint32_t task) {
      if (said.waits_for.size() < kMostNames) said.waits_for.push_back(s.tasks[task].id.str());
    };
    s.dependencies.each_need(slot, add);
    if (t.flow == kNone) return;
    const LiveFlow& flow = s.flows[t.flow];
    const Plan::Cell cell = flow.plan.cell(t.cell);
    for (const std::uint32_t needed : flow.plan.steps[cell.step].needs) {
      flow.plan.joined(cell, needed, [&](std::uint32_t other) {
        if (flow.tasks[other] != kNone) add(flow.tasks[other]);
      });
    }
  }

  void queued() {
    const LivePool& pool = s.pools[t.pool];
    said.ahead = s.queues.ahead_of(slot);
    const Claim claim = s.claim_of(t);
    std::string why;
    if (s.draining || s.held) {
      said.blocked_by = "draining";
      why = s.draining ? "the server is shutting down" : "the journal cannot be written just now";
    } else if (pool.paused) {
      said.blocked_by = "pool_paused";
      why = "the pool is paused; resume it with pool_scale";
    } else if (claim.flow != kNone &&
               s.ledger.in_flow(claim.flow) >= s.ledger.flow_limit(claim.flow)) {
      said.blocked_by = "workflow_limit";
      said.waits_for.push_back(s.flows[t.flow].id.str());
      why = "its workflow runs " + std::to_string(s.ledger.in_flow(claim.flow)) +
            " tasks at once, all that max_parallel allows";
    } else if (claim.repo != kNone && s.ledger.in_repo(claim.repo) >= claim.max_per_repo) {
      said.blocked_by = "repo_busy";
      said.waits_for.push_back(s.repos.text(t.repo));
      why = repo_name() + " is busy with " +
            count_of(s.ledger.in_repo(claim.repo), "task", "tasks") + " (max_per_repo " +
            std::to_string(claim.max_per_repo) + ")";
    } else if (static_cast<int>(pool.running) >= pool.target) {
      said.blocked_by = "pool_full";
      said.waits_for.push_back(pool.spec.name);
      why = pool.target == 0 ? std::string("it has no workers; scale it up with pool_scale")
                             : "all " + count_of(pool.target, "worker is", "workers are") + " busy";
    } else if (!s.ledger.server_has_room()) {
      said.blocked_by = "server_limit";
      why = "the server runs " + std::to_string(s.ledger.running()) + " tasks, all it may at once";
    } else {
      why = "it is next when its turn comes";
    }
    said.sentence = t.id.str() + " is queued in " + pool_name() + ": " + why + "; " +
                    count_of(said.ahead, "task is", "tasks are") + " ahead of it";
  }

  void running() {
    said.sentence = t.id.str() + " has been running on " + s.pools[t.pool].spec.name + "/" +
                    std::to_string(t.worker + 1) + " for " + seconds(t.since, now.mono) +
                    " (attempt " + std::to_string(t.attempt) + " of " +
                    std::to_string(t.max_attempts) + ")";
    if (t.stopping != Reason::None) {
      said.sentence += "; it was asked to end (" + std::string(to_string(t.stopping)) + ")";
    }
  }

  void retry_wait() {
    said.blocked_by = "retry_wait";
    said.sentence = t.id.str() + " ended with " + std::string(to_string(t.reason)) + "; attempt " +
                    std::to_string(t.attempt + 1) + " of " + std::to_string(t.max_attempts) +
                    " is due in " + seconds(now.mono, t.since);
  }
};

std::optional<Explanation> Core::explain(TaskId id, Moment now) const {
  const State& s = *state_;
  const std::uint32_t slot = s.find_task(id);
  if (slot == kNone) return std::nullopt;
  const LiveTask& t = s.tasks[slot];
  State::Explainer explainer{s, t, slot, now, {}};
  explainer.said.state = std::string(to_string(t.state));
  switch (t.place) {
    case Place::Held:
      explainer.held();
      break;
    case Place::Queue:
      explainer.queued();
      break;
    case Place::Running:
      explainer.running();
      break;
    case Place::RetryWait:
      explainer.retry_wait();
      break;
    case Place::Ended:
      explainer.said.sentence = id.str() + " has ended (" + std::string(to_string(t.reason)) +
                                "); its end is being written to disk";
  }
  return explainer.said;
}

std::optional<Explanation> Core::explain(PoolId id, Moment) const {
  const State& s = *state_;
  const std::uint32_t slot = s.find_pool(id);
  if (slot == kNone || !s.pools[slot].durable) return std::nullopt;
  const LivePool& pool = s.pools[slot];
  Explanation said;
  said.state = std::string(to_string(s.state_of(pool)));
  said.sentence = "pool \"" + pool.spec.name + "\" runs " +
                  count_of(pool.running, "task", "tasks") + " on " +
                  count_of(pool.target, "worker", "workers") + ", " + std::to_string(pool.queued) +
                  " queued, " + std::to_string(pool.delayed) + " delayed";
  if (pool.draining) {
    said.blocked_by = "draining";
    said.sentence += "; it takes no new work and goes when these have ended";
  } else if (pool.paused) {
    said.blocked_by = "pool_paused";
    said.sentence += "; it is paused: resume it with pool_scale";
  } else if (static_cast<int>(pool.running) > pool.target) {
    said.sentence += "; it is scaling down: those above the target finish";
  } else if (pool.queued > 0 && static_cast<int>(pool.running) == pool.target) {
    said.blocked_by = "pool_full";
    said.sentence += "; every worker is busy";
    if (pool.target < pool.spec.max_workers) {
      said.sentence +=
          ": pool_scale can add " + std::to_string(pool.spec.max_workers - pool.target);
    }
  } else if (pool.queued > 0 && !s.ledger.server_has_room()) {
    said.blocked_by = "server_limit";
    said.sentence += "; the server runs all it may at once";
  } else if (pool.queued > 0) {
    said.blocked_by = "repo_busy";
    said.sentence += "; what is queued waits for its repository, its workflow or the disk";
  }
  said.ahead = static_cast<int>(pool.queued);
  return said;
}

std::optional<Explanation> Core::explain(WorkflowId id, Moment) const {
  const State& s = *state_;
  const std::uint32_t slot = s.find_flow(id);
  if (slot == kNone) return std::nullopt;
  const LiveFlow& flow = s.flows[slot];
  const WorkflowStatus& status = flow.status;
  Explanation said;
  said.state = std::string(to_string(status.state));
  said.sentence = id.str() + ": " + std::to_string(flow.settled) + " of " +
                  count_of(status.total, "task has ended", "tasks have ended") + ", " +
                  std::to_string(status.running) + " running, " + std::to_string(status.queued) +
                  " queued or waiting";
  if (flow.cancelling) said.sentence += "; it was cancelled and waits for what still runs";
  if (flow.stopped_all) said.sentence += "; a failure stopped every further step";
  if (flow.limited && s.ledger.in_flow(slot) >= s.ledger.flow_limit(slot)) {
    said.blocked_by = "workflow_limit";
    said.sentence += "; it runs all that max_parallel allows";
  }
  for (const std::uint32_t task : flow.tasks) {
    if (task == kNone || s.tasks[task].place != Place::Running) continue;
    if (said.waits_for.size() < kMostNames) said.waits_for.push_back(s.tasks[task].id.str());
  }
  return said;
}

}  // namespace mahavishnu::domain
