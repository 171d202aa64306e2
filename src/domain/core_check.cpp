// Everything that has to hold between two steps, counted anew from the tasks themselves.
#include <map>

#include "domain/core_state.h"

namespace mahavishnu::domain {
namespace {

struct Tally {
  std::uint32_t queued = 0, running = 0, delayed = 0, waiting = 0;
};

}  // namespace

std::string Core::check() const {
  const State& s = *state_;
  std::map<std::uint32_t, Tally> pools;
  std::map<std::uint32_t, std::uint32_t> repos;
  std::map<std::uint32_t, std::uint32_t> flows;
  std::map<std::uint32_t, int> flow_running;
  std::map<std::uint32_t, std::uint32_t> shares;
  std::size_t live = 0;
  std::size_t timers = 0;
  std::size_t fences = 0;
  CoreCounts totals;
  for (std::uint32_t slot = 0; slot < s.tasks.end(); ++slot) {
    const LiveTask& t = s.tasks[slot];
    if (t.id.is_null()) continue;
    ++live;
    const std::string name = t.id.str() + ": ";
    if (s.find_task(t.id) != slot) return name + "is not found by its id";
    timers += t.timer == kNone ? 0 : 1;
    if (t.in_flow) ++flow_running[t.flow];
    if (t.place == Place::Ended) {
      if (t.pool != kNone || t.share != kNone || t.bucket != Bucket::None || t.timer != kNone) {
        return name + "has ended and still holds something";
      }
      if (!is_terminal(t.state)) return name + "has ended without an end";
      continue;
    }
    if (is_terminal(t.state)) return name + "is over and goes on";
    if (t.attempt > t.max_attempts) return name + "has had too many attempts";
    Tally& pool = pools[t.pool];
    pool.queued += t.bucket == Bucket::Queued ? 1 : 0;
    pool.running += t.bucket == Bucket::Running ? 1 : 0;
    pool.delayed += t.bucket == Bucket::Delayed ? 1 : 0;
    pool.waiting += t.place == Place::Queue ? 1 : 0;
    if ((t.place == Place::Queue) != (t.lane != kNone))
      return name + "waits in no lane, or runs in one";
    if (!t.durable && t.place != Place::Held) return name + "went on before it was on disk";
    if (t.place == Place::Running) {
      ++fences;
      ++shares[t.share];
      const Claim claim = s.claim_of(t);
      if (t.repo != kNone) ++repos[t.repo];
      if (claim.flow != kNone) ++flows[claim.flow];
      if (s.find_fence(t.fence) != slot) return name + "is not found by its fence";
      if (t.bucket != Bucket::Running || t.state != TaskState::Running) return name + "runs unseen";
    }
    // (Unless its time came and the alarm is late.)
    const bool alarm_due = s.timers.earliest() <= s.now.mono;
    if (t.place == Place::Held && t.durable && t.waits == 0 && t.since <= s.now.mono &&
        !alarm_due) {
      return name + "is held for no reason";
    }
    if (t.place == Place::RetryWait && t.timer == kNone) return name + "waits for no time";
  }
  if (live != s.tasks.size()) return "the number of live tasks is wrong";
  if (timers != s.timers.size()) return "the number of timers is wrong";
  if (fences != s.fence_index.size()) return "the number of fences is wrong";
  if (static_cast<int>(fences) != s.ledger.running()) return "the ledger's server count is wrong";
  for (std::uint32_t slot = 0; slot < s.pools.end(); ++slot) {
    const LivePool& pool = s.pools[slot];
    if (pool.id.is_null()) continue;
    const Tally& tally = pools[slot];
    const std::string name = "pool " + pool.spec.name + ": ";
    if (tally.queued != pool.queued) return name + "queued is wrong";
    if (tally.running != pool.running) return name + "running is wrong";
    if (tally.delayed != pool.delayed) return name + "delayed is wrong";
    if (tally.waiting != s.queues.queue(slot).size) return name + "its queue's size is wrong";
    if (pool.in_ring != s.can_place(pool, slot))
      return name + "is in the ring and cannot place, or the other way";
    if (pool.workers.size() != pool.running) return name + "its workers are not those that run";
    if (pool.draining && pool.queued + pool.running + pool.delayed == 0)
      return name + "should be gone";
    totals.queued += pool.queued;
    totals.running += pool.running;
    totals.delayed += pool.delayed;
    if (s.ring != kNone && pool.in_ring && !s.held && !s.draining && s.ledger.server_has_room()) {
      return name + "could place and did not";
    }
  }
  if (totals.queued != s.totals.queued || totals.running != s.totals.running ||
      totals.delayed != s.totals.delayed) {
    return "the totals are wrong";
  }
  for (const auto& [repo, taken] : repos) {
    if (s.ledger.in_repo(repo) != taken) return "the ledger's count of a repository is wrong";
  }
  for (const auto& [share, running] : shares) {
    if (s.queues.share(share).running != running) return "a caller's running tasks are miscounted";
  }
  for (std::uint32_t slot = 0; slot < s.flows.end(); ++slot) {
    const LiveFlow& flow = s.flows[slot];
    if (flow.id.is_null()) continue;
    const WorkflowStatus& status = flow.status;
    const std::string name = flow.id.str() + ": ";
    if (flow.limited && s.ledger.in_flow(slot) != flows[slot]) return name + "the ledger is wrong";
    if (status.running != flow_running[slot]) return name + "running is wrong";
    if (status.queued + status.running + static_cast<int>(flow.settled) != status.total ||
        status.completed + status.failed + status.cancelled + status.skipped !=
            static_cast<int>(flow.settled)) {
      return name + "its counts do not add up";
    }
    if (flow.touched) return name + "a change of it was not written";
  }
  if (std::string queue = s.queues.check(); !queue.empty()) return queue;
  return s.selector.check();
}

}  // namespace mahavishnu::domain
