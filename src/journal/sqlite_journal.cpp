#include "journal/sqlite_journal.h"

#include <iterator>
#include <utility>

#include "journal/audit_journal.h"
#include "journal/ballast.h"
#include "journal/checkpointer.h"
#include "journal/commit_thread.h"
#include "journal/database.h"
#include "journal/delivery.h"
#include "journal/event_log.h"
#include "journal/event_query.h"
#include "journal/history_feed.h"
#include "journal/memory_store.h"
#include "journal/message_journal.h"
#include "journal/outbox_store.h"
#include "journal/reader_pool.h"
#include "journal/record_reader.h"
#include "journal/schema.h"
#include "journal/snapshot.h"
#include "journal/task_query.h"

namespace mahavishnu::journal {
namespace {

constexpr std::size_t kWorthAStart = 8;   // commits …
constexpr std::size_t kLargeCommit = 64;  // … or one of so many records

// Opened and in a new epoch.
Result<Database> open_journal(const std::filesystem::path& directory) {
  auto database = open_migrated(directory, kJournalSchema, "FULL");
  if (!database) return database;
  if (auto epoch = begin_epoch(*database); !epoch) return fail(std::move(epoch.error()));
  return database;
}

Result<Database> open_reader(const std::filesystem::path& file) {
  return Database::open(file, Database::Mode::ReadOnly);
}

Result<domain::WorkflowRecord> find_workflow(Database& database, domain::WorkflowId id) {
  auto select = database.lease(select_workflows("workflows") + "WHERE id=?");
  if (!select) return fail(std::move(select.error()));
  (*select)->bind(1, id.value);
  auto row = (*select)->step();
  if (!row) return fail(std::move(row.error()));
  if (*row) return read_workflow(**select);
  return fail(ErrorCode::NotFound,
              "there is no workflow " + id.str() + "; workflow_list shows what there is");
}

Result<domain::Archive::Keyed> find_key(Database& database, const std::string& caller,
                                        const std::string& key) {
  auto select = database.lease("SELECT task,workflow FROM idempotency WHERE caller=? AND key=?");
  if (!select) return fail(std::move(select.error()));
  (*select)->bind(1, std::string_view(caller));
  (*select)->bind(2, std::string_view(key));
  auto row = (*select)->step();
  if (!row) return fail(std::move(row.error()));
  domain::Archive::Keyed keyed;
  if (*row) keyed = {{(*select)->id(0)}, {(*select)->id(1)}};
  return keyed;
}

}  // namespace

Result<std::unique_ptr<SqliteJournal>> SqliteJournal::open(asio::any_io_executor control,
                                                           JournalOptions options) {
  std::unique_ptr<SqliteJournal> journal(new SqliteJournal(std::move(control), std::move(options)));
  if (auto started = journal->start(); !started) return fail(std::move(started.error()));
  return journal;
}

SqliteJournal::SqliteJournal(asio::any_io_executor control, JournalOptions options)
    : options_(std::move(options)),
      control_(std::move(control)),
      delivery_(std::make_shared<Delivery>(control_, options_.on_control_wait)),
      done_(std::make_shared<Done>()) {}

SqliteJournal::~SqliteJournal() { stop(); }

Status SqliteJournal::start() {
  Ballast ballast(options_.directory / "ballast", options_.ballast_bytes);
  auto database = open_journal(options_.directory);
  if (!database && database.error().code == ErrorCode::Exhausted) {
    ballast.release();
    database = open_journal(options_.directory);
  }
  if (!database) return fail(std::move(database.error()));
  const auto epoch = database->integer("SELECT value FROM meta WHERE key='epoch'").value_or(0);
  const auto page_size = database->integer("PRAGMA page_size").value_or(4096);
  auto log = Database::open(options_.directory / kJournalSchema.file, Database::Mode::ReadWrite);
  if (!log) return fail(std::move(log.error()));
  auto events = open_history();
  if (!events && events.error().code == ErrorCode::Exhausted) {
    ballast.release();
    events = open_history();
  }
  if (!events) return fail(std::move(events.error()));
  events_ = std::move(*events);
  auto checkpointer = Checkpointer::open(std::move(*log));
  if (!checkpointer) return fail(std::move(checkpointer.error()));
  checkpointer_ = std::move(*checkpointer);
  if (!options_.memory.redactor) {
    auto redactor = base::Redactor::make();
    if (!redactor) return fail(std::move(redactor.error()));
    options_.memory.redactor = std::move(*redactor);
  }
  MemoryStore::Options memory;
  memory.index = {options_.directory, options_.memory.redactor, options_.memory.output_bytes,
                  options_.memory.keep, options_.memory.max_count};
  memory.read_limit = options_.read_limit;
  memory.enabled = options_.memory.enabled;
  auto memories = MemoryStore::open(delivery_, std::move(memory));
  if (!memories) return fail(std::move(memories.error()));
  memories_ = std::move(*memories);
  outbox_ = std::make_unique<OutboxStore>(OutboxStore::Options{
      options_.directory, options_.memory.redactor, options_.memory.output_bytes});
  feed_ = std::make_unique<HistoryFeed>(options_.directory / kEventsSchema.file,
                                        options_.memory.redactor, *events_);
  CommitThread::Options limits;
  limits.directory = options_.directory;
  limits.max_pending_commits = options_.max_pending_commits;
  limits.max_records_per_transaction = options_.max_records_per_transaction;
  limits.max_pages = options_.max_pages;
  limits.ballast_pages = static_cast<std::int64_t>(options_.ballast_bytes) / page_size;
  limits.epoch = static_cast<std::uint64_t>(epoch);
  limits.remember = options_.memory.enabled;
  limits.outbox = options_.memory.outbox;
  limits.remembered = [memories = memories_.get(), outbox = outbox_.get()](std::int64_t newest) {
    memories->grew(newest);
    outbox->grew();
  };
  auto report = [delivery = delivery_, done = done_](std::vector<Outcome> outcomes) {
    delivery->post([done, outcomes = std::move(outcomes)] {
      if (!*done) return;
      for (const auto& outcome : outcomes) (*done)(outcome.commit, outcome.status);
    });
  };
  auto writer = CommitThread::open(std::move(*database), std::move(ballast), *checkpointer_,
                                   *events_, std::move(limits), std::move(report));
  if (!writer) return fail(std::move(writer.error()));
  writer_ = std::move(*writer);
  messages_ = std::make_unique<MessageJournal>(delivery_, *writer_);
  if (auto opened = open_readers(); !opened) return opened;
  audit_ = std::make_unique<AuditJournal>(control_, delivery_, *readers_,
                                          options_.directory / kJournalSchema.file,
                                          [this] { hand_over_soon(); });
  memories_->connect(*writer_, *readers_);
  outbox_->connect(*writer_);
  return {};
}

Result<std::unique_ptr<EventLog>> SqliteJournal::open_history() {
  auto history = open_migrated(options_.directory, kEventsSchema, "NORMAL");
  if (!history) return fail(std::move(history.error()));
  // A checkpoint syncs, and the disk that syncs it is the journal's.
  auto set = history->execute("PRAGMA wal_autocheckpoint=4000");
  if (!set) return fail(std::move(set.error()));
  auto tasks = open_reader(options_.directory / kJournalSchema.file);
  if (!tasks) return fail(std::move(tasks.error()));
  EventLog::Options limits;
  limits.keep = options_.history_keep;
  limits.max_bytes = options_.history_bytes;
  return EventLog::open(std::move(*history), std::move(*tasks), std::move(limits));
}

Status SqliteJournal::open_readers() {
  const auto pool = [this](const char* file, int threads) -> Result<std::unique_ptr<ReaderPool>> {
    std::vector<Database> connections;
    for (int i = 0; i < threads; ++i) {
      auto reader = open_reader(options_.directory / file);
      if (!reader) return fail(std::move(reader.error()));
      connections.push_back(std::move(*reader));
    }
    return std::make_unique<ReaderPool>(std::move(connections), options_.read_limit);
  };
  auto readers = pool(kJournalSchema.file, options_.reader_threads);
  if (!readers) return fail(std::move(readers.error()));
  auto searchers = pool(kEventsSchema.file, 1);
  if (!searchers) return fail(std::move(searchers.error()));
  readers_ = std::move(*readers);
  searchers_ = std::move(*searchers);
  return {};
}

Result<domain::Snapshot> SqliteJournal::load() {
  auto database = open_migrated(options_.directory, kJournalSchema, "FULL");
  if (!database) return fail(std::move(database.error()));
  return load_snapshot(*database);
}

domain::MessageStore& SqliteJournal::messages() { return *messages_; }

Result<domain::BusSnapshot> SqliteJournal::load_messages() {
  auto database = open_reader(options_.directory / kJournalSchema.file);
  if (!database) return fail(std::move(database.error()));
  return journal::load_messages(*database);
}

void SqliteJournal::stop() {
  delivery_->close();
  if (audit_) audit_->stop();
  if (writer_) writer_->append(take_appended());
  if (memories_) memories_->stop();
  if (readers_) readers_->stop();
  if (searchers_) searchers_->stop();
  if (writer_) writer_->stop();
  if (checkpointer_) checkpointer_->stop();
  if (events_) events_->stop();
}

SqliteJournal::Stats SqliteJournal::stats() const {
  Stats stats;
  const auto written = writer_->counts();
  stats.commits = written.commits;
  stats.transactions = written.transactions;
  stats.records = written.records;
  stats.failed = written.failed;
  stats.refused = written.refused;
  stats.pending = written.pending;
  stats.write_us = written.write_us;
  stats.sync_us = written.sync_us;
  stats.ballast_held = written.ballast_held;
  stats.disk_full = written.disk_full;
  stats.checkpoints = checkpointer_->passes();
  stats.restarts = checkpointer_->restarts();
  const auto read = readers_->counts();
  stats.reads = read.reads;
  stats.read_timeouts = read.timeouts;
  stats.reads_refused = read.refused;
  stats.memories = memories_->count();
  stats.memories_behind = memories_->behind();
  const auto history = events_->counts();
  stats.events = history.written;
  stats.events_dropped = history.dropped;
  stats.events_queued = history.queued;
  stats.audit_lost = audit_->lost();
  return stats;
}

domain::Memories& SqliteJournal::memories() { return *memories_; }
domain::Outbox& SqliteJournal::outbox() { return *outbox_; }
domain::EventFeed& SqliteJournal::feed() { return *feed_; }
domain::AuditTrail& SqliteJournal::audit() { return *audit_; }

void SqliteJournal::on_done(Done done) { *done_ = std::move(done); }

void SqliteJournal::append(domain::CommitNo commit,
                           std::shared_ptr<const std::vector<domain::Record>> records) {
  const bool large = records->size() >= kLargeCommit;
  appended_.push_back({commit, std::move(records), true});
  const bool worth_a_start = large || appended_.size() >= kWorthAStart;
  if (worth_a_start) {
    hand_over();  // the disk works while the rest of the turn does
  } else {
    hand_over_soon();
  }
}

// With the end of this turn.
void SqliteJournal::hand_over_soon() {
  if (std::exchange(handing_over_, true)) return;
  delivery_->post([this] {
    handing_over_ = false;
    hand_over();
  });
}

// What was appended, and before it its audit.
std::vector<Commit> SqliteJournal::take_appended() {
  auto commits = audit_ ? audit_->take() : std::vector<Commit>();
  if (commits.empty()) return std::exchange(appended_, {});
  std::move(appended_.begin(), appended_.end(), std::back_inserter(commits));
  appended_.clear();
  return commits;
}

// What one turn of the control thread has appended goes to the writer together: handed over one by
// one, the first would be synced alone while the others wait for the next turn of the disk.
void SqliteJournal::hand_over() {
  const auto refused = writer_->append(take_appended());
  if (refused.empty()) return;
  delivery_->post([done = done_, refused] {
    for (const domain::CommitNo commit : refused) {
      if (!*done) return;
      (*done)(commit, fail(ErrorCode::Exhausted,
                           "too many commits are waiting for the disk; try again", kQueueRetryMs));
    }
  });
}

template <class T, class Body>
void SqliteJournal::read(ReaderPool& readers, std::function<void(Result<T>)> answer, Body body) {
  readers.submit([delivery = delivery_, answer = std::move(answer),
                  body = std::move(body)](Result<Database*> database) mutable {
    Result<T> result = database ? body(**database) : Result<T>(fail(database.error()));
    delivery->post([answer = std::move(answer), result = std::move(result)]() mutable {
      answer(std::move(result));
    });
  });
}

void SqliteJournal::task(domain::TaskId id, Answer<domain::TaskRecord> answer) {
  read<domain::TaskRecord>(*readers_, std::move(answer),
                           [id](Database& database) { return find_task(database, id); });
}

void SqliteJournal::workflow(domain::WorkflowId id, Answer<domain::WorkflowRecord> answer) {
  read<domain::WorkflowRecord>(*readers_, std::move(answer),
                               [id](Database& database) { return find_workflow(database, id); });
}

void SqliteJournal::tasks(domain::TaskFilter filter, domain::Page page,
                          Answer<domain::Listing<domain::TaskRecord>> answer) {
  auto* writer = writer_.get();
  read<domain::Listing<domain::TaskRecord>>(
      *readers_, std::move(answer),
      [filter = std::move(filter), page = std::move(page), writer](Database& database) {
        return list_tasks(database, filter, page, writer->last_transaction());
      });
}

void SqliteJournal::workflows(domain::WorkflowFilter filter, domain::Page page,
                              Answer<domain::Listing<domain::WorkflowRecord>> answer) {
  read<domain::Listing<domain::WorkflowRecord>>(
      *readers_, std::move(answer),
      [filter = std::move(filter), page = std::move(page)](Database& database) {
        return list_workflows(database, filter, page);
      });
}

void SqliteJournal::by_key(std::string caller, std::string key, Answer<Keyed> answer) {
  read<Keyed>(*readers_, std::move(answer),
              [caller = std::move(caller), key = std::move(key)](Database& database) {
                return find_key(database, caller, key);
              });
}

void SqliteJournal::entries(domain::LogFilter filter, domain::Page page, Found answer) {
  if (!events_->keeps()) {
    return delivery_->post([answer = std::move(answer)] {
      answer(fail(ErrorCode::Unavailable,
                  "no history is kept (log.max_bytes is 0); give it room, then start again"));
    });
  }
  events_->written(
      [this, filter = std::move(filter), page = std::move(page), answer = std::move(answer)] {
        read<domain::LogPage>(*searchers_, answer, [filter, page](Database& database) {
          return find_entries(database, filter, page);
        });
      });
}

base::LogFollower& SqliteJournal::follower() { return *events_; }

}  // namespace mahavishnu::journal
