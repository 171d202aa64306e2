#include "journal/record_reader.h"

#include <memory>
#include <utility>

#include "journal/spec_json.h"

namespace mahavishnu::journal {
namespace {

constexpr std::size_t kListedText = 1024;

// In this order in every SELECT of tasks; Row reads them in the same order.
constexpr const char* kStatusColumns =
    "seq,id,pool,pool_name,batch,batch_index,workflow,step,created,state,reason,attempt,version,"
    "started,ended,due,queue_ms,run_ms,repo";
constexpr const char* kListingColumns =
    ",caller,worker_type,priority,labels,result_truncated,result_output_bytes,"
    "result_dropped_bytes,result_spool,result_message,result_unenforced,";

// Reads the columns of one row from left to right.
class Row {
 public:
  explicit Row(const Statement& row, int at = 0) : row_(row), at_(at) {}
  std::int64_t integer() { return row_.integer(at_++); }
  template <class T>
  void number(T& to) {
    to = static_cast<T>(integer());
  }
  std::string text() { return std::string(row_.text(at_++)); }
  std::string_view view() { return row_.text(at_++); }
  base::Ulid id() { return row_.id(at_++); }
  base::WallTime time() { return row_.time(at_++); }
  base::Millis millis() { return base::Millis(integer()); }
  std::optional<base::WallTime> some_time() { return row_.some_time(at_++); }
  std::optional<int> some_int() { return row_.some_int(at_++); }
  bool is_null() const { return row_.is_null(at_); }

 private:
  const Statement& row_;
  int at_;
};

// A word this program does not know means a damaged file: it is never guessed at.
template <class E, class Parse>
Status word(std::string_view text, Parse parse, E& to) {
  const std::optional<E> known = parse(text);
  if (!known) {
    return fail(ErrorCode::Internal, "the journal holds the unknown word \"" + std::string(text) +
                                         "\"; the file is damaged");
  }
  to = *known;
  return {};
}

Status read_reason(std::string_view text, domain::Reason& to) {
  return text.empty() ? Status{} : word(text, domain::parse_reason, to);
}

Status read_status(Row& row, domain::TaskStatus& status) {
  if (auto known = word(row.view(), domain::parse_task_state, status.state); !known) return known;
  if (auto known = read_reason(row.view(), status.reason); !known) return known;
  row.number(status.attempt);
  row.number(status.version);
  status.started = row.some_time();
  status.ended = row.some_time();
  status.due = row.some_time();
  status.queue_time = row.millis();
  status.run_time = row.millis();
  return {};
}

// The last bytes of a text, from the start of a character on. SQL's substr would stop at a NUL.
std::string_view end_of(std::string_view text) {
  if (text.size() <= kListedText) return text;
  text.remove_prefix(text.size() - kListedText);
  while (!text.empty() && (static_cast<unsigned char>(text.front()) & 0xC0U) == 0x80) {
    text.remove_prefix(1);
  }
  return text;
}

Status read_result(Row& row, Detail detail, std::optional<domain::TaskResult>& to) {
  if (row.is_null()) return {};
  auto& result = to.emplace();
  result.truncated = row.integer() != 0;
  row.number(result.output_bytes);
  row.number(result.dropped_bytes);
  result.spool = row.text();
  result.message = row.text();
  if (const auto list = row.view(); !list.empty()) {
    if (auto read = read_json(list, result.unenforced); !read) return read;
  }
  if (detail == Detail::Full) result.streams = row.text();
  result.text = detail == Detail::Full ? row.text() : std::string(end_of(row.view()));
  if (detail == Detail::Full) result.structured = row.text();
  if (detail == Detail::Listing && result.text.size() < result.output_bytes) {
    result.truncated = true;
  }
  return {};
}

}  // namespace

std::string select_tasks(Detail detail, std::string_view source) {
  std::string sql = std::string("SELECT ") + kStatusColumns;
  if (detail != Detail::Status) sql += kListingColumns;
  if (detail == Detail::Listing) {
    sql += "CASE WHEN state IN ('failed','dead') THEN result_text END";
  }
  if (detail == Detail::Full) {
    sql +=
        "result_streams,result_text,result_structured,"
        "coalesce(spec,(SELECT spec FROM task_specs WHERE task_specs.seq=tasks.seq))";
  }
  return sql.append(" FROM ").append(source).append(" ");
}

Result<domain::TaskRecord> read_task(const Statement& statement, Detail detail) {
  Row row(statement, 1);
  domain::TaskRecord task;
  task.id.value = row.id();
  task.pool.value = row.id();
  task.pool_name = row.text();
  task.batch.value = row.id();
  row.number(task.batch_index);
  task.workflow.value = row.id();
  task.step = row.text();
  task.created = row.time();
  if (auto read = read_status(row, task.status); !read) return fail(std::move(read.error()));

  auto spec = std::make_shared<domain::TaskSpec>();
  spec->repo = row.text();
  if (detail == Detail::Status) {
    task.spec = std::move(spec);
    return task;
  }
  spec->caller = row.text();
  spec->worker_type = row.text();
  row.number(spec->priority);
  if (const auto labels = row.view(); !labels.empty()) {
    if (auto read = read_json(labels, spec->labels); !read) return fail(std::move(read.error()));
  }
  // The result's columns are nine in full (with streams and structured) and seven in a listing.
  constexpr int kResultAt = 23;
  if (auto read = read_result(row, detail, task.result); !read)
    return fail(std::move(read.error()));
  if (detail == Detail::Full) {
    Row last(statement, kResultAt + 9);
    if (auto read = read_json(last.view(), *spec); !read) {
      return fail(ErrorCode::Internal, task.id.str() + ": " + read.error().message);
    }
  }
  task.spec = std::move(spec);
  return task;
}

Result<std::vector<domain::AttemptRecord>> read_attempts(Database& database, domain::TaskId task) {
  auto select = database.lease(
      "SELECT number,epoch,counter,worker,node,started,ended,exit_code,signal,reason,"
      "processes_left FROM attempts WHERE task=? ORDER BY number");
  if (!select) return fail(std::move(select.error()));
  (*select)->bind(1, task.value);
  std::vector<domain::AttemptRecord> attempts;
  for (;;) {
    auto more = (*select)->step();
    if (!more) return fail(std::move(more.error()));
    if (!*more) return attempts;
    Row row(**select);
    auto& attempt = attempts.emplace_back();
    attempt.task = task;
    row.number(attempt.number);
    row.number(attempt.fence.epoch);
    row.number(attempt.fence.counter);
    attempt.worker = row.text();
    attempt.node = row.text();
    attempt.started = row.time();
    attempt.ended = row.some_time();
    attempt.exit_code = row.some_int();
    attempt.signal = row.some_int();
    if (auto known = read_reason(row.view(), attempt.reason); !known) {
      return fail(std::move(known.error()));
    }
    row.number(attempt.processes_left);
  }
}

// Most that are looked for have ended: live ones are remembered. One that ends between two looks is
// found by the third.
Result<domain::TaskRecord> find_task(Database& database, domain::TaskId id) {
  static const std::string ended =
      select_tasks(Detail::Full, "tasks INDEXED BY tasks_ended WHERE settled IS NOT NULL") +
      "AND id=?";
  static const std::string live =
      select_tasks(Detail::Full, "tasks INDEXED BY tasks_live WHERE settled IS NULL") + "AND id=?";
  for (const std::string* half : {&ended, &live, &ended}) {
    auto select = database.lease(*half);
    if (!select) return fail(std::move(select.error()));
    (*select)->bind(1, id.value);
    auto row = (*select)->step();
    if (!row) return fail(std::move(row.error()));
    if (!*row) continue;
    auto task = read_task(**select, Detail::Full);
    if (!task) return task;
    auto attempts = read_attempts(database, id);
    if (!attempts) return fail(std::move(attempts.error()));
    task->attempts = std::move(*attempts);
    return task;
  }
  return fail(ErrorCode::NotFound,
              "there is no task " + id.str() + "; task_list shows what there is");
}

std::string select_workflows(std::string_view source) {
  return std::string(
             "SELECT seq,id,created,state,version,total,queued,running,completed,failed,cancelled,"
             "skipped,started,ended,(SELECT spec FROM workflow_specs WHERE "
             "workflow_specs.seq=workflows.seq) FROM ")
      .append(source)
      .append(" ");
}

Result<domain::WorkflowRecord> read_workflow(const Statement& statement) {
  Row row(statement, 1);
  domain::WorkflowRecord workflow;
  workflow.id.value = row.id();
  workflow.created = row.time();
  auto& status = workflow.status;
  if (auto known = word(row.view(), domain::parse_workflow_state, status.state); !known) {
    return fail(std::move(known.error()));
  }
  row.number(status.version);
  for (int* count : {&status.total, &status.queued, &status.running, &status.completed,
                     &status.failed, &status.cancelled, &status.skipped}) {
    row.number(*count);
  }
  status.started = row.some_time();
  status.ended = row.some_time();
  auto spec = std::make_shared<domain::WorkflowSpec>();
  if (auto read = read_json(row.view(), *spec); !read) {
    return fail(ErrorCode::Internal, workflow.id.str() + ": " + read.error().message);
  }
  workflow.spec = std::move(spec);
  return workflow;
}

Result<std::vector<domain::PoolRecord>> read_pools(Database& database) {
  auto select =
      database.prepare("SELECT id,state,target_workers,paused,created,spec FROM pools ORDER BY id");
  if (!select) return fail(std::move(select.error()));
  std::vector<domain::PoolRecord> pools;
  for (;;) {
    auto more = select->step();
    if (!more) return fail(std::move(more.error()));
    if (!*more) return pools;
    Row row(*select);
    auto& pool = pools.emplace_back();
    pool.id.value = row.id();
    if (auto known = word(row.view(), domain::parse_pool_state, pool.state); !known) {
      return fail(std::move(known.error()));
    }
    row.number(pool.target_workers);
    pool.paused = row.integer() != 0;
    pool.created = row.time();
    if (auto read = read_json(row.view(), pool.spec); !read) {
      return fail(ErrorCode::Internal, pool.id.str() + ": " + read.error().message);
    }
  }
}

}  // namespace mahavishnu::journal
