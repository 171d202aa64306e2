// A core on a desk: feeds it events, keeps what it answers, and moves a clock by hand.
//
// Nothing is on disk until `persist` says so; `settle` says so until nothing is left to say.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "domain/core.h"

namespace mahavishnu::domain::tests {

struct Desk {
  explicit Desk(CoreOptions options = {}) : core(options) {
    now.wall = WallTime{Millis{1'700'000'000'000}};
    now.mono = MonoTime{std::chrono::seconds(1000)};
  }

  // One step; the effects are sorted into the lists below.
  void step(const Event& event) {
    now.entropy = ids.random();
    for (Effect& effect : core.step(event, now)) {
      std::visit([&](auto& e) { take(std::move(e)); }, effect);
    }
    problem = core.check();
  }

  void persist() { step(Persisted{last_commit}); }
  // Until the disk has everything.
  void settle() {
    while (persisted < last_commit) {
      persisted = last_commit;
      step(Persisted{persisted});
    }
  }
  void advance(Millis by) {
    now.mono += by;
    now.wall += by;
    step(TimerDue{});
    settle();
  }

  PoolId pool(PoolSpec spec) {
    const PoolId id{ids.next(now.wall)};
    step(SpawnPool{++ticket, id, std::move(spec)});
    settle();
    return id;
  }
  PoolId pool(const std::string& name = "default", int workers = 4, int max_queue = 10000) {
    PoolSpec spec;
    spec.name = name;
    spec.max_workers = workers;
    spec.max_queue = max_queue;
    return pool(spec);
  }

  // Hands a task in without waiting for the disk.
  TaskId offer(TaskSpec spec, std::vector<TaskId> completed = {}, std::vector<TaskId> failed = {}) {
    const TaskId id{ids.next(now.wall)};
    SubmitTasks event;
    event.ticket = ++ticket;
    event.tasks.push_back({id, std::make_shared<const TaskSpec>(std::move(spec)),
                           std::move(completed), std::move(failed)});
    event.keys_sought = keys_sought;
    step(event);
    return id;
  }
  TaskId submit(TaskSpec spec = {}) {
    const TaskId id = offer(std::move(spec));
    settle();
    return id;
  }
  WorkflowId run(const WorkflowSpec& spec) {
    const WorkflowId id{ids.next(now.wall)};
    SubmitWorkflow event;
    event.ticket = ++ticket;
    event.id = id;
    event.spec = std::make_shared<const WorkflowSpec>(spec);
    event.key_sought = keys_sought;
    const auto cells = Core::cells_of(spec);
    for (std::size_t i = 0; cells && i < *cells; ++i) {
      event.ids.push_back(TaskId{ids.next(now.wall)});
    }
    step(event);
    settle();
    return id;
  }

  void end(TaskId task, Reason reason = Reason::Ok) {
    step(AttemptEnded{starts.at(task).fence, reason, reason == Reason::Ok ? 0 : 1, {}, 0, {}});
    settle();
  }
  void cancel(TaskId task) {
    step(CancelTasks{++ticket, {task}});
    settle();
  }

  // What the last step answered.
  template <class Body>
  const Body& answer() const {
    return std::get<Body>(replies.at(ticket).body);
  }
  bool refused() const { return std::holds_alternative<Error>(replies.at(ticket).body); }
  const SubmittedTasks::Item& item() const { return answer<SubmittedTasks>().items.front(); }

  const TaskStatus& status(TaskId task) const { return statuses.at(task); }
  TaskState state(TaskId task) const { return statuses.at(task).state; }
  Reason reason(TaskId task) const { return statuses.at(task).reason; }
  bool running(TaskId task) const { return state(task) == TaskState::Running; }
  std::string why(TaskId task) const { return core.explain(task, now).value().sentence; }

  void take(Persist persist) {
    last_commit = persist.commit;
    commits.push_back(persist.commit);
    admission = persist.admission;
    for (Record& record : persist.records) {
      if (const auto* a = std::get_if<TaskAdmitted>(&record)) {
        statuses[a->task.id] = a->task.status;
        admitted.push_back(a->task);
      } else if (const auto* c = std::get_if<TaskChanged>(&record)) {
        statuses[c->task] = c->status;
      } else if (const auto* w = std::get_if<WorkflowAdmitted>(&record)) {
        workflows[w->workflow.id] = w->workflow.status;
      } else if (const auto* v = std::get_if<WorkflowChanged>(&record)) {
        workflows[v->workflow] = v->status;
      } else if (const auto* p = std::get_if<AttemptPut>(&record)) {
        attempts.push_back(p->attempt);
      } else if (const auto* gone = std::get_if<PoolRemoved>(&record)) {
        removed.push_back(gone->pool);
      }
    }
  }
  void take(Reply reply) {
    ++answers[reply.ticket];
    replies.insert_or_assign(reply.ticket, std::move(reply));
  }
  void take(StartAttempt start) {
    order.push_back(start.task);
    starts.insert_or_assign(start.task, std::move(start));
  }
  void take(StopAttempt stop) { stops.emplace_back(stop.fence, stop.why); }
  void take(ReleaseAttempt release) { releases.push_back(release.fence); }
  void take(WakeAt wake) { wake_at = wake.at; }
  void take(WorkflowEnded ended) { ended_workflows.push_back(ended.workflow); }

  Core core;
  Moment now;
  base::UlidSource ids{7};
  Ticket ticket = 0;
  std::optional<MonoTime> keys_sought;  // of what is submitted next
  CommitNo last_commit = 0, persisted = 0;
  bool admission = false;
  std::string problem;  // what check() found after the last step
  std::vector<CommitNo> commits;
  std::map<TaskId, TaskStatus> statuses;
  std::map<WorkflowId, WorkflowStatus> workflows;
  std::vector<TaskRecord> admitted;
  std::vector<AttemptRecord> attempts;
  std::vector<PoolId> removed;
  std::map<Ticket, Reply> replies;
  std::map<Ticket, int> answers;
  std::map<TaskId, StartAttempt> starts;
  std::vector<TaskId> order;  // of starts
  std::vector<std::pair<Fence, Reason>> stops;
  std::vector<Fence> releases;
  std::vector<WorkflowId> ended_workflows;
  MonoTime wake_at{};
};

}  // namespace mahavishnu::domain::tests
