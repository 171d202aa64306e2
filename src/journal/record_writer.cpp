#include "journal/record_writer.h"

#include <utility>
#include <variant>

#include "journal/spec_json.h"

namespace mahavishnu::journal {
namespace {

// Above this a specification leaves the task's row: every change of the task rewrites the row.
constexpr std::size_t kInlineSpec = 2000;

// More than are on their way before the core has heard of the refusals.
constexpr std::size_t kRefusedKept = 50'000;

constexpr const char* kPutPool =
    "INSERT INTO pools(id,name,state,target_workers,paused,created,spec) VALUES(?,?,?,?,?,?,?) "
    "ON CONFLICT(id) DO UPDATE SET name=excluded.name, state=excluded.state, "
    "target_workers=excluded.target_workers, paused=excluded.paused, created=excluded.created, "
    "spec=excluded.spec";
constexpr const char* kAdmitTask =
    "INSERT INTO tasks(seq,id,pool,pool_name,batch,batch_index,workflow,step,repo,caller,"
    "worker_type,priority,created,state,reason,attempt,version,started,ended,due,queue_ms,run_ms,"
    "labels,spec) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
// A task that is live stays in its index: `settled` is not touched.
constexpr const char* kChangeTask =
    "UPDATE tasks SET state=?2,reason=?3,attempt=?4,version=?5,started=?6,ended=?7,due=?8,"
    "queue_ms=?9,run_ms=?10 WHERE id=?1 AND settled IS NULL AND version<?5";
constexpr const char* kEndTask =
    "UPDATE tasks SET state=?2,reason=?3,attempt=?4,version=?5,started=?6,ended=?7,due=?8,"
    "queue_ms=?9,run_ms=?10,settled=?11,result_truncated=?12,result_output_bytes=?13,"
    "result_dropped_bytes=?14,result_spool=?15,result_message=?16,result_unenforced=?17,"
    "result_streams=?18,result_text=?19,result_structured=?20 WHERE id=?1 AND settled IS NULL AND "
    "version<?5";
constexpr const char* kPutAttempt =
    "INSERT INTO attempts(task,number,epoch,counter,worker,node,started,ended,exit_code,signal,"
    "reason,processes_left) VALUES(?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(task,number) DO UPDATE SET "
    "epoch=excluded.epoch, counter=excluded.counter, worker=excluded.worker, node=excluded.node, "
    "started=excluded.started, ended=excluded.ended, exit_code=excluded.exit_code, "
    "signal=excluded.signal, reason=excluded.reason, processes_left=excluded.processes_left "
    "WHERE attempts.ended IS NULL OR excluded.ended IS NOT NULL";
constexpr const char* kAdmitWorkflow =
    "INSERT INTO workflows(seq,id,name,created,state,version,total,queued,running,completed,failed,"
    "cancelled,skipped,started,ended,settled) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
constexpr const char* kChangeWorkflow =
    "UPDATE workflows SET state=?2,version=?3,total=?4,queued=?5,running=?6,completed=?7,failed=?8,"
    "cancelled=?9,skipped=?10,started=?11,ended=?12,settled=?13 WHERE id=?1 AND version<?3";

std::string_view word(domain::Reason reason) {
  return reason == domain::Reason::None ? std::string_view{} : to_string(reason);
}

void bind_status(Statement& statement, int at, const domain::TaskStatus& status) {
  statement.bind(at++, to_string(status.state));
  statement.bind_some(at++, word(status.reason));
  statement.bind(at++, std::int64_t{status.attempt});
  statement.bind(at++, static_cast<std::int64_t>(status.version));
  statement.bind_some(at++, status.started);
  statement.bind_some(at++, status.ended);
  statement.bind_some(at++, status.due);
  statement.bind(at++, status.queue_time);
  statement.bind(at++, status.run_time);
}

void bind_status(Statement& statement, int at, const domain::WorkflowStatus& status) {
  statement.bind(at++, to_string(status.state));
  statement.bind(at++, static_cast<std::int64_t>(status.version));
  for (const int count : {status.total, status.queued, status.running, status.completed,
                          status.failed, status.cancelled, status.skipped}) {
    statement.bind(at++, std::int64_t{count});
  }
  statement.bind_some(at++, status.started);
  statement.bind_some(at++, status.ended);
}

void bind_settled(Statement& statement, int at, bool settled, std::int64_t transaction) {
  settled ? statement.bind(at, transaction) : statement.bind_null(at);
}

}  // namespace

Result<RecordWriter> RecordWriter::open(Database& database, MemoryWriter* memories) {
  RecordWriter writer(database, memories);
  const std::pair<Statement*, const char*> statements[] = {
      {&writer.put_pool_, kPutPool},
      {&writer.remove_pool_, "DELETE FROM pools WHERE id=?"},
      {&writer.admit_task_, kAdmitTask},
      {&writer.change_task_, kChangeTask},
      {&writer.end_task_, kEndTask},
      {&writer.put_label_, "INSERT INTO task_labels(key,value,seq) VALUES(?,?,?)"},
      {&writer.put_spec_, "INSERT INTO task_specs(seq,spec) VALUES(?,?)"},
      {&writer.put_span_, "INSERT INTO spans(owner,first,last) VALUES(?,?,?)"},
      {&writer.put_attempt_, kPutAttempt},
      {&writer.admit_workflow_, kAdmitWorkflow},
      {&writer.put_workflow_spec_, "INSERT INTO workflow_specs(seq,spec) VALUES(?,?)"},
      {&writer.change_workflow_, kChangeWorkflow},
      {&writer.put_key_, "INSERT INTO idempotency(caller,key,task,workflow) VALUES(?,?,?,?)"},
  };
  for (const auto& [statement, sql] : statements) {
    auto prepared = database.prepare(sql);
    if (!prepared) return fail(std::move(prepared.error()));
    *statement = std::move(*prepared);
  }
  if (auto read = writer.rolled_back(); !read) return fail(std::move(read.error()));
  return writer;
}

Status RecordWriter::rolled_back() {
  workflow_span_ = {};
  batch_span_ = {};
  auto task = database_->integer("SELECT max(seq) FROM tasks");
  if (!task) return fail(std::move(task.error()));
  auto workflow = database_->integer("SELECT max(seq) FROM workflows");
  if (!workflow) return fail(std::move(workflow.error()));
  next_task_ = *task + 1;
  next_workflow_ = *workflow + 1;
  return {};
}

Status RecordWriter::write(std::span<const domain::Record> records, std::int64_t transaction) {
  transaction_ = transaction;
  for (const auto& record : records) {
    auto done = std::visit([this](const auto& one) { return put(one); }, record);
    if (!done) return done;
  }
  if (auto closed = close(workflow_span_); !closed) return closed;
  return close(batch_span_);
}

Status RecordWriter::put(const domain::PoolPut& put) {
  const auto& pool = put.pool;
  spec_.clear();
  write_json(pool.spec, spec_);
  put_pool_.bind(1, pool.id.value);
  put_pool_.bind(2, pool.spec.name);
  put_pool_.bind(3, to_string(pool.state));
  put_pool_.bind(4, std::int64_t{pool.target_workers});
  put_pool_.bind(5, std::int64_t{pool.paused});
  put_pool_.bind(6, pool.created);
  put_pool_.bind(7, spec_);
  return put_pool_.run();
}

Status RecordWriter::put(const domain::PoolRemoved& removed) {
  remove_pool_.bind(1, removed.pool.value);
  return remove_pool_.run();
}

Status RecordWriter::put(const domain::TaskAdmitted& admitted) {
  const auto& task = admitted.task;
  const auto& spec = *task.spec;
  const std::int64_t seq = next_task_;
  // One that is admitted as ended goes in as a live one of version 0, which then ends.
  const bool ended = is_terminal(task.status.state);
  auto& insert = admit_task_;
  insert.bind(1, seq);
  insert.bind(2, task.id.value);
  insert.bind_some(3, task.pool.value);
  insert.bind_some(4, task.pool_name);
  insert.bind_some(5, task.batch.value);
  insert.bind(6, std::int64_t{task.batch_index});
  insert.bind_some(7, task.workflow.value);
  insert.bind_some(8, task.step);
  insert.bind_some(9, spec.repo);
  insert.bind_some(10, spec.caller);
  insert.bind_some(11, spec.worker_type);
  insert.bind(12, std::int64_t{spec.priority});
  insert.bind(13, task.created);
  domain::TaskStatus unborn;
  unborn.version = 0;
  bind_status(insert, 14, ended ? unborn : task.status);
  labels_.clear();
  if (!spec.labels.empty()) write_json(spec.labels, labels_);
  insert.bind_some(23, labels_);
  spec_.clear();
  write_json(spec, spec_);
  insert.bind_some(24, spec_.size() > kInlineSpec ? std::string_view{} : spec_);
  if (auto done = insert.run(); !done) return done;
  ++next_task_;

  if (spec_.size() > kInlineSpec) {
    put_spec_.bind(1, seq);
    put_spec_.bind(2, spec_);
    if (auto done = put_spec_.run(); !done) return done;
  }
  if (auto done = put_labels(spec.labels, seq); !done) return done;
  if (auto done = extend(workflow_span_, task.workflow.value, seq); !done) return done;
  if (auto done = extend(batch_span_, task.batch.value, seq); !done) return done;
  if (auto done = put_key(spec.caller, spec.idempotency_key, task.id, {}); !done) return done;
  return ended ? put(domain::TaskChanged{task.id, task.workflow, task.status, task.result})
               : Status{};
}

Status RecordWriter::put_labels(const domain::StringMap& labels, std::int64_t seq) {
  for (const auto& [key, value] : labels) {
    put_label_.bind(1, key);
    put_label_.bind(2, value);
    put_label_.bind(3, seq);
    if (auto done = put_label_.run(); !done) return done;
  }
  return {};
}

Status RecordWriter::put_key(const std::string& caller, const std::string& key, domain::TaskId task,
                             domain::WorkflowId workflow) {
  if (key.empty()) return {};
  put_key_.bind(1, caller);
  put_key_.bind(2, key);
  put_key_.bind_some(3, task.value);
  put_key_.bind_some(4, workflow.value);
  auto done = put_key_.run();
  if (!done && done.error().code == ErrorCode::Conflict) {
    return fail(ErrorCode::Conflict, "idempotency key \"" + key + "\" of caller \"" + caller +
                                         "\" already names other work; use another key");
  }
  return done;
}

Status RecordWriter::extend(Span& span, base::Ulid owner, std::int64_t seq) {
  if (span.owner == owner) {
    span.last = seq;
    return {};
  }
  if (auto closed = close(span); !closed) return closed;
  span = {owner, seq, seq};
  return {};
}

Status RecordWriter::close(Span& span) {
  const Span ended = std::exchange(span, Span{});
  if (ended.owner.is_null()) return {};
  put_span_.bind(1, ended.owner);
  put_span_.bind(2, ended.first);
  put_span_.bind(3, ended.last);
  return put_span_.run();
}

Status RecordWriter::put(const domain::TaskChanged& changed) {
  const bool ends = is_terminal(changed.status.state);
  auto& update = ends ? end_task_ : change_task_;
  update.bind(1, changed.task.value);
  bind_status(update, 2, changed.status);
  if (ends) {
    static const domain::TaskResult none;
    const auto& result = changed.result ? *changed.result : none;
    unenforced_.clear();
    if (!result.unenforced.empty()) write_json(result.unenforced, unenforced_);
    update.bind(11, transaction_);
    changed.result ? update.bind(12, std::int64_t{result.truncated}) : update.bind_null(12);
    update.bind(13, static_cast<std::int64_t>(result.output_bytes));
    update.bind(14, static_cast<std::int64_t>(result.dropped_bytes));
    update.bind_some(15, result.spool);
    update.bind_some(16, result.message);
    update.bind_some(17, unenforced_);
    update.bind_some(18, result.streams);
    update.bind_some(19, result.text);
    update.bind_some(20, result.structured);
  }
  if (auto done = update.run(); !done) return done;
  if (database_->changes() == 0) return unmet("tasks", changed.task.value, changed.task.str());
  // So a task leaves its memory with the one change that ends it.
  if (!ends || memories_ == nullptr || !leaves_memory(changed.status)) return {};
  return memories_->remember(changed.task, changed.status.ended.value_or(base::WallTime{}));
}

// An update that met no row is right when a newer version is stored already or the work's admission
// was refused, and a fault otherwise.
Status RecordWriter::unmet(const char* table, base::Ulid id, const std::string& name) {
  if (refused_.contains(id) || refused_before_.contains(id)) return {};
  const std::string sql = std::string("SELECT 1 FROM ") + table + " WHERE id=?1 AND settled IS ";
  for (const char* half : {"NULL", "NOT NULL"}) {
    auto select = database_->prepare(sql + half);
    if (!select) return fail(std::move(select.error()));
    select->bind(1, id);
    auto row = select->step();
    if (!row) return fail(std::move(row.error()));
    if (*row) return {};
  }
  return fail(ErrorCode::Internal, name + " is not in the journal, so its change cannot be kept");
}

void RecordWriter::refused(std::span<const domain::Record> records) {
  for (const auto& record : records) {
    if (const auto* task = std::get_if<domain::TaskAdmitted>(&record)) {
      refused_.insert(task->task.id.value);
    } else if (const auto* workflow = std::get_if<domain::WorkflowAdmitted>(&record)) {
      refused_.insert(workflow->workflow.id.value);
    }
  }
  if (refused_.size() > kRefusedKept) refused_before_ = std::exchange(refused_, {});
}

Status RecordWriter::put(const domain::AttemptPut& put) {
  const auto& attempt = put.attempt;
  put_attempt_.bind(1, attempt.task.value);
  put_attempt_.bind(2, std::int64_t{attempt.number});
  put_attempt_.bind(3, static_cast<std::int64_t>(attempt.fence.epoch));
  put_attempt_.bind(4, static_cast<std::int64_t>(attempt.fence.counter));
  put_attempt_.bind_some(5, attempt.worker);
  put_attempt_.bind_some(6, attempt.node);
  put_attempt_.bind(7, attempt.started);
  put_attempt_.bind_some(8, attempt.ended);
  put_attempt_.bind_some(9, attempt.exit_code);
  put_attempt_.bind_some(10, attempt.signal);
  put_attempt_.bind_some(11, word(attempt.reason));
  put_attempt_.bind(12, std::int64_t{attempt.processes_left});
  return put_attempt_.run();
}

Status RecordWriter::put(const domain::WorkflowAdmitted& admitted) {
  const auto& workflow = admitted.workflow;
  const std::int64_t seq = next_workflow_;
  admit_workflow_.bind(1, seq);
  admit_workflow_.bind(2, workflow.id.value);
  admit_workflow_.bind(3, workflow.spec->name);
  admit_workflow_.bind(4, workflow.created);
  bind_status(admit_workflow_, 5, workflow.status);
  bind_settled(admit_workflow_, 16, is_terminal(workflow.status.state), transaction_);
  if (auto done = admit_workflow_.run(); !done) return done;
  ++next_workflow_;
  spec_.clear();
  write_json(*workflow.spec, spec_);
  put_workflow_spec_.bind(1, seq);
  put_workflow_spec_.bind(2, spec_);
  if (auto done = put_workflow_spec_.run(); !done) return done;
  return put_key(workflow.spec->caller, workflow.spec->idempotency_key, {}, workflow.id);
}

Status RecordWriter::put(const domain::WorkflowChanged& changed) {
  change_workflow_.bind(1, changed.workflow.value);
  bind_status(change_workflow_, 2, changed.status);
  bind_settled(change_workflow_, 13, is_terminal(changed.status.state), transaction_);
  if (auto done = change_workflow_.run(); !done || database_->changes() > 0) return done;
  return unmet("workflows", changed.workflow.value, changed.workflow.str());
}

}  // namespace mahavishnu::journal
