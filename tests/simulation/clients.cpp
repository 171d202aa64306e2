#include "simulation/clients.h"

#include <exception>
#include <system_error>
#include <utility>

namespace mahavishnu::simulation {

using control::CancelOutcome;
using control::Submitted;
using control::Wait;

namespace {

// A call that was hung up ends by this exception wherever it comes to wait again.
bool is_hung_up(const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::system_error& error) {
    return error.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

}  // namespace

void Clients::call(std::string what, awaitable<void> work, MayWait may_wait) {
  verdict_.tell("client: ", what);
  const auto at = calls_.emplace(calls_.end());
  at->what = std::move(what);
  at->may_wait = std::move(may_wait);
  asio::co_spawn(io_, std::move(work),
                 asio::bind_cancellation_slot(at->hang_up.slot(),
                                              [this, at](const std::exception_ptr& thrown) {
                                                if (thrown && !is_hung_up(thrown))
                                                  verdict_.fail("an exception left: " + at->what);
                                                verdict_.tell("client is back: ", at->what);
                                                calls_.erase(at);
                                              }));
}

void Clients::vanish() {
  if (calls_.empty()) return;
  const auto at = std::next(calls_.begin(), static_cast<long>(dice_.below(calls_.size())));
  if (at->what == "drain") return;
  verdict_.tell("client vanishes: ", at->what);
  at->may_wait = [] { return true; };
  at->hang_up.emit(asio::cancellation_type::terminal);
}

void Clients::check_calm() {
  for (const Call& one : calls_) {
    if (!one.may_wait || !one.may_wait()) {
      verdict_.fail("all is calm and a client still waits: " + one.what);
    }
  }
}

Clients::MayWait Clients::until_ended(std::vector<TaskId> tasks) const {
  return [this, tasks = std::move(tasks)] {
    for (const TaskId id : tasks) {
      if (disk_.task(id) != nullptr && !disk_.ended(id)) return true;
    }
    return false;
  };
}

// It has seen a version by the first calm moment; when that changes it has to come back.
Clients::MayWait Clients::while_unchanged(std::function<std::uint64_t()> version) const {
  return [version = std::move(version), seen = std::make_shared<std::uint64_t>(0)] {
    if (*seen == 0) *seen = version();
    return version() == *seen;
  };
}

// ── What a call is told ──────────────────────────────────────────────────────────────────────────

// An error means that nothing was taken; only a caller who hung up does not know.
void Clients::told(const Result<Submitted>& answer, const Witness::Key& key,
                   const std::string& command) {
  if (answer) {
    witness_.accepted(*answer, key, command);
  } else if (answer.error().code != ErrorCode::Cancelled) {
    witness_.refused(command);
  }
}

Clients::awaitable<void> Clients::submit(Service::SubmitArgs args) {
  const Witness::Key key{args.spec.caller, args.spec.idempotency_key};
  const std::string command = args.spec.work.command;
  auto answer = co_await service_.submit(std::move(args));
  told(answer, key, command);
}

Clients::awaitable<void> Clients::submit_batch(std::vector<Result<Service::SubmitArgs>> items) {
  std::vector<std::pair<Witness::Key, std::string>> asked;
  for (const auto& item : items) {
    asked.push_back({{item->spec.caller, item->spec.idempotency_key}, item->spec.work.command});
  }
  auto outcome = co_await service_.submit_batch(std::move(items));
  if (!outcome) {
    for (const auto& [key, command] : asked) told(fail(outcome.error()), key, command);
    co_return;
  }
  std::vector<TaskId> mine;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const Result<Submitted>& item = outcome->items[i];
    told(item, asked[i].first, asked[i].second);
    if (item && !item->existing) mine.push_back(item->task);
  }
  if (!mine.empty()) batches_.emplace_back(outcome->batch, std::move(mine));
}

Clients::awaitable<void> Clients::run_workflow(Service::WorkflowArgs args) {
  const Witness::Key key{args.spec.caller, args.spec.idempotency_key};
  auto answer = co_await service_.run_workflow(std::move(args));
  if (answer) witness_.accepted(*answer, key);
}

Clients::awaitable<void> Clients::read_task(TaskId id, Wait wait) {
  const std::uint64_t floor = witness_.floor(id);
  auto task = co_await service_.task(id, wait);
  if (task) {
    witness_.shown(**task, floor);
  } else if (task.error().code == ErrorCode::NotFound) {
    witness_.missing(id);
  }
}

Clients::awaitable<void> Clients::read_workflow(WorkflowId id, Wait wait) {
  const std::uint64_t floor = witness_.floor(id);
  auto workflow = co_await service_.workflow(id, wait);
  if (workflow) witness_.shown(**workflow, floor);
}

Clients::awaitable<void> Clients::wait_batch(BatchId id, Wait wait) {
  auto done = co_await service_.wait_batch(id, wait);
  if (!done && done.error().code == ErrorCode::NotFound) {
    verdict_.fail("a batch that was accepted is not found");
  }
}

Clients::awaitable<void> Clients::list() {
  TaskFilter filter;
  Page page;
  page.limit = 20;
  auto tasks = co_await service_.tasks(std::move(filter), std::move(page));
  if (!tasks) co_return;
  for (const TaskRecord& task : tasks->items) witness_.listed(task);
}

Clients::awaitable<void> Clients::read_output(TaskId id, control::OutputQuery query) {
  auto chunk = co_await service_.output(id, query);
  if (!chunk && chunk.error().code == ErrorCode::NotFound) witness_.missing(id);
}

Clients::awaitable<void> Clients::cancel(Service::CancelArgs args, Millis wait) {
  auto outcome = co_await service_.cancel(std::move(args), wait);
  if (outcome) witness_.cancelled(*outcome);
}

Clients::awaitable<void> Clients::cancel_workflow(WorkflowId id, Millis wait) {
  auto outcome = co_await service_.cancel_workflow(id, wait);
  if (outcome) witness_.cancelled(*outcome);
}

Clients::awaitable<void> Clients::explain(TaskId id) {
  auto explanation = co_await service_.explain_task(id);
  if (!explanation && explanation.error().code == ErrorCode::NotFound) witness_.missing(id);
}

Clients::awaitable<void> Clients::spawn_pool(PoolSpec spec) {
  auto answer = co_await service_.spawn_pool(std::move(spec));
  if (answer && !answer->existing && !disk_.has_pool(answer->id)) {
    // It may have been closed again by now; then nothing of that name is there either.
    if (service_.pool(answer->id.str())) verdict_.fail("a pool is told of and is not on disk");
  }
}

Clients::awaitable<void> Clients::scale_pool(std::string pool, std::optional<int> target,
                                             std::optional<bool> paused) {
  auto done = co_await service_.scale_pool(std::move(pool), target, paused);
  if (!done && done.error().code == ErrorCode::Internal) verdict_.fail(done.error().message);
}

Clients::awaitable<void> Clients::close_pool(std::string pool, bool now, Millis wait) {
  auto done = co_await service_.close_pool(std::move(pool), now, wait);
  if (!done && done.error().code == ErrorCode::Internal) verdict_.fail(done.error().message);
}

Clients::awaitable<void> Clients::drain_service(Millis grace) {
  co_await service_.drain(grace);
  drained_ = true;
}

void Clients::drain(Millis grace) {
  call("drain", drain_service(grace), [] { return true; });
}

}  // namespace mahavishnu::simulation
