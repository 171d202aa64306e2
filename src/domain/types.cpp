#include "domain/types.h"

#include <array>
#include <utility>

#include "domain/log_archive.h"

namespace mahavishnu::domain {
namespace {

template <class E, std::size_t N>
using Words = std::array<std::pair<E, std::string_view>, N>;

template <class E, std::size_t N>
constexpr std::string_view word_of(const Words<E, N>& words, E value) {
  for (const auto& [known, word] : words) {
    if (known == value) return word;
  }
  return "?";
}

template <class E, std::size_t N>
constexpr std::optional<E> value_of(const Words<E, N>& words, std::string_view text) {
  for (const auto& [value, word] : words) {
    if (word == text) return value;
  }
  return std::nullopt;
}

constexpr Words<TaskState, 7> kTaskStates{{
    {TaskState::Queued, "queued"},
    {TaskState::Running, "running"},
    {TaskState::RetryWait, "retry_wait"},
    {TaskState::Completed, "completed"},
    {TaskState::Failed, "failed"},
    {TaskState::Cancelled, "cancelled"},
    {TaskState::Dead, "dead"},
}};

constexpr Words<Reason, 19> kReasons{{
    {Reason::None, ""},
    {Reason::Ok, "ok"},
    {Reason::ExitCode, "exit_code"},
    {Reason::Signal, "signal"},
    {Reason::TimedOut, "timed_out"},
    {Reason::QueueTimeout, "queue_timeout"},
    {Reason::StartTimeout, "start_timeout"},
    {Reason::IdleTimeout, "idle_timeout"},
    {Reason::TotalTimeout, "total_timeout"},
    {Reason::OutOfMemory, "out_of_memory"},
    {Reason::Hung, "hung"},
    {Reason::Denied, "denied"},
    {Reason::NoTerminalEvent, "no_terminal_event"},
    {Reason::BudgetExceeded, "budget_exceeded"},
    {Reason::Lost, "lost"},
    {Reason::VerifyFailed, "verify_failed"},
    {Reason::CancelledByCaller, "cancelled_by_caller"},
    {Reason::DependencyFailed, "dependency_failed"},
    {Reason::Rejected, "rejected"},
}};

constexpr Words<LogLevel, 5> kLogLevels{{
    {LogLevel::Trace, "trace"},
    {LogLevel::Debug, "debug"},
    {LogLevel::Info, "info"},
    {LogLevel::Warn, "warn"},
    {LogLevel::Error, "error"},
}};

constexpr Words<WorkflowState, 6> kWorkflowStates{{
    {WorkflowState::Pending, "pending"},
    {WorkflowState::Running, "running"},
    {WorkflowState::Completed, "completed"},
    {WorkflowState::Partial, "partial"},
    {WorkflowState::Failed, "failed"},
    {WorkflowState::Cancelled, "cancelled"},
}};

constexpr Words<PoolState, 7> kPoolStates{{
    {PoolState::Running, "running"},
    {PoolState::Scaling, "scaling"},
    {PoolState::Degraded, "degraded"},
    {PoolState::Paused, "paused"},
    {PoolState::Draining, "draining"},
    {PoolState::Stopped, "stopped"},
    {PoolState::Failed, "failed"},
}};

constexpr Words<Selector, 4> kSelectors{{
    {Selector::LeastLoaded, "least_loaded"},
    {Selector::RoundRobin, "round_robin"},
    {Selector::Random, "random"},
    {Selector::Affinity, "affinity"},
}};

constexpr Words<When, 3> kWhens{{
    {When::Succeeded, "succeeded"},
    {When::Failed, "failed"},
    {When::Always, "always"},
}};

constexpr Words<Each, 2> kEachs{{{Each::Repo, "repo"}, {Each::Once, "once"}}};

constexpr Words<OnFailure, 3> kOnFailures{{
    {OnFailure::Stop, "stop"},
    {OnFailure::Continue, "continue"},
    {OnFailure::StopAll, "stop_all"},
}};

}  // namespace

std::string_view to_string(TaskState value) { return word_of(kTaskStates, value); }
std::string_view to_string(Reason value) { return word_of(kReasons, value); }
std::string_view to_string(WorkflowState value) { return word_of(kWorkflowStates, value); }
std::string_view to_string(PoolState value) { return word_of(kPoolStates, value); }
std::string_view to_string(Selector value) { return word_of(kSelectors, value); }
std::string_view to_string(When value) { return word_of(kWhens, value); }
std::string_view to_string(Each value) { return word_of(kEachs, value); }
std::string_view to_string(OnFailure value) { return word_of(kOnFailures, value); }
std::string_view to_string(LogLevel value) { return word_of(kLogLevels, value); }

std::optional<TaskState> parse_task_state(std::string_view text) {
  return value_of(kTaskStates, text);
}
std::optional<Reason> parse_reason(std::string_view text) { return value_of(kReasons, text); }
std::optional<WorkflowState> parse_workflow_state(std::string_view text) {
  return value_of(kWorkflowStates, text);
}
std::optional<PoolState> parse_pool_state(std::string_view text) {
  return value_of(kPoolStates, text);
}
std::optional<Selector> parse_selector(std::string_view text) { return value_of(kSelectors, text); }
std::optional<When> parse_when(std::string_view text) { return value_of(kWhens, text); }
std::optional<Each> parse_each(std::string_view text) { return value_of(kEachs, text); }
std::optional<OnFailure> parse_on_failure(std::string_view text) {
  return value_of(kOnFailures, text);
}
std::optional<LogLevel> parse_log_level(std::string_view text) {
  return value_of(kLogLevels, text);
}

bool is_terminal(TaskState state) {
  return state == TaskState::Completed || state == TaskState::Failed ||
         state == TaskState::Cancelled || state == TaskState::Dead;
}

bool is_terminal(WorkflowState state) {
  return state != WorkflowState::Pending && state != WorkflowState::Running;
}

}  // namespace mahavishnu::domain
