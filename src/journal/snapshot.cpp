#include "journal/snapshot.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "journal/record_reader.h"

namespace mahavishnu::journal {
namespace {

// Tasks with their place in the order of admission: they are read in several goes.
struct Found {
  std::int64_t seq;
  domain::TaskRecord task;
};

Status collect(Statement& select, Detail detail, std::vector<Found>& found) {
  for (;;) {
    auto more = select.step();
    if (!more) return fail(std::move(more.error()));
    if (!*more) return {};
    auto task = read_task(select, detail);
    if (!task) return fail(std::move(task.error()));
    found.push_back({select.integer(0), std::move(*task)});
  }
}

Status read_live(Database& database, std::vector<Found>& found) {
  auto select = database.prepare(select_tasks(Detail::Full, "tasks INDEXED BY tasks_live") +
                                 "WHERE settled IS NULL");
  if (!select) return fail(std::move(select.error()));
  if (auto read = collect(*select, Detail::Full, found); !read) return read;
  for (auto& [seq, task] : found) {
    task.result.reset();
    if (task.status.state != domain::TaskState::Running) continue;
    auto attempts = read_attempts(database, task.id);
    if (!attempts) return fail(std::move(attempts.error()));
    task.attempts = std::move(*attempts);
  }
  return {};
}

Status read_workflows(Database& database, std::vector<domain::WorkflowRecord>& workflows) {
  auto select = database.prepare(select_workflows("workflows INDEXED BY workflows_live") +
                                 "WHERE settled IS NULL ORDER BY seq");
  if (!select) return fail(std::move(select.error()));
  for (;;) {
    auto more = select->step();
    if (!more) return fail(std::move(more.error()));
    if (!*more) return {};
    auto workflow = read_workflow(*select);
    if (!workflow) return fail(std::move(workflow.error()));
    workflows.push_back(std::move(*workflow));
  }
}

Status read_ended_of(Database& database, const std::vector<domain::WorkflowRecord>& workflows,
                     std::vector<Found>& found) {
  auto select = database.prepare(
      select_tasks(Detail::Status, "tasks NOT INDEXED") +
      "WHERE seq>=(SELECT min(first) FROM spans WHERE owner=?1) AND "
      "seq<=(SELECT max(last) FROM spans WHERE owner=?1) AND workflow=?1 AND settled IS NOT NULL");
  if (!select) return fail(std::move(select.error()));
  for (const auto& workflow : workflows) {
    select->bind(1, workflow.id.value);
    if (auto read = collect(*select, Detail::Status, found); !read) return read;
  }
  return {};
}

Status read_depended_on(Database& database, std::vector<Found>& found) {
  std::unordered_set<domain::TaskId> known;
  for (const auto& [seq, task] : found) known.insert(task.id);
  std::vector<domain::TaskId> missing;
  for (const auto& [seq, task] : found) {
    if (!task.spec) continue;
    for (const auto id : task.spec->depends_on) {
      if (known.insert(id).second) missing.push_back(id);
    }
  }
  auto select = database.prepare(select_tasks(Detail::Status, "tasks INDEXED BY tasks_ended") +
                                 "WHERE id=? AND settled IS NOT NULL");
  if (!select) return fail(std::move(select.error()));
  for (const auto id : missing) {
    select->bind(1, id.value);
    if (auto read = collect(*select, Detail::Status, found); !read) return read;
  }
  return {};
}

}  // namespace

Result<std::uint64_t> begin_epoch(Database& database) {
  auto updated = database.execute("UPDATE meta SET value=value+1 WHERE key='epoch'");
  if (!updated) return fail(std::move(updated.error()));
  auto epoch = database.integer("SELECT value FROM meta WHERE key='epoch'");
  if (!epoch) return fail(std::move(epoch.error()));
  return static_cast<std::uint64_t>(*epoch);
}

Result<domain::Snapshot> load_snapshot(Database& database) {
  domain::Snapshot snapshot;
  auto epoch = database.integer("SELECT value FROM meta WHERE key='epoch'");
  if (!epoch) return fail(std::move(epoch.error()));
  snapshot.epoch = static_cast<std::uint64_t>(*epoch);
  auto pools = read_pools(database);
  if (!pools) return fail(std::move(pools.error()));
  snapshot.pools = std::move(*pools);

  std::vector<Found> found;
  if (auto read = read_workflows(database, snapshot.workflows); !read) return fail(read.error());
  if (auto read = read_live(database, found); !read) return fail(read.error());
  if (auto read = read_ended_of(database, snapshot.workflows, found); !read) {
    return fail(read.error());
  }
  if (auto read = read_depended_on(database, found); !read) return fail(read.error());

  std::vector<std::pair<std::int64_t, std::size_t>> order;
  order.reserve(found.size());
  for (std::size_t i = 0; i < found.size(); ++i) order.emplace_back(found[i].seq, i);
  std::sort(order.begin(), order.end());
  snapshot.tasks.reserve(found.size());
  for (const auto& [seq, at] : order) snapshot.tasks.push_back(std::move(found[at].task));
  return snapshot;
}

}  // namespace mahavishnu::journal
