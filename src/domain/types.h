// The vocabulary: states, reasons, policies and specifications, as plain values.
//
// Nothing here does anything. `domain` knows no JSON, no SQL, no process, no clock and no Asio; the
// words are those of docs/architecture.md. Sizes are bytes, durations are std::chrono, 0 or an
// empty optional means "no limit" where a field says so.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"

namespace mahavishnu::domain {

using base::BatchId;
using base::Error;
using base::ErrorCode;
using base::fail;
using base::Millis;
using base::MonoTime;
using base::PoolId;
using base::Result;
using base::Status;
using base::TaskId;
using base::WallTime;
using base::WorkflowId;

enum class TaskState : std::uint8_t {
  Queued,
  Running,
  RetryWait,
  Completed,
  Failed,
  Cancelled,
  Dead
};

// Why a task is in its terminal state (or why an attempt ended). None while it has none.
enum class Reason : std::uint8_t {
  None,
  Ok,
  ExitCode,
  Signal,
  TimedOut,
  QueueTimeout,
  StartTimeout,
  IdleTimeout,
  TotalTimeout,
  OutOfMemory,
  Hung,
  Denied,
  NoTerminalEvent,
  BudgetExceeded,
  Lost,
  VerifyFailed,
  CancelledByCaller,
  DependencyFailed,
  Rejected,
};

enum class WorkflowState : std::uint8_t { Pending, Running, Completed, Partial, Failed, Cancelled };
enum class PoolState : std::uint8_t {
  Running,
  Scaling,
  Degraded,
  Paused,
  Draining,
  Stopped,
  Failed
};
enum class Selector : std::uint8_t { LeastLoaded, RoundRobin, Random, Affinity };
enum class When : std::uint8_t { Succeeded, Failed, Always };
enum class Each : std::uint8_t { Repo, Once };
enum class OnFailure : std::uint8_t { Stop, Continue, StopAll };

// Wire names ("retry_wait", "exit_code", "least_loaded", …). parse_* answers nullopt for others.
std::string_view to_string(TaskState);
std::string_view to_string(Reason);
std::string_view to_string(WorkflowState);
std::string_view to_string(PoolState);
std::string_view to_string(Selector);
std::string_view to_string(When);
std::string_view to_string(Each);
std::string_view to_string(OnFailure);
std::optional<TaskState> parse_task_state(std::string_view);
std::optional<Reason> parse_reason(std::string_view);
std::optional<WorkflowState> parse_workflow_state(std::string_view);
std::optional<PoolState> parse_pool_state(std::string_view);
std::optional<Selector> parse_selector(std::string_view);
std::optional<When> parse_when(std::string_view);
std::optional<Each> parse_each(std::string_view);
std::optional<OnFailure> parse_on_failure(std::string_view);

bool is_terminal(TaskState state);      // completed, failed, cancelled, dead
bool is_terminal(WorkflowState state);  // completed, partial, failed, cancelled

inline constexpr int kPriorities = 5;  // 0 background … 4 urgent
inline constexpr int kDefaultPriority = 2;

struct RetryPolicy {
  int max_attempts = 1;
  Millis backoff{1000};  // before the second attempt; grows by `factor`, capped at max_backoff
  double factor = 2.0;
  double jitter = 1.0;  // 1: full jitter (uniform in [0, backoff]); 0: none
  Millis max_backoff{300000};
};

struct Timeouts {  // 0: none
  Millis queue{0};
  Millis start{30000};
  Millis idle{600000};  // no output for this long
  Millis run{1800000};  // one attempt
  Millis total{0};      // admission to end, all attempts
};

struct Limits {  // 0: none
  std::uint64_t memory_bytes = 0;
  std::uint64_t cpu_ms = 0;
  std::uint64_t output_bytes = 16ULL << 20U;  // kept; what is beyond is cut, and counted
  std::uint64_t processes = 0;
};

using StringMap = std::map<std::string, std::string>;

// What an executor runs. The payload: in the journal and with the executor, never kept by the core.
struct Work {
  std::string command;            // run by /bin/sh -c; or
  std::vector<std::string> argv;  // a program; or
  std::string tool;               // of the server of its pool: exactly one of the three is not empty
  std::string arguments;          // of the tool, a JSON object as text; "": none
  std::string cwd;  // absolute; empty: the repository, or a scratch folder of the task
  std::string stdin_text;
  StringMap env;
  std::string verify;  // a command that must exit 0 after the work did
  Limits limits;
};

// What a caller asked for. Immutable once admitted; shared, never copied.
struct TaskSpec {
  Work work;
  std::optional<PoolId> pool;  // set: this pool. Otherwise `selector` chooses among worker_type
  Selector selector = Selector::LeastLoaded;
  std::string affinity_key;
  std::string worker_type = "shell";
  std::string repo;       // canonical repository name, empty: none
  std::string repo_path;  // where it was when the task was admitted
  std::uint8_t priority = kDefaultPriority;
  Timeouts timeouts;
  RetryPolicy retry;
  std::string idempotency_key;     // scoped to `caller`
  std::vector<TaskId> depends_on;  // all must have completed; otherwise dependency_failed
  StringMap labels;
  std::optional<WallTime> not_before;
  std::string caller;    // who asked (credential or connection name), for fair share
  int max_per_repo = 1;  // tasks that may run in the repository at once
  // The allow-listed variables of the client that asked, which its work sees instead of the
  // server's; null: it named none.
  std::shared_ptr<const StringMap> client_env;
};

struct StepSpec {
  std::string id;
  Work work;
  std::vector<std::string> depends_on;
  When when = When::Succeeded;
  Each each = Each::Repo;
  std::optional<PoolId> pool;
  std::string worker_type = "shell";
  Timeouts timeouts;
  RetryPolicy retry;
  OnFailure on_failure = OnFailure::Stop;
};

struct RepoRef {
  std::string name;
  std::string path;
};

struct WorkflowSpec {
  std::string name;
  std::vector<StepSpec> steps;
  std::vector<RepoRef> repos;  // what `over` came to when it was admitted
  int max_parallel = 0;        // tasks of this workflow at once; 0: no limit
  int max_per_repo = 1;
  std::uint8_t priority = kDefaultPriority;
  std::string idempotency_key;
  StringMap labels;
  std::string caller;
  std::shared_ptr<const StringMap> client_env;  // as in TaskSpec
};

// Where the work of a pool goes that is not done here. For type "mcp" the MCP server whose tools are
// called: exactly one of `url` and `command` is set, the others go with a url. Empty for the others.
// No secrets: the token is in a file, which is read for each call.
struct PoolSettings {
  std::string url;                   // http:// or https://, with the path of its endpoint
  std::vector<std::string> command;  // started for each call, speaks on stdin and stdout
  std::string token_file;            // absolute; its first line goes along as bearer token
  StringMap headers;                 // of every request
  std::string ca_file;               // absolute; "": the system's authorities
  bool operator==(const PoolSettings&) const = default;
  bool empty() const { return *this == PoolSettings{}; }
};

struct PoolSpec {
  std::string name;
  int min_workers = 0;
  int max_workers = 4;
  int max_queue = 10000;
  std::string type = "local";         // "mcp": its work is calls of tools
  std::string worker_type = "shell";  // "mcp" for that type, and only for it
  PoolSettings settings;
  Limits limits;  // defaults for its tasks where they name none
  Timeouts timeouts;
  RetryPolicy retry;
  StringMap env;
  StringMap labels;
};

// One try at a task. `epoch` is the server's life, `counter` grows within it: a fence only grows.
struct Fence {
  std::uint64_t epoch = 0;
  std::uint64_t counter = 0;
  auto operator<=>(const Fence&) const = default;
};

}  // namespace mahavishnu::domain

template <>
struct std::hash<mahavishnu::domain::Fence> {
  size_t operator()(const mahavishnu::domain::Fence& f) const noexcept {
    return static_cast<size_t>((f.epoch * 0x9E3779B97F4A7C15ULL) ^ f.counter);
  }
};
