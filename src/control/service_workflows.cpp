// Running, reading, waiting for and cancelling workflows.
#include <utility>

#include "control/service.h"
#include "control/service_state.h"
#include "domain/pool_settings.h"

namespace mahavishnu::control {

using domain::ErrorCode;
using domain::fail;

namespace {

Status check_steps(const domain::WorkflowSpec& spec) {
  for (const auto& step : spec.steps) {
    if (auto good = domain::check_work(step.work); !good) {
      return fail(good.error().code, "step \"" + step.id + "\": " + good.error().message);
    }
    if (!step.work.cwd.empty() && step.work.cwd.front() == '/') {
      return fail(ErrorCode::InvalidArgument,
                  "step \"" + step.id + "\": cwd must be relative to the repository");
    }
  }
  return {};
}

}  // namespace

awaitable<Result<Service::WorkflowStarted>> Service::run_workflow(WorkflowArgs args) {
  State& state = *state_;
  domain::WorkflowSpec& spec = args.spec;
  if (auto good = check_steps(spec); !good) co_return fail(good.error());
  auto chosen = state.repositories->select(args.over);
  if (!chosen) co_return fail(chosen.error());
  const domain::BoundsPtr bounds = state.bounds_of(spec.caller);
  if (bounds) {
    for (const domain::Repository* repo : *chosen) {
      if (auto allowed = bounds->check_repository(repo); !allowed) co_return fail(allowed.error());
    }
  }
  spec.repos.clear();
  for (const domain::Repository* repo : *chosen) spec.repos.push_back({repo->name, repo->path});
  for (auto& step : spec.steps) {
    const auto named = args.step_pools.find(step.id);
    auto pool = state.pool_for(step.work, named == args.step_pools.end() ? "" : named->second,
                               bounds.get());
    if (!pool)
      co_return fail(pool.error().code, "step \"" + step.id + "\": " + pool.error().message);
    if (pool->spec == nullptr) continue;
    step.pool = pool->id;
    step.worker_type = pool->spec->worker_type;
  }
  auto cells = domain::Core::cells_of(spec);
  if (!cells) co_return fail(cells.error());

  domain::SubmitWorkflow event;
  event.key_sought = state.shell.now().mono;
  auto keyed = co_await state.find_key(spec.caller, spec.idempotency_key);
  if (!keyed) co_return fail(keyed.error());
  if (keyed->workflow) co_return WorkflowStarted{keyed->workflow, true, {}};
  if (keyed->task) {
    co_return fail(ErrorCode::Conflict, "idempotency_key \"" + spec.idempotency_key +
                                            "\" already named task " + keyed->task.str());
  }

  event.id = domain::WorkflowId{state.new_id()};
  event.ids.reserve(*cells);
  for (std::size_t i = 0; i < *cells; ++i) event.ids.push_back(domain::TaskId{state.new_id()});
  event.spec = std::make_shared<const domain::WorkflowSpec>(std::move(spec));
  std::vector<domain::TaskId> ids = event.ids;
  auto reply = co_await state.ask<domain::SubmittedWorkflow>(std::move(event));
  if (!reply) co_return fail(reply.error());
  if (reply->existing) ids.clear();
  co_return WorkflowStarted{reply->id, reply->existing, std::move(ids)};
}

awaitable<Result<WorkflowPtr>> Service::workflow(domain::WorkflowId id, Wait wait) {
  State& state = *state_;
  if (wait.limit.count() == 0) co_return co_await state.read_workflow(id);
  if (auto room = state.shell.watchers().room(); !room) co_return fail(room.error());
  const auto until = state.deadline(wait.limit);
  Watch watch(state.shell.watchers(), {{id.value, Topic::State}});
  std::uint64_t first_version = 0;
  while (true) {
    auto workflow = co_await state.read_workflow(id);
    if (!workflow || domain::is_terminal((*workflow)->status.state)) co_return workflow;
    const std::uint64_t version = (*workflow)->status.version;
    if (first_version == 0) first_version = version;
    if (wait.until_change && version != first_version) co_return workflow;
    auto changed = co_await watch.changed(until);
    if (!changed) co_return fail(changed.error());
    if (!*changed) co_return workflow;
  }
}

awaitable<Result<domain::Listing<domain::WorkflowRecord>>> Service::workflows(
    domain::WorkflowFilter filter, domain::Page page) {
  auto ask = [this, &filter, &page](auto callback) {
    state_->archive.workflows(filter, page, std::move(callback));
  };
  co_return co_await answer_of<domain::Listing<domain::WorkflowRecord>>(state_->executor,
                                                                        std::move(ask));
}

awaitable<Result<CancelOutcome>> Service::cancel_workflow(domain::WorkflowId id, base::Millis wait,
                                                          std::string by) {
  State& state = *state_;
  const auto until = state.deadline(wait);
  auto known = co_await state.read_workflow(id);
  if (!known) co_return fail(known.error());
  if (auto may = state.may_cancel(by, (*known)->spec->caller); !may) co_return fail(may.error());
  domain::CancelWorkflow event;
  event.workflow = id;
  auto answer = co_await state.ask<domain::CancelAnswer>(std::move(event));
  if (!answer) co_return fail(answer.error());
  co_return co_await state.cancelled(std::move(*answer), wait, until);
}

}  // namespace mahavishnu::control
