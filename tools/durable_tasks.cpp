#include "tools/durable_tasks.h"

#include <algorithm>
#include <charconv>

#include "rpc/codec.h"
#include "tools/batch.h"
#include "tools/follow.h"
#include "tools/json_views.h"

namespace mahavishnu::tools {
namespace {

using base::ErrorCode;
using base::fail;
using mcp::TaskState;
using mcp::TaskView;

constexpr std::string_view kClosing = "closing";  // key of the question
constexpr std::size_t kMostLeft = 1000;
constexpr int kLooks = 100;  // for ends that are being written: some milliseconds
constexpr int kListed = 50;  // of a kind, in a page of a list

// Young work is worth a look soon.
base::Millis poll_of(base::Millis age) {
  if (age < base::Millis(10000)) return base::Millis(500);
  return age < base::Millis(120000) ? base::Millis(2000) : base::Millis(5000);
}

tl::unexpected<base::Error> unknown() {
  return fail(ErrorCode::NotFound, "there is no such task; a handle is good for who was given it");
}

// A call in which nobody can be asked or told anything: what was to be asked has been answered.
class Quiet final : public mcp::Call {
 public:
  explicit Quiet(std::string caller) : caller_(std::move(caller)) {}
  const std::string& caller() const override { return caller_; }
  bool wants_progress() const override { return false; }
  void progress(double, double, std::string) override {}
  const std::string& working_directory() const override { return folder_; }
  std::shared_ptr<const std::map<std::string, std::string>> environment() const override {
    return nullptr;
  }
  void log(mcp::LogLevel, std::string, Json) override {}

 private:
  std::string caller_;
  std::string folder_;
};

template <class Number>
bool parse_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

std::string tasks_text(int count) {
  return std::to_string(count) + (count == 1 ? " task" : " tasks");
}

}  // namespace

// Of a batch the handle also says how many were handed in: "batch_…~ITEMS".
struct DurableTasks::Batch {
  domain::BatchId id;
  std::size_t items = 0;

  std::string text() const { return id.str() + "~" + std::to_string(items); }
  static std::optional<Batch> parse(std::string_view text) {
    const std::size_t end = text.find('~');
    if (end == std::string_view::npos) return std::nullopt;
    const auto id = domain::BatchId::parse(text.substr(0, end));
    Batch out;
    if (!id || !parse_number(text.substr(end + 1), out.items)) return std::nullopt;
    out.id = *id;
    return out;
  }
};

// The closing of a pool, all of it in the handle: "pool_…~BEGAN~WERE" and "?" where it asks.
struct DurableTasks::Closing {
  domain::PoolId pool;
  base::WallTime began{};
  int were = 0;  // not ended when it began
  bool asks = false;

  std::string text() const {
    return pool.str() + "~" + std::to_string(began.time_since_epoch().count()) + "~" +
           std::to_string(were) + (asks ? "?" : "");
  }
  static std::optional<Closing> parse(std::string_view text) {
    Closing out;
    out.asks = text.ends_with('?');
    if (out.asks) text.remove_suffix(1);
    const std::size_t first = text.find('~');
    const std::size_t second = text.find('~', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
    const auto pool = domain::PoolId::parse(text.substr(0, first));
    std::int64_t began = 0;
    if (!pool || !parse_number(text.substr(first + 1, second - first - 1), began) ||
        !parse_number(text.substr(second + 1), out.were)) {
      return std::nullopt;
    }
    out.pool = *pool;
    out.began = base::WallTime(base::Millis(began));
    return out;
  }
};

mcp::Question closing_question(const domain::PoolStatus& pool) {
  const Json what{{"type", "string"},
                  {"title", "What becomes of its work"},
                  {"description", "drain: it is finished first; abort: it is ended now"},
                  {"enum", {"drain", "abort"}}};
  const Json schema{
      {"type", "object"}, {"properties", {{"work", what}}}, {"required", Json::array({"work"})}};
  const std::string message = "Pool " + pool.record.spec.name + " has " + tasks_text(pool.running) +
                              " running and " + tasks_text(pool.queued + pool.delayed) +
                              " waiting. Close it, and what becomes of them?";
  return {std::string(kClosing), mcp::Ask::Elicitation,
          Json{{"message", message}, {"requestedSchema", schema}}};
}

bool becomes_task(const Context& context, const mcp::Call& call, bool over, bool until_change) {
  if (context.tasks == nullptr) return false;
  if (call.task_wish() == mcp::TaskWish::Demanded) return true;
  return call.task_wish() == mcp::TaskWish::Welcome && !over && !until_change;
}

std::optional<ClosingChoice> closing_choice(const mcp::Answers& answers) {
  const auto found = answers.find(kClosing);
  if (found == answers.end() || !found->second.is_object()) return std::nullopt;
  const std::string action = found->second.value("action", std::string());
  if (action == "decline" || action == "cancel") return ClosingChoice::Leave;
  const Json content = found->second.value("content", Json::object());
  const Json work = content.is_object() ? content.value("work", Json()) : Json();
  if (action != "accept" || !work.is_string()) return std::nullopt;
  if (work == "drain") return ClosingChoice::Drain;
  return work == "abort" ? std::optional(ClosingChoice::Abort) : std::nullopt;
}

DurableTasks::DurableTasks(Context& context, Options options)
    : context_(context), options_(std::move(options)), signer_(options_.key) {}

void DurableTasks::use(const std::vector<mcp::Tool>& tools) {
  for (const mcp::Tool& tool : tools) {
    if (tool.name == "task_cancel") task_cancel_ = tool.handler;
    if (tool.name == "workflow_cancel") workflow_cancel_ = tool.handler;
    if (tool.name == "workflow_get") workflow_get_ = tool.handler;
    if (tool.name == "pool_close") pool_close_ = tool.handler;
  }
}

std::string DurableTasks::sealed(const std::string& named, std::string_view caller) const {
  std::string text = named;
  return text.append(".").append(signer_.sign(std::string(caller) + "\n" + named));
}

base::Result<std::string> DurableTasks::open(std::string_view id, std::string_view caller) const {
  const std::size_t dot = id.find('.');
  if (dot == std::string_view::npos) return unknown();
  std::string named(id.substr(0, dot));
  if (!signer_.is_signature(id.substr(dot + 1), std::string(caller) + "\n" + named)) {
    return unknown();
  }
  return named;
}

void DurableTasks::set_life(TaskView& view, std::optional<base::WallTime> ended) const {
  const base::WallTime now = context_.timers.now().wall;
  view.poll = poll_of(now - view.created);
  if (ended) view.ttl = std::max(base::Millis(0), *ended - view.created) + options_.keep;
}

base::Status DurableTasks::check_life(const TaskView& view) const {
  if (!view.ttl || context_.timers.now().wall <= view.created + *view.ttl) return {};
  return fail(ErrorCode::NotFound,
              "the task has expired: it ended more than " + std::to_string(options_.keep.count()) +
                  " ms ago (tasks.keep); " + view.subject + " itself is known to the tools");
}

// What tasks and workflows have in common: who it is, its times, its state in words.
template <class Record>
TaskView DurableTasks::outline(const Record& record, const std::string& caller) const {
  const auto& status = record.status;
  TaskView out;
  out.subject = record.id.str();
  out.id = sealed(out.subject, caller);
  out.created = record.created;
  out.updated = status.ended.value_or(status.started.value_or(record.created));
  out.message = std::string(domain::to_string(status.state));
  set_life(out, status.ended);
  return out;
}

TaskView DurableTasks::view(const domain::TaskRecord& task, const std::string& caller) const {
  const domain::TaskStatus& status = task.status;
  TaskView out = outline(task, caller);
  if (!domain::is_terminal(status.state)) return out;
  const bool cancelled = status.state == domain::TaskState::Cancelled;
  out.state = cancelled ? TaskState::Cancelled : TaskState::Completed;
  out.end = task_answer(task.id, task_view(task, context_.timers.now().wall));
  return out;
}

// Without its end, which takes a look at the cells.
TaskView DurableTasks::view(const domain::WorkflowRecord& workflow,
                            const std::string& caller) const {
  const domain::WorkflowStatus& status = workflow.status;
  TaskView out = outline(workflow, caller);
  out.message += ": " + progress_text(status);
  if (!domain::is_terminal(status.state)) return out;
  const bool cancelled = status.state == domain::WorkflowState::Cancelled;
  out.state = cancelled ? TaskState::Cancelled : TaskState::Completed;
  return out;
}

base::awaitable<base::Result<TaskView>> DurableTasks::batch(BatchOutcome outcome,
                                                            std::string caller) const {
  const Batch batch{outcome.batch, outcome.items.size()};
  auto view = co_await get_batch(batch, std::move(caller));
  const auto refused = std::find_if(outcome.items.begin(), outcome.items.end(),
                                    [](const auto& item) { return !item; });
  if (view && refused != outcome.items.end()) {
    view->message += "; refused was, first of all, item " +
                     std::to_string(refused - outcome.items.begin()) + ": " +
                     refused->error().message;
  }
  co_return view;
}

TaskView DurableTasks::closing(const domain::PoolStatus& pool, bool asks,
                               const std::string& caller) const {
  Closing closing;
  closing.pool = pool.record.id;
  closing.began = context_.timers.now().wall;
  closing.were = pool.queued + pool.running + pool.delayed;
  closing.asks = asks;
  return closing_view(closing, caller);
}

TaskView DurableTasks::closing_view(const Closing& closing, const std::string& caller) const {
  TaskView out;
  out.subject = closing.pool.str();
  out.id = sealed(closing.text(), caller);
  out.created = out.updated = closing.began;
  set_life(out, std::nullopt);
  const auto pool = context_.service.pool(closing.pool.str());
  if (is_left(closing.text())) return left_alone(closing, std::move(out));
  if (!pool) {
    out.state = TaskState::Completed;
    out.message = "closed";
    out.updated = context_.timers.now().wall;
    set_life(out, closing.began);
    return out;
  }
  const int left = pool->queued + pool->running + pool->delayed;
  if (pool->record.state == domain::PoolState::Draining || !closing.asks) {
    out.message = "draining: " + tasks_text(left) + " left";
    return out;
  }
  const base::WallTime until = closing.began + options_.answer_time;
  if (context_.timers.now().wall > until) return left_alone(closing, std::move(out));
  out.state = TaskState::InputRequired;
  out.message = "what becomes of its work?";
  out.ttl = options_.answer_time + options_.keep;
  out.questions.push_back(closing_question(*pool));
  return out;
}

// Also when the pool goes for another reason later: an end stays the end.
TaskView DurableTasks::left_alone(const Closing& closing, TaskView out) const {
  out.state = TaskState::Cancelled;
  out.message = "the pool was left as it is";
  out.end = base::Error{ErrorCode::Cancelled, closing.pool.str() + " was left as it is", 0};
  set_life(out, closing.began);
  return out;
}

bool DurableTasks::is_left(const std::string& named) const {
  return std::find(left_.begin(), left_.end(), named) != left_.end();
}

base::awaitable<base::Result<TaskView>> DurableTasks::get(std::string id, std::string caller,
                                                          base::Millis wait) {
  const auto named = open(id, caller);
  if (!named) co_return fail(named.error());
  base::Result<TaskView> found = unknown();
  if (const auto task = domain::TaskId::parse(*named)) {
    found = co_await get_task(*task, std::move(caller), wait);
  } else if (const auto workflow = domain::WorkflowId::parse(*named)) {
    found = co_await get_workflow(*workflow, std::move(caller), wait);
  } else if (const auto batch = Batch::parse(*named)) {
    const auto waited = co_await context_.service.wait_batch(batch->id, Wait{wait, false});
    if (!waited) co_return fail(waited.error());
    found = co_await get_batch(*batch, std::move(caller));
  } else {
    found = co_await get_closing(*named, std::move(caller), wait);
  }
  if (!found) co_return found;
  found->id = std::move(id);
  const auto alive = check_life(*found);
  if (!alive) co_return fail(alive.error());
  co_return found;
}

base::awaitable<base::Result<TaskView>> DurableTasks::get_task(domain::TaskId id,
                                                               std::string caller,
                                                               base::Millis wait) {
  const auto task = co_await context_.service.task(id, Wait{wait, false});
  if (!task) co_return fail(task.error());
  co_return view(**task, caller);
}

base::awaitable<base::Result<TaskView>> DurableTasks::get_workflow(domain::WorkflowId id,
                                                                   std::string caller,
                                                                   base::Millis wait) {
  const auto workflow = co_await context_.service.workflow(id, Wait{wait, false});
  if (!workflow) co_return fail(workflow.error());
  TaskView out = view(**workflow, caller);
  if (mcp::is_over(out.state)) {
    Quiet call(std::move(caller));
    Json arguments{{"workflow", id.str()}};
    auto end = co_await workflow_get_(std::move(arguments), call);
    if (!end) co_return fail(end.error());
    out.end = std::move(*end);
  }
  co_return out;
}

// Cancelled only when nothing of it was done.
base::awaitable<base::Result<TaskView>> DurableTasks::get_batch(Batch batch,
                                                                std::string caller) const {
  const auto tasks = co_await tasks_of(context_, batch.id);
  if (!tasks) co_return fail(tasks.error());
  Json counts = Json::object();
  std::size_t ended = 0, cancelled = 0;
  TaskView out;
  out.subject = batch.id.str();
  out.id = sealed(batch.text(), caller);
  out.created = out.updated = tasks->front().created;
  for (const auto& task : *tasks) {
    count_state(counts, task.status.state);
    ended += domain::is_terminal(task.status.state) ? 1 : 0;
    cancelled += task.status.state == domain::TaskState::Cancelled ? 1 : 0;
    out.updated = std::max(out.updated, task.status.ended.value_or(task.created));
  }
  out.message = std::to_string(ended) + "/" + tasks_text(static_cast<int>(tasks->size()));
  const bool over = ended == tasks->size();
  set_life(out, over ? std::optional(out.updated) : std::nullopt);
  if (!over) co_return out;
  out.state = cancelled == tasks->size() ? TaskState::Cancelled : TaskState::Completed;
  out.end = batch_answer(outcome_of(batch.id, *tasks, batch.items), counts);
  co_return out;
}

base::awaitable<base::Result<TaskView>> DurableTasks::get_closing(std::string named,
                                                                  std::string caller,
                                                                  base::Millis wait) {
  const auto closing = Closing::parse(named);
  if (!closing) co_return unknown();
  TaskView out = closing_view(*closing, caller);
  if (out.state == TaskState::Working && wait.count() > 0) {
    // It drains already; asked again, it is waited for.
    const auto waited = co_await context_.service.close_pool(closing->pool.str(), false, wait);
    if (!waited && waited.error().code != ErrorCode::NotFound) co_return fail(waited.error());
    out = closing_view(*closing, caller);
  }
  if (out.state == TaskState::Completed) {
    const auto written = co_await ends_are_written(closing->pool);
    if (!written) co_return fail(written.error());
    if (!*written) {
      out.state = TaskState::Working;
      out.message = "closed; the ends of its work are being written";
      set_life(out, std::nullopt);
      co_return out;
    }
    const auto cancelled = co_await cancelled_since(closing->pool, closing->began, closing->were);
    if (!cancelled) co_return fail(cancelled.error());
    out.end = rpc::dump(Json{{"pool", closing->pool.str()},
                             {"finished", closing->were - *cancelled},
                             {"cancelled", *cancelled},
                             {"still_draining", 0}});
  }
  co_return out;
}

// A pool goes with the end of its last task, and that end is on the disk a moment later.
base::awaitable<base::Result<bool>> DurableTasks::ends_are_written(domain::PoolId pool) {
  domain::TaskFilter filter;
  filter.pool = pool;
  filter.states = {domain::TaskState::Queued, domain::TaskState::Running,
                   domain::TaskState::RetryWait};
  domain::Page page;
  page.limit = 1;
  for (int look = 0; look < kLooks; ++look) {
    const auto listing = co_await context_.service.tasks(filter, page);
    if (!listing) co_return fail(listing.error());
    if (listing->items.empty()) co_return true;
  }
  co_return false;
}

// Of the pool's tasks, those that a caller ended since then; no more than `most` are of interest.
base::awaitable<base::Result<int>> DurableTasks::cancelled_since(domain::PoolId pool,
                                                                 base::WallTime began, int most) {
  domain::TaskFilter filter;
  filter.pool = pool;
  filter.states = {domain::TaskState::Cancelled};
  domain::Page page;
  page.limit = 500;
  int found = 0;
  do {
    const auto listing = co_await context_.service.tasks(filter, page);
    if (!listing) co_return fail(listing.error());
    for (const auto& task : listing->items) {
      if (task.status.ended && *task.status.ended >= began) ++found;
    }
    page.cursor = listing->next_cursor;
  } while (found < most && !page.cursor.empty());
  co_return std::min(found, most);
}

base::awaitable<base::Status> DurableTasks::call_tool(const mcp::ToolHandler& tool, Json arguments,
                                                      mcp::Call& call) {
  Quiet quiet(call.caller());
  const auto done = co_await tool(std::move(arguments), quiet);
  if (!done) co_return fail(done.error());
  co_return base::Status{};
}

base::awaitable<base::Status> DurableTasks::answer(std::string id, mcp::Answers answers,
                                                   mcp::Call& call) {
  const auto named = open(id, call.caller());
  if (!named) co_return fail(named.error());
  const auto closing = Closing::parse(*named);
  if (!closing) co_return base::Status{};  // nothing was asked
  const auto choice = closing_choice(answers);
  const TaskView now = closing_view(*closing, call.caller());
  if (now.state != TaskState::InputRequired || !choice) co_return base::Status{};
  if (*choice == ClosingChoice::Leave) {
    left_.push_back(*named);
    if (left_.size() > kMostLeft) left_.pop_front();
    co_return base::Status{};
  }
  Json arguments{{"pool", closing->pool.str()},
                 {"mode", *choice == ClosingChoice::Abort ? "now" : "drain"}};
  const auto closed = co_await call_tool(pool_close_, std::move(arguments), call);
  co_return closed;
}

base::awaitable<base::Status> DurableTasks::cancel(std::string id, base::Millis wait,
                                                   mcp::Call& call) {
  const auto named = open(id, call.caller());
  if (!named) co_return fail(named.error());
  if (const auto task = domain::TaskId::parse(*named)) {
    Json arguments{{"task", *named}, {"wait_ms", wait.count()}};
    const auto done = co_await call_tool(task_cancel_, std::move(arguments), call);
    co_return done;
  }
  if (const auto batch = Batch::parse(*named)) {
    Json arguments{{"batch", batch->id.str()}, {"wait_ms", wait.count()}};
    const auto done = co_await call_tool(task_cancel_, std::move(arguments), call);
    co_return done;
  }
  if (const auto workflow = domain::WorkflowId::parse(*named)) {
    Json arguments{{"workflow", *named}, {"wait_ms", wait.count()}};
    const auto done = co_await call_tool(workflow_cancel_, std::move(arguments), call);
    co_return done;
  }
  // A question nobody answers any more; what drains goes on doing so.
  mcp::Answers leave{{std::string(kClosing), Json{{"action", "cancel"}}}};
  const auto left = co_await answer(std::move(id), std::move(leave), call);
  co_return left;
}

// Workflows first, then tasks that are no workflow's; the cursor says which, and where.
base::awaitable<base::Result<mcp::TaskPage>> DurableTasks::list(std::string caller,
                                                                std::string cursor) {
  if (!cursor.empty() && !cursor.starts_with("w:") && !cursor.starts_with("t:")) {
    co_return fail(ErrorCode::InvalidArgument,
                   "params.cursor is none of this list; pass the nextCursor of its last answer");
  }
  const bool of_tasks = cursor.starts_with("t:");
  domain::Page page;
  page.limit = kListed;
  if (!cursor.empty()) page.cursor = cursor.substr(2);
  mcp::TaskPage out;
  if (!of_tasks) {
    const domain::WorkflowFilter every;
    const auto listing = co_await context_.service.workflows(every, page);
    if (!listing) co_return fail(listing.error());
    for (const auto& workflow : listing->items) {
      if (workflow.spec->caller != caller) continue;
      TaskView one = view(workflow, caller);
      if (check_life(one)) out.tasks.push_back(std::move(one));
    }
    out.next = listing->next_cursor.empty() ? "t:" : "w:" + listing->next_cursor;
    co_return out;
  }
  domain::TaskFilter filter;
  filter.caller = caller;
  const auto listing = co_await context_.service.tasks(filter, page);
  if (!listing) co_return fail(listing.error());
  for (const auto& task : listing->items) {
    if (task.workflow) continue;
    TaskView one = view(task, caller);
    if (check_life(one)) out.tasks.push_back(std::move(one));
  }
  if (!listing->next_cursor.empty()) out.next = "t:" + listing->next_cursor;
  co_return out;
}

std::optional<std::string> DurableTasks::subject(std::string_view id,
                                                 std::string_view caller) const {
  const auto named = open(id, caller);
  if (!named) return std::nullopt;
  return named->substr(0, named->find('~'));
}

}  // namespace mahavishnu::tools
