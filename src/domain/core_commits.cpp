// Facts go out as numbered commits; what may only happen once a commit is on disk waits here, in
// order of its number. A commit that failed is an admission: what it admitted is taken out again.
#include <algorithm>

#include "base/planted.h"
#include "domain/core_state.h"

namespace mahavishnu::domain {
namespace {
// So that the journal's transactions stay short. Admissions are whole whatever their size.
constexpr std::size_t kMaxRecords = 1000;
}  // namespace

void Core::State::keep_together(std::size_t records) {
  if (commits_in_step > 0) {
    const auto& last = std::get<Persist>(effects[commits_in_step - 1]).records;
    if (admitting || last.size() + records <= kMaxRecords) return;
  }
  const auto at = effects.begin() + static_cast<std::ptrdiff_t>(commits_in_step);
  Persist persist{++last_commit, admitting, {}};
  persist.records.reserve(4);  // an end and the next start
  effects.insert(at, std::move(persist));
  ++commits_in_step;
}

void Core::State::record(Record&& fact) {
  keep_together(1);
  std::get<Persist>(effects[commits_in_step - 1]).records.push_back(std::move(fact));
}

CommitNo Core::State::commit() const { return commits_in_step == 0 ? 0 : last_commit; }

void Core::State::after_commit(Pending waiting) {
  if (waiting.commit == 0) {
    waiting.commit = last_commit;
    pending.push_back(waiting);
    return;
  }
  const auto at =
      std::upper_bound(pending.begin(), pending.end(), waiting.commit,
                       [](CommitNo number, const Pending& other) { return number < other.commit; });
  pending.insert(at, waiting);
}

void Core::State::reply(Ticket ticket, decltype(Reply::body) body, CommitNo after) {
  effects.emplace_back(Reply{ticket, after, std::move(body)});
}

void Core::State::on(const Persisted& event) {
  while (!pending.empty() && pending.front().commit <= event.commit) {
    const Pending first = pending.front();
    pending.pop_front();
    durable(first);
  }
}

void Core::State::durable(const Pending& waiting) {
  switch (waiting.kind) {
    case Pending::Kind::Task:
      if (tasks[waiting.slot].id.value != waiting.id) return;
      tasks[waiting.slot].durable = true;
      if (const std::uint32_t key = tasks[waiting.slot].key; key != kNone) {
        keys[key].admission = 0;
        if (tasks[waiting.slot].place == Place::Ended) keys.ended(key, now.mono);
      }
      advance(waiting.slot);
      return;
    case Pending::Kind::Flow: {
      if (flows[waiting.slot].id.value != waiting.id) return;
      LiveFlow& flow = flows[waiting.slot];
      flow.durable = true;
      if (flow.key != kNone) keys[flow.key].admission = 0;
      for (const std::uint32_t task : flow.tasks) {
        if (task != kNone) tasks[task].durable = true;
      }
      for (std::uint32_t cell = 0; cell < flow.plan.cells; ++cell) decide_cell(waiting.slot, cell);
      return;
    }
    case Pending::Kind::Pool:
      if (pools[waiting.slot].id.value != waiting.id) return;
      pools[waiting.slot].durable = true;
      pool_changed(waiting.slot);
      return;
    case Pending::Kind::Settle:
      if (tasks[waiting.slot].id.value == waiting.id) settle(waiting.slot);
      return;
    case Pending::Kind::Release:
      effects.emplace_back(ReleaseAttempt{waiting.fence});
      return;
    case Pending::Kind::FlowEnd:
      if (flows[waiting.slot].id.value != waiting.id) return;
      effects.emplace_back(WorkflowEnded{flows[waiting.slot].id});
      drop_flow(waiting.slot);
      return;
    case Pending::Kind::Ticket:
      if (const auto at = mixed.find(waiting.ticket);
          at != mixed.end() && at->second.after == waiting.commit) {
        mixed.erase(at);
      }
      return;
    case Pending::Kind::Done:
      return;
  }
}

// The failed commit's entries stay where they are, done with, so that the queue stays in order.
void Core::State::on(const PersistFailed& event) {
  auto at =
      std::lower_bound(pending.begin(), pending.end(), event.commit,
                       [](const Pending& other, CommitNo number) { return other.commit < number; });
  for (; at != pending.end() && at->commit == event.commit; ++at) {
    const Pending failed = *at;
    at->kind = Pending::Kind::Done;
    undo(failed, event.error);
  }
}

void Core::State::undo(const Pending& failed, const Error& error) {
  switch (failed.kind) {
    case Pending::Kind::Task:
      if (base::planted(2)) return;
      if (tasks[failed.slot].id.value == failed.id) undo_task(failed.slot);
      return;
    case Pending::Kind::Flow:
      if (flows[failed.slot].id.value == failed.id) undo_flow(failed.slot);
      return;
    case Pending::Kind::Pool:
      if (pools[failed.slot].id.value == failed.id) drop_pool(failed.slot);
      return;
    case Pending::Kind::Ticket:
      undo_reply(failed.ticket, failed.commit, error);
      return;
    default:
      return;
  }
}

// A task that was cancelled meanwhile has its end on the way: it leaves with that.
void Core::State::undo_task(std::uint32_t task) {
  LiveTask& t = tasks[task];
  if (t.key != kNone) keys.forget(t.key);
  t.key = kNone;
  --totals.admitted;
  ++totals.refused;
  if (t.place == Place::Ended) return;
  dependencies.forget(task);
  for (std::uint32_t waiter = dependencies.take_waiter(task); waiter != kNone;
       waiter = dependencies.take_waiter(task)) {
    tasks[waiter].doomed = true;
    advance(waiter);
  }
  const std::uint32_t pool = t.pool;
  count(task, Bucket::None);
  queues.leave(t.share);
  t.pool = t.share = kNone;
  drop_task(task);
  close_if_empty(pool);
}

void Core::State::undo_flow(std::uint32_t slot) {
  LiveFlow& flow = flows[slot];
  for (const std::uint32_t task : flow.tasks) {
    if (task == kNone) continue;
    tasks[task].flow = kNone;
    undo_task(task);
  }
  if (flow.key != kNone) keys.forget(flow.key);
  flow.key = kNone;
  drop_flow(slot);
}

// The ticket's own admission failed: all of its answer is the error. If it was another's, whose key
// it met, only the items that named what is gone now are refused.
void Core::State::undo_reply(Ticket ticket, CommitNo failed, const Error& error) {
  const auto at = mixed.find(ticket);
  if (at == mixed.end() || at->second.after == failed) {
    reply(ticket, error, 0);
    if (at != mixed.end()) mixed.erase(at);
    return;
  }
  Mixed& mine = at->second;
  for (std::size_t i = 0; i < mine.admissions.size(); ++i) {
    if (mine.admissions[i] == failed) mine.answer.items[i].refused = error;
  }
  reply(ticket, mine.answer, mine.after);
}

}  // namespace mahavishnu::domain
