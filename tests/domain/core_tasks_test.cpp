#include <doctest/doctest.h>

#include "domain/desk.h"

using namespace mahavishnu::domain;
using namespace mahavishnu::domain::tests;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

TaskSpec with_attempts(int attempts) {
  TaskSpec spec;
  spec.retry = {attempts, Millis(1000), 2.0, 0.0, Millis(300000)};
  return spec;
}

}  // namespace

TEST_SUITE_BEGIN("a task");

TEST_CASE("it starts once its admission is on disk, and not before") {
  Desk desk;
  desk.pool();
  const TaskId task = desk.offer({});
  CHECK(desk.admission);
  CHECK(desk.replies.at(desk.ticket).after == desk.last_commit);
  CHECK(desk.starts.empty());
  desk.settle();
  CHECK(desk.starts.at(task).attempt == 1);
  CHECK(desk.starts.at(task).worker == "default/1");
  CHECK(desk.running(task));
}

TEST_CASE(
    "it completes, its worker is free at once, and the attempt is released once that is on disk") {
  Desk desk;
  desk.pool("default", 1);
  const TaskId first = desk.submit();
  const TaskId second = desk.submit();
  CHECK_FALSE(desk.running(second));
  desk.step(AttemptEnded{desk.starts.at(first).fence, Reason::Ok, 0, {}, 0, {}});
  CHECK(desk.running(second));
  CHECK(desk.releases.empty());
  CHECK(desk.core.is_live(first));
  desk.settle();
  CHECK(desk.state(first) == TaskState::Completed);
  CHECK(desk.reason(first) == Reason::Ok);
  CHECK(desk.releases == std::vector<Fence>{desk.starts.at(first).fence});
  CHECK_FALSE(desk.core.is_live(first));
}

TEST_CASE("every step that changes facts is one commit, numbered without a gap") {
  Desk desk;
  desk.pool();
  desk.end(desk.submit());
  for (std::size_t i = 0; i < desk.commits.size(); ++i) CHECK(desk.commits[i] == i + 1);
  CHECK(desk.commits.size() == 4);  // pool, admission, start, end
}

TEST_CASE("an admission the disk refused is undone, and its answer becomes the error") {
  Desk desk;
  desk.pool();
  const TaskId task = desk.offer({});
  desk.step(PersistFailed{desk.last_commit, Error{ErrorCode::Exhausted, "disk full", 1000}});
  CHECK(desk.answer<Error>().message == "disk full");
  CHECK(desk.replies.at(desk.ticket).after == 0);
  CHECK_FALSE(desk.core.is_live(task));
  CHECK(desk.core.counts().admitted == 0);
  CHECK(desk.problem == "");
}

TEST_CASE("a failed attempt is retried after its backoff until none is left, then it is dead") {
  Desk desk;
  desk.pool();
  const TaskId task = desk.submit(with_attempts(3));
  desk.end(task, Reason::ExitCode);
  CHECK(desk.state(task) == TaskState::RetryWait);
  CHECK(desk.status(task).due == desk.now.wall + seconds(1));
  desk.advance(milliseconds(999));
  CHECK(desk.starts.at(task).attempt == 1);
  desk.advance(milliseconds(1));
  CHECK(desk.starts.at(task).attempt == 2);
  desk.end(task, Reason::Signal);
  desk.advance(seconds(2));
  CHECK(desk.starts.at(task).attempt == 3);
  desk.end(task, Reason::TimedOut);
  CHECK(desk.state(task) == TaskState::Dead);
  CHECK(desk.reason(task) == Reason::TimedOut);
  CHECK(desk.core.counts().retries == 2);
}

TEST_CASE("with one attempt a failure is a failure") {
  Desk desk;
  desk.pool();
  const TaskId task = desk.submit();
  desk.end(task, Reason::ExitCode);
  CHECK(desk.state(task) == TaskState::Failed);
  CHECK(desk.reason(task) == Reason::ExitCode);
}

TEST_CASE("what was refused or overspent is not tried again") {
  for (const Reason reason : {Reason::Rejected, Reason::Denied, Reason::BudgetExceeded}) {
    Desk desk;
    desk.pool();
    const TaskId task = desk.submit(with_attempts(3));
    desk.end(task, reason);
    CHECK(desk.state(task) == TaskState::Failed);
    CHECK(desk.reason(task) == reason);
  }
}

TEST_CASE("a completion under an old or unknown fence is counted and changes nothing") {
  Desk desk;
  desk.pool();
  const TaskId task = desk.submit(with_attempts(2));
  const Fence old = desk.starts.at(task).fence;
  desk.end(task, Reason::Lost);
  desk.advance(seconds(1));
  CHECK(old < desk.starts.at(task).fence);
  desk.step(AttemptEnded{old, Reason::Ok, 0, {}, 0, {}});
  desk.step(AttemptEnded{Fence{9, 9}, Reason::Ok, 0, {}, 0, {}});
  CHECK(desk.running(task));
  CHECK(desk.core.counts().stale_completions == 2);
}

TEST_CASE("a queued task that is cancelled ends at once") {
  Desk desk;
  desk.pool("default", 1);
  desk.submit();
  const TaskId task = desk.submit();
  desk.step(CancelTasks{++desk.ticket, {task}});
  CHECK(desk.answer<CancelAnswer>().cancelled == std::vector<TaskId>{task});
  CHECK(desk.replies.at(desk.ticket).after == desk.last_commit);
  CHECK(desk.state(task) == TaskState::Cancelled);
  CHECK(desk.reason(task) == Reason::CancelledByCaller);
}

TEST_CASE(
    "a running task that is cancelled is stopped, marked on disk, and ends with its attempt") {
  Desk desk;
  desk.pool();
  const TaskId task = desk.submit(with_attempts(5));
  desk.cancel(task);
  CHECK(desk.stops.back() == std::pair(desk.starts.at(task).fence, Reason::CancelledByCaller));
  CHECK(desk.running(task));
  CHECK(desk.reason(task) == Reason::CancelledByCaller);
  desk.end(task, Reason::Signal);
  CHECK(desk.state(task) == TaskState::Cancelled);
}

TEST_CASE("work that completed although its end was asked for is completed") {
  Desk desk;
  desk.pool();
  const TaskId task = desk.submit();
  desk.cancel(task);
  desk.end(task);
  CHECK(desk.state(task) == TaskState::Completed);
}

TEST_CASE("an ended or unknown task is reported as already ended") {
  Desk desk;
  desk.pool();
  const TaskId task = desk.submit();
  desk.end(task);
  desk.step(CancelTasks{++desk.ticket, {task}});
  CHECK(desk.answer<CancelAnswer>().already_ended == std::vector<TaskId>{task});
  CHECK(desk.replies.at(desk.ticket).after == 0);
}

TEST_CASE("one that was not placed within its queue time fails") {
  Desk desk;
  desk.pool("default", 1);
  desk.submit();
  TaskSpec spec;
  spec.timeouts.queue = seconds(5);
  const TaskId task = desk.submit(spec);
  CHECK(desk.wake_at == desk.now.mono + seconds(5));
  desk.advance(seconds(5));
  CHECK(desk.state(task) == TaskState::Failed);
  CHECK(desk.reason(task) == Reason::QueueTimeout);
  CHECK(desk.status(task).queue_time == seconds(5));
}

TEST_CASE("an attempt that does not come up in time is stopped, and retried by policy") {
  Desk desk;
  desk.pool();
  const TaskId task = desk.submit(with_attempts(2));
  desk.advance(seconds(30));
  CHECK(desk.stops.back().second == Reason::StartTimeout);
  desk.end(task, Reason::StartTimeout);
  CHECK(desk.state(task) == TaskState::RetryWait);
}

TEST_CASE("an attempt that came up is not stopped for that") {
  Desk desk;
  desk.pool();
  const TaskId task = desk.submit();
  desk.step(AttemptStarted{desk.starts.at(task).fence});
  desk.advance(seconds(31));
  CHECK(desk.stops.empty());
}

TEST_CASE("the total time ends it while it waits, and stops it while it runs") {
  Desk desk;
  desk.pool("default", 1);
  TaskSpec spec = with_attempts(3);
  spec.timeouts.total = seconds(10);
  const TaskId runs = desk.submit(spec);
  const TaskId waits = desk.submit(spec);
  CHECK(desk.starts.at(runs).total_left == seconds(10));
  desk.advance(seconds(10));
  CHECK(desk.reason(waits) == Reason::TotalTimeout);
  CHECK(desk.stops.back().second == Reason::TotalTimeout);
  desk.end(runs, Reason::TotalTimeout);
  CHECK(desk.state(runs) == TaskState::Failed);
  CHECK(desk.reason(runs) == Reason::TotalTimeout);
}

TEST_CASE("one with not_before waits for its time") {
  Desk desk;
  desk.pool();
  TaskSpec spec;
  spec.not_before = desk.now.wall + seconds(60);
  const TaskId task = desk.submit(spec);
  CHECK(desk.status(task).due == spec.not_before);
  CHECK(desk.core.counts().delayed == 1);
  desk.advance(seconds(59));
  CHECK_FALSE(desk.running(task));
  desk.advance(seconds(1));
  CHECK(desk.running(task));
}

TEST_CASE("draining refuses new work and starts nothing more") {
  Desk desk;
  desk.pool("default", 1);
  const TaskId first = desk.submit();
  const TaskId second = desk.submit();
  desk.step(Drain{});
  desk.end(first);
  CHECK(desk.state(second) == TaskState::Queued);
  desk.offer({});
  CHECK(desk.answer<Error>().code == ErrorCode::Unavailable);
}

TEST_CASE("while the disk is held nothing starts, and everything does after it") {
  Desk desk;
  desk.pool();
  desk.step(Hold{true});
  const TaskId task = desk.submit();
  CHECK_FALSE(desk.running(task));
  desk.step(Hold{false});
  CHECK(desk.running(task));
}

TEST_CASE("whoever cancels a task again is answered after the first cancel is on disk") {
  Desk desk;
  desk.pool();
  PoolSpec closed;
  closed.name = "closed";
  const PoolId pool = desk.pool(closed);
  desk.step(ScalePool{++desk.ticket, pool, 0, {}});
  desk.settle();
  TaskSpec waits;
  waits.pool = pool;
  const TaskId queued = desk.submit(waits);
  const TaskId runs = desk.submit();
  for (const TaskId task : {queued, runs}) {
    desk.step(CancelTasks{++desk.ticket, {task}});
    const CommitNo first = desk.last_commit;
    REQUIRE(first > desk.persisted);
    desk.step(CancelTasks{++desk.ticket, {task}});
    CHECK(desk.replies.at(desk.ticket).after >= first);
    desk.settle();
  }
}

TEST_CASE("a key is not forgotten while the admission that took it may still fail") {
  CoreOptions options;
  options.key_memory = Millis(1000);
  Desk desk(options);
  desk.pool();
  TaskSpec spec;
  spec.idempotency_key = "k";
  const TaskId task = desk.offer(spec);
  const CommitNo admission = desk.last_commit;
  desk.step(CancelTasks{++desk.ticket, {task}});
  desk.now.mono += Millis(5000);
  desk.step(TimerDue{});
  desk.step(PersistFailed{admission, Error{ErrorCode::Exhausted, "the disk is full", 0}});
  desk.settle();
  CHECK(desk.core.counts().live == 0);
  const TaskId again = desk.submit(spec);
  CHECK(desk.item().id == again);
  CHECK_FALSE(desk.item().existing);
}

TEST_SUITE_END();
