// The naive tables would carry one index for every filter; each index costs an admission about a
// microsecond of the three that a bare insert takes (docs/decisions/0030-journal-schema.md). So:
//   - `seq` is the order of admission and the order of every listing. It is the rowid.
//   - `settled` is the number of the transaction that ended the task, NULL while it is live. Two
//     partial indexes on the id share the rows between them: an admission touches one, the start-up
//     scan reads only live tasks, and a look-up by id asks both.
//   - the tasks of a workflow or a batch are admitted in one commit, so they lie side by side:
//     `spans` holds their range of `seq`, one row a group instead of one a task.
//   - labels have an index table that only labelled tasks pay for.
//   - `spec` stands last in the row, so that listings never touch it; a large one has a table of
//   its
//     own, so that a change of state never rewrites it.
#include "journal/schema.h"

#include <string>

namespace mahavishnu::journal {
namespace {

constexpr const char* kJournalSteps[] = {
    R"sql(
CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES('epoch', 0);

CREATE TABLE pools(
  id BLOB PRIMARY KEY, name TEXT NOT NULL, state TEXT NOT NULL, target_workers INTEGER NOT NULL,
  paused INTEGER NOT NULL, created INTEGER NOT NULL, spec TEXT NOT NULL);

CREATE TABLE workflows(
  seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, name TEXT NOT NULL, created INTEGER NOT NULL,
  state TEXT NOT NULL, version INTEGER NOT NULL, total INTEGER NOT NULL, queued INTEGER NOT NULL,
  running INTEGER NOT NULL, completed INTEGER NOT NULL, failed INTEGER NOT NULL,
  cancelled INTEGER NOT NULL, skipped INTEGER NOT NULL, started INTEGER, ended INTEGER,
  settled INTEGER);
CREATE INDEX workflows_live ON workflows(seq) WHERE settled IS NULL;
CREATE TABLE workflow_specs(seq INTEGER PRIMARY KEY, spec TEXT NOT NULL);

CREATE TABLE tasks(
  seq INTEGER PRIMARY KEY, id BLOB NOT NULL, pool BLOB, pool_name TEXT, batch BLOB,
  batch_index INTEGER NOT NULL, workflow BLOB, step TEXT, repo TEXT, caller TEXT, worker_type TEXT,
  priority INTEGER NOT NULL, created INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT,
  attempt INTEGER NOT NULL, version INTEGER NOT NULL, started INTEGER, ended INTEGER, due INTEGER,
  queue_ms INTEGER NOT NULL, run_ms INTEGER NOT NULL, settled INTEGER, labels TEXT,
  result_truncated INTEGER, result_output_bytes INTEGER, result_dropped_bytes INTEGER,
  result_spool TEXT, result_message TEXT, result_unenforced TEXT, result_streams TEXT,
  result_text TEXT, spec TEXT);
CREATE UNIQUE INDEX tasks_live ON tasks(id) WHERE settled IS NULL;
CREATE UNIQUE INDEX tasks_ended ON tasks(id) WHERE settled IS NOT NULL;
CREATE TABLE task_specs(seq INTEGER PRIMARY KEY, spec TEXT NOT NULL);
CREATE TABLE task_labels(
  key TEXT NOT NULL, value TEXT NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY(key, value, seq)) WITHOUT ROWID;
CREATE TABLE spans(
  owner BLOB NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  PRIMARY KEY(owner, first)) WITHOUT ROWID;

CREATE TABLE attempts(
  task BLOB NOT NULL, number INTEGER NOT NULL, epoch INTEGER NOT NULL, counter INTEGER NOT NULL,
  worker TEXT, node TEXT, started INTEGER NOT NULL, ended INTEGER, exit_code INTEGER, signal INTEGER,
  reason TEXT, processes_left INTEGER NOT NULL,
  PRIMARY KEY(task, number)) WITHOUT ROWID;

CREATE TABLE idempotency(
  caller TEXT NOT NULL, key TEXT NOT NULL, task BLOB, workflow BLOB,
  PRIMARY KEY(caller, key)) WITHOUT ROWID;
)sql",
    // What finished tasks and callers left to remember, in the order of their commits. A task's has
    // only its id and time: the rest stands in its task. `memories_forgotten`: all up to this seq
    // have been let go.
    R"sql(
CREATE TABLE memories(
  seq INTEGER PRIMARY KEY, id BLOB NOT NULL, time INTEGER NOT NULL, caller TEXT, dedup_key TEXT,
  tags TEXT, metadata TEXT, content TEXT);
CREATE UNIQUE INDEX memories_key ON memories(dedup_key) WHERE dedup_key IS NOT NULL;
INSERT INTO meta VALUES('memories_forgotten', 0);
)sql",
    // What the message bus keeps: messages that some group owes an ack, or nobody asked for yet;
    // groups; and acks while other groups still owe theirs.
    R"sql(
CREATE TABLE messages(
  no INTEGER PRIMARY KEY, id BLOB NOT NULL, topics TEXT NOT NULL, body TEXT NOT NULL, headers TEXT,
  sender TEXT, published INTEGER NOT NULL, expires INTEGER NOT NULL);
CREATE TABLE message_groups(
  no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, pattern TEXT NOT NULL, start INTEGER NOT NULL,
  joined INTEGER NOT NULL);
CREATE TABLE message_acks(
  message INTEGER NOT NULL, consumers INTEGER NOT NULL,
  PRIMARY KEY(message, consumers)) WITHOUT ROWID;
)sql",
    // Memories the memory server has not accepted yet, by their seq; `dead`: tried too often.
    R"sql(
CREATE TABLE outbox(
  seq INTEGER PRIMARY KEY, tries INTEGER NOT NULL DEFAULT 0, dead INTEGER NOT NULL DEFAULT 0,
  error TEXT);
CREATE INDEX outbox_dead ON outbox(seq) WHERE dead=1;
)sql",
    // What a tool of another server answered, as JSON. NULL for nearly all tasks: a byte of the
    // row.
    R"sql(
ALTER TABLE tasks ADD COLUMN result_structured TEXT;
)sql",
    // Who called what (docs/decisions/0191). Few rows, read seldom: no index but the order.
    R"sql(
CREATE TABLE audit(
  seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, caller TEXT NOT NULL, tool TEXT NOT NULL,
  decision TEXT NOT NULL, calls INTEGER NOT NULL, arguments TEXT, outcome TEXT, made TEXT);
)sql",
};

constexpr const char* kEventsSteps[] = {
    R"sql(
CREATE TABLE events(
  seq INTEGER PRIMARY KEY, time INTEGER NOT NULL, kind TEXT NOT NULL, task BLOB, workflow BLOB,
  pool BLOB, level TEXT NOT NULL, text TEXT);
)sql",
    // For log_search: every filter has an index in the order of the answer, (key, time, seq); only
    // rows that have the key are in it. severity: 0 trace … 4 error.
    R"sql(
ALTER TABLE events ADD COLUMN repo TEXT;
ALTER TABLE events ADD COLUMN severity INTEGER NOT NULL DEFAULT 2;
UPDATE events SET severity=3 WHERE level='warning';
ALTER TABLE events DROP COLUMN level;
CREATE INDEX events_time ON events(time);
CREATE INDEX events_task ON events(task, time) WHERE task IS NOT NULL;
CREATE INDEX events_workflow ON events(workflow, time) WHERE workflow IS NOT NULL;
CREATE INDEX events_pool ON events(pool, time) WHERE pool IS NOT NULL;
CREATE INDEX events_repo ON events(repo, time) WHERE repo IS NOT NULL;
CREATE INDEX events_warnings ON events(time) WHERE severity>=3;
CREATE INDEX events_errors ON events(time) WHERE severity>=4;
)sql",
    // How far the history has been sent elsewhere (NULL: never), and the highest seq there was when
    // rows left last: a seq stands for one row for ever, also when all of them have left.
    R"sql(
CREATE TABLE feed(history TEXT NOT NULL, newest INTEGER NOT NULL, sent INTEGER);
INSERT INTO feed VALUES(lower(hex(randomblob(8))), 0, NULL);
)sql",
};

// Of search.db `state` says up to which seq memories are in (indexed) and gone again (swept), and
// what the index was made with. `tags` stand between newlines, so that a whole one can be found.
constexpr const char* kSearchSteps[] = {
    R"sql(
CREATE TABLE state(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE counts(pool BLOB PRIMARY KEY, memories INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE memories(
  seq INTEGER PRIMARY KEY, id BLOB NOT NULL, task BLOB, pool BLOB, pool_name TEXT, repo TEXT,
  time INTEGER NOT NULL, state TEXT, reason TEXT, exit_code INTEGER, run_ms INTEGER NOT NULL,
  tags TEXT NOT NULL, metadata TEXT);
CREATE VIRTUAL TABLE words USING fts5(
  title, text, tags, tokenize='porter unicode61 remove_diacritics 2');
)sql",
};

}  // namespace

const Schema kJournalSchema{"journal.db", kJournalSteps};
const Schema kEventsSchema{"events.db", kEventsSteps};
const Schema kSearchSchema{"search.db", kSearchSteps};

Status migrate(Database& database, const Schema& schema) {
  auto found = database.integer("PRAGMA user_version");
  if (!found) return fail(std::move(found.error()));
  const auto newest = static_cast<std::int64_t>(schema.steps.size());
  if (*found == newest) return {};
  if (*found > newest || *found < 0) {
    return fail(ErrorCode::Conflict,
                std::string(schema.file) + " has schema version " + std::to_string(*found) +
                    ", this program knows up to " + std::to_string(newest) +
                    "; run the newer program, or point it at another data directory");
  }
  if (*found == 0) {
    auto tables = database.integer("SELECT count(*) FROM sqlite_schema");
    if (!tables) return fail(std::move(tables.error()));
    if (*tables > 0) {
      return fail(ErrorCode::Conflict, std::string(schema.file) +
                                           " is a database of another program; move it away or "
                                           "choose another data directory");
    }
  }
  std::string sql = "BEGIN IMMEDIATE;";
  for (auto step = *found; step < newest; ++step) sql += schema.steps[static_cast<size_t>(step)];
  sql += "PRAGMA user_version=" + std::to_string(newest) + ";COMMIT;";
  auto done = database.execute(sql);
  if (!done) database.roll_back();
  return done;
}

Result<Database> open_migrated(const std::filesystem::path& directory, const Schema& schema,
                               const char* synchronous) {
  auto database = Database::open(directory / schema.file, Database::Mode::ReadWrite);
  if (!database) return database;
  auto pages = database->integer("PRAGMA page_count");
  if (!pages) return fail(std::move(pages.error()));
  if (*pages == 0) {  // has an effect before the first table only
    auto set = database->execute("PRAGMA auto_vacuum=INCREMENTAL");
    if (!set) return fail(std::move(set.error()));
  }
  if (auto migrated = migrate(*database, schema); !migrated) return fail(migrated.error());
  auto set = database->execute(
      "PRAGMA journal_mode=WAL; PRAGMA foreign_keys=OFF; PRAGMA temp_store=MEMORY;"
      "PRAGMA locking_mode=NORMAL; PRAGMA synchronous=" +
      std::string(synchronous));
  if (!set) return fail(std::move(set.error()));
  return database;
}

}  // namespace mahavishnu::journal
