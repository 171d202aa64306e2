#include "tools/follow.h"

#include <algorithm>

#include "tools/json_views.h"

namespace mahavishnu::tools {
namespace {

// What is left of a wait that began when this was made.
class Countdown {
 public:
  Countdown(Context& context, base::Millis limit)
      : context_(context), end_(context.timers.now().mono + limit) {}
  base::Millis left() const {
    const auto left = std::chrono::duration_cast<base::Millis>(end_ - context_.timers.now().mono);
    return std::max(left, base::Millis{0});
  }

 private:
  Context& context_;
  base::MonoTime end_;
};

// The service waits by itself when nobody wants to hear of the steps in between.
bool tells_progress(const Wait& wait, const mcp::Call& call) {
  return wait.limit.count() > 0 && !wait.until_change && call.wants_progress();
}

// Tells its caller of one task: its states, and the progress its tool tells by lines on stderr.
// What is told has to grow, and how much there will be is not known: a count, and no total.
class TaskTeller {
 public:
  explicit TaskTeller(mcp::Call& call) : call_(call) {}

  void state(domain::TaskState state) { tell(std::string(domain::to_string(state))); }

  // More of the attempt's stderr: the last line of progress in it is the newest. A line that has
  // not come to its end waits for it.
  void errors(const std::string& text) {
    constexpr std::string_view kProgress = "progress ";
    rest_ += text;
    const std::size_t whole = rest_.rfind('\n') + 1;
    std::string newest;
    for (std::size_t start = 0; start < whole;) {
      const std::size_t end = rest_.find('\n', start);
      const std::string_view line = std::string_view(rest_).substr(start, end - start);
      if (line.starts_with(kProgress)) newest = line.substr(kProgress.size());
      start = end + 1;
    }
    rest_.erase(0, whole);
    if (rest_.size() > kLongestLine) rest_.clear();
    if (!newest.empty()) tell(std::move(newest));
  }

 private:
  static constexpr std::size_t kLongestLine = 8192;
  void tell(std::string what) { call_.progress(++told_, 0, std::move(what)); }

  mcp::Call& call_;
  int told_ = 0;
  std::string rest_;
};

// A tool that runs is looked at again after this time at the latest: its attempt may be another.
constexpr base::Millis kLookAgain{2000};

// Resumes when the task has changed; meanwhile what its attempt tells is passed on.
base::awaitable<base::Status> hear(Context& context, Service::TaskPtr task, base::Millis limit,
                                   std::uint64_t& heard, TaskTeller& teller) {
  control::OutputQuery query;
  query.stream = domain::OutputStream::Stderr;
  query.offset = static_cast<std::int64_t>(heard);
  query.wait = std::min(limit, kLookAgain);
  const auto chunk = co_await context.service.output(task->id, query);
  if (!chunk) co_return fail(chunk.error());
  heard = std::max(heard, chunk->next_offset);
  teller.errors(chunk->text);
  co_return base::Status{};
}

// As follow_task, of a task that calls a tool.
base::awaitable<base::Result<Service::TaskPtr>> follow_call(Context& context, domain::TaskId id,
                                                            Countdown countdown, mcp::Call& call) {
  TaskTeller teller(call);
  std::uint64_t heard = 0;
  std::uint64_t version = 0;
  std::uint32_t attempt = 0;
  auto task = co_await context.service.task(id, Wait{});
  while (task) {
    const domain::TaskStatus& status = (*task)->status;
    if (version != status.version) teller.state(status.state);
    version = status.version;
    const base::Millis left = countdown.left();
    if (domain::is_terminal(status.state) || left.count() == 0) break;
    if (attempt != status.attempt) heard = 0;
    attempt = status.attempt;
    if (status.state == domain::TaskState::Running) {
      // Output that cannot be read is no reason to fail whoever waits for the task.
      const auto told = co_await hear(context, *task, left, heard, teller);
      task = co_await context.service.task(id, told ? Wait{} : Wait{left, true});
    } else {
      task = co_await context.service.task(id, Wait{left, true});
    }
  }
  co_return task;
}

struct Seen {
  int ended = 0;
  int unknown = 0;  // not at hand any more
};

Seen look_at(const Service& service, const std::vector<domain::TaskId>& tasks) {
  Seen seen;
  for (const domain::TaskId id : tasks) {
    const auto task = service.cached_task(id);
    if (task == nullptr) {
      ++seen.unknown;
    } else if (domain::is_terminal(task->status.state)) {
      ++seen.ended;
    }
  }
  return seen;
}

}  // namespace

std::string progress_text(const domain::WorkflowStatus& status) {
  return std::to_string(ended_of(status)) + "/" + std::to_string(status.total) + " cells, " +
         std::to_string(status.failed) + " failed";
}

base::awaitable<base::Result<Service::TaskPtr>> follow_task(Context& context, domain::TaskId id,
                                                            Wait wait, mcp::Call& call) {
  if (!tells_progress(wait, call)) co_return co_await context.service.task(id, wait);
  const Countdown countdown(context, wait.limit);
  auto task = co_await context.service.task(id, Wait{});
  if (task && !(*task)->spec->work.tool.empty()) {
    co_return co_await follow_call(context, id, countdown, call);
  }
  for (int changes = 1; task; ++changes) {
    // How often it will change is not known: the total is left out.
    call.progress(changes, 0, std::string(domain::to_string((*task)->status.state)));
    const base::Millis left = countdown.left();
    if (domain::is_terminal((*task)->status.state) || left.count() == 0) break;
    task = co_await context.service.task(id, Wait{left, true});
  }
  co_return task;
}

base::awaitable<base::Result<Service::WorkflowPtr>> follow_workflow(Context& context,
                                                                    domain::WorkflowId id,
                                                                    Wait wait, mcp::Call& call) {
  if (!tells_progress(wait, call)) co_return co_await context.service.workflow(id, wait);
  const Countdown countdown(context, wait.limit);
  auto workflow = co_await context.service.workflow(id, Wait{});
  int told = -1;
  while (workflow && !domain::is_terminal((*workflow)->status.state)) {
    const auto& status = (*workflow)->status;
    if (ended_of(status) > told) {
      told = ended_of(status);
      call.progress(told, status.total, progress_text(status));
    }
    const base::Millis left = countdown.left();
    if (left.count() == 0) break;
    workflow = co_await context.service.workflow(id, Wait{left, true});
  }
  co_return workflow;
}

base::awaitable<base::Status> follow_batch(Context& context, domain::BatchId id,
                                           std::vector<domain::TaskId> tasks, Wait wait,
                                           mcp::Call& call) {
  if (!tells_progress(wait, call)) co_return co_await context.service.wait_batch(id, wait);
  const Countdown countdown(context, wait.limit);
  const int total = static_cast<int>(tasks.size());
  for (int told = -1;;) {
    const Seen seen = look_at(context.service, tasks);
    if (seen.ended > told) {
      told = seen.ended;
      call.progress(told, total, std::to_string(told) + "/" + std::to_string(total) + " tasks");
    }
    const base::Millis left = countdown.left();
    if (seen.ended == total || left.count() == 0) co_return base::Status{};
    // What has left memory cannot be counted: the service waits for the rest by itself.
    if (seen.ended + seen.unknown == total) {
      co_return co_await context.service.wait_batch(id, Wait{left, false});
    }
    base::Status changed = co_await context.service.wait_batch(id, Wait{left, true});
    if (!changed) co_return changed;
  }
}

}  // namespace mahavishnu::tools
