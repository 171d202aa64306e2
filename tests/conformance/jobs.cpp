#include "jobs.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <random>

namespace mahavishnu::conformance {
namespace {

constexpr base::Millis kKept{60000};  // once a job may have ended
constexpr base::Millis kPoll{200};

std::string unguessable() {
  std::random_device chance;
  std::string out;
  for (int i = 0; i < 4; ++i) {
    std::array<char, 9> text{};
    std::snprintf(text.data(), text.size(), "%08x", chance());
    out += text.data();
  }
  return out;
}

}  // namespace

Jobs::Jobs(asio::any_io_executor executor, std::function<void(std::string_view)> changed)
    : executor_(executor),
      changed_(std::move(changed)),
      news_(executor, asio::steady_timer::time_point::max()),
      group_(executor, "jobs") {}

Jobs::Job& Jobs::add(const std::string& caller, Finish finish, base::Millis takes) {
  std::string id = unguessable();
  Job& job = jobs_[id];
  job.caller = caller;
  job.finish = std::move(finish);
  job.view.id = job.view.subject = std::move(id);
  job.view.created = job.view.updated = base::wall_now();
  job.view.ttl = takes + kKept;
  job.view.poll = kPoll;
  return job;
}

mcp::TaskView Jobs::begin(const std::string& caller, base::Millis takes, Finish finish) {
  Job& job = add(caller, std::move(finish), takes);
  job.clock = std::make_shared<asio::steady_timer>(executor_);
  job.clock->expires_after(takes);
  group_.spawn(run(job.view.id, job.clock));
  return job.view;
}

mcp::TaskView Jobs::begin(const std::string& caller, std::vector<mcp::Question> questions,
                          Finish finish) {
  Job& job = add(caller, std::move(finish), base::Millis(0));
  job.view.state = mcp::TaskState::InputRequired;
  job.view.questions = std::move(questions);
  return job.view;
}

base::awaitable<void> Jobs::run(std::string id, std::shared_ptr<asio::steady_timer> clock) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto [error] = co_await clock->async_wait(base::as_result);
  const auto found = jobs_.find(id);
  if (error || found == jobs_.end() || mcp::is_over(found->second.view.state)) co_return;
  mcp::TaskEnd end = found->second.finish({});
  const bool failed = std::holds_alternative<rpc::RpcError>(end);
  settle(found->second, failed ? mcp::TaskState::Failed : mcp::TaskState::Completed,
         std::move(end));
}

base::awaitable<void> Jobs::stop() {
  for (auto& [id, job] : jobs_) {
    if (job.clock) job.clock->cancel();
  }
  co_await group_.join();
}

void Jobs::settle(Job& job, mcp::TaskState state, std::optional<mcp::TaskEnd> end) {
  job.view.state = state;
  job.view.end = std::move(end);
  job.view.questions.clear();
  touch(job);
}

void Jobs::touch(Job& job) {
  job.view.updated = base::wall_now();
  news_.cancel();
  changed_(job.view.subject);
}

base::Result<Jobs::Job*> Jobs::find(std::string_view id, std::string_view caller) {
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || found->second.caller != caller) {
    return base::fail(base::ErrorCode::NotFound, "there is no such task");
  }
  if (base::wall_now() > found->second.view.created + *found->second.view.ttl) {
    jobs_.erase(found);
    return base::fail(base::ErrorCode::NotFound, "the task has expired");
  }
  return &found->second;
}

base::awaitable<base::Result<mcp::TaskView>> Jobs::get(std::string id, std::string caller,
                                                       base::Millis wait) {
  const auto until = base::mono_now() + wait;
  while (true) {
    const auto job = find(id, caller);
    if (!job) co_return base::fail(job.error());
    if ((*job)->view.state != mcp::TaskState::Working || base::mono_now() >= until) {
      co_return (*job)->view;
    }
    news_.expires_at(asio::steady_timer::time_point(until.time_since_epoch()));
    co_await news_.async_wait(base::as_result);
    const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
      co_return base::fail(base::ErrorCode::Cancelled, "nobody waits any more");
    }
  }
}

base::awaitable<base::Status> Jobs::answer(std::string id, mcp::Answers answers, mcp::Call& call) {
  const auto job = find(id, call.caller());
  if (!job) co_return base::fail(job.error());
  auto& questions = (*job)->view.questions;
  const std::size_t open = questions.size();
  for (auto& [key, answer] : answers) {
    const auto one = std::find_if(questions.begin(), questions.end(),
                                  [&key = key](const auto& asked) { return asked.key == key; });
    if (one == questions.end()) continue;
    questions.erase(one);
    (*job)->answers.insert_or_assign(key, std::move(answer));
  }
  if (open == questions.size()) co_return base::Status{};
  if (questions.empty()) {
    settle(**job, mcp::TaskState::Completed, (*job)->finish((*job)->answers));
  } else {
    touch(**job);
  }
  co_return base::Status{};
}

base::awaitable<base::Status> Jobs::cancel(std::string id, base::Millis, mcp::Call& call) {
  const auto job = find(id, call.caller());
  if (!job) co_return base::fail(job.error());
  if (!mcp::is_over((*job)->view.state)) {
    settle(**job, mcp::TaskState::Cancelled, std::nullopt);
    if ((*job)->clock) (*job)->clock->cancel();
  }
  co_return base::Status{};
}

base::awaitable<base::Result<mcp::TaskPage>> Jobs::list(std::string caller, std::string cursor) {
  if (!cursor.empty()) {
    co_return base::fail(base::ErrorCode::InvalidArgument, "params.cursor is none of this list");
  }
  mcp::TaskPage page;
  for (const auto& [id, job] : jobs_) {
    if (job.caller == caller) page.tasks.push_back(job.view);
  }
  co_return page;
}

std::optional<std::string> Jobs::subject(std::string_view id, std::string_view caller) const {
  const auto found = jobs_.find(id);
  if (found == jobs_.end() || found->second.caller != caller) return std::nullopt;
  return found->second.view.subject;
}

}  // namespace mahavishnu::conformance
