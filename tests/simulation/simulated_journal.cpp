#include "simulation/simulated_journal.h"

#include <algorithm>
#include <utility>

namespace mahavishnu::simulation {
namespace {

tl::unexpected<Error> missing(const std::string& name) {
  return domain::fail(ErrorCode::NotFound, "there is no " + name);
}

bool meets(const TaskRecord& task, const TaskFilter& filter) {
  return (!filter.batch || task.batch == filter.batch) &&
         (!filter.workflow || task.workflow == filter.workflow) &&
         (filter.repo.empty() || task.spec->repo == filter.repo);
}

}  // namespace

bool SimulatedJournal::admits(const std::vector<Record>& records) const {
  return std::any_of(records.begin(), records.end(), [this](const Record& record) {
    const auto* pool = std::get_if<PoolPut>(&record);
    if (pool != nullptr) return !disk_.has_pool(pool->pool.id);
    return std::holds_alternative<TaskAdmitted>(record) ||
           std::holds_alternative<WorkflowAdmitted>(record);
  });
}

// Numbers come without a gap; one that failed may come again.
void SimulatedJournal::append(CommitNo commit, std::shared_ptr<const std::vector<Record>> records) {
  if (failed_.erase(commit) == 0) {
    if (commit != last_ + 1) verdict_.fail("a commit number is skipped or comes twice");
    if (records->empty()) verdict_.fail("a commit holds nothing");
    last_ = commit;
  } else if (admits(*records)) {
    verdict_.fail("an admission that failed is tried again");
  }
  if (health != Health::Well && dice_.one_in(8)) {  // the queue is full
    reports_.push_front({commit, domain::fail(ErrorCode::Exhausted, "too many commits wait")});
    return;
  }
  queue_.push_back({commit, std::move(records)});
}

bool SimulatedJournal::fails(const Pending& commit) {
  switch (health) {
    case Health::Well:
      return dice_.one_in(400);
    case Health::Full:
      return admits(*commit.records) || dice_.one_in(20);
    case Health::Broken:
      return !dice_.one_in(3);
  }
  return false;
}

void SimulatedJournal::write() {
  for (std::uint64_t n = 1 + dice_.below(4); n > 0 && !queue_.empty(); --n) {
    const Pending commit = std::move(queue_.front());
    queue_.pop_front();
    if (fails(commit)) {
      verdict_.tell("commit ", commit.number, " fails");
      reports_.push_back({commit.number, domain::fail(ErrorCode::Exhausted, "the disk is full")});
    } else {
      verdict_.tell("commit ", commit.number, " is on disk");
      disk_.apply(*commit.records);
      reports_.push_back({commit.number, {}});
    }
  }
}

void SimulatedJournal::report() {
  std::vector<Report> told;
  for (std::uint64_t n = 1 + dice_.below(6); n > 0 && !reports_.empty(); --n) {
    told.push_back(std::move(reports_.front()));
    reports_.pop_front();
  }
  asio::post(control_, [this, told = std::move(told)] {
    for (const Report& one : told) {
      verdict_.tell("commit ", one.number, one.status ? " is told" : " is told to have failed");
      if (!one.status) failed_.insert(one.number);
      done_(one.number, one.status);
    }
  });
}

void SimulatedJournal::read() {
  const std::size_t at = dice_.below(reads_.size());
  if (!reads_[at].answer) {
    reads_[at].answer = reads_[at].look();
    return;
  }
  auto answer = std::move(reads_[at].answer);
  reads_.erase(reads_.begin() + static_cast<std::ptrdiff_t>(at));
  asio::post(control_, std::move(answer));
}

bool SimulatedJournal::act() {
  const bool reads_first = dice_.one_in(2);
  if (reads_first && !reads_.empty()) return read(), true;
  if (!reports_.empty() && dice_.one_in(2)) return report(), true;
  if (!queue_.empty()) return write(), true;
  if (!reports_.empty()) return report(), true;
  if (!reads_.empty()) return read(), true;
  return false;
}

void SimulatedJournal::end(bool orderly) {
  const std::uint64_t kept = orderly ? queue_.size() : dice_.below(queue_.size() + 1);
  for (std::uint64_t n = 0; n < kept; ++n) {
    if (orderly && fails(queue_[n])) continue;
    disk_.apply(*queue_[n].records);
  }
  verdict_.tell(orderly ? "it stops" : "it crashes", ": ", kept, " of ", queue_.size(),
                " commits under way are on disk");
  queue_.clear();
  reports_.clear();
}

// ── Reads ────────────────────────────────────────────────────────────────────────────────────────

template <class T, class Look>
void SimulatedJournal::add_read(Answer<T> answer, Look look) {
  auto first = [this, answer = std::move(answer), look = std::move(look)] {
    auto found = dice_.one_in(300)
                     ? Result<T>(domain::fail(ErrorCode::Deadline, "the read took too long"))
                     : look();
    return std::function<void()>([answer, found = std::move(found)] { answer(found); });
  };
  reads_.push_back({std::move(first), nullptr});
}

void SimulatedJournal::task(TaskId id, Answer<TaskRecord> answer) {
  add_read<TaskRecord>(std::move(answer), [this, id]() -> Result<TaskRecord> {
    const TaskRecord* found = disk_.task(id);
    if (found == nullptr) return missing(id.str());
    return *found;
  });
}

void SimulatedJournal::workflow(WorkflowId id, Answer<WorkflowRecord> answer) {
  add_read<WorkflowRecord>(std::move(answer), [this, id]() -> Result<WorkflowRecord> {
    const WorkflowRecord* found = disk_.workflow(id);
    if (found == nullptr) return missing(id.str());
    return *found;
  });
}

void SimulatedJournal::tasks(TaskFilter filter, Page page, Answer<Listing<TaskRecord>> answer) {
  add_read<Listing<TaskRecord>>(
      std::move(answer), [this, filter = std::move(filter), page]() -> Result<Listing<TaskRecord>> {
        Listing<TaskRecord> listing;
        for (auto id = disk_.order().rbegin(); id != disk_.order().rend(); ++id) {
          if (static_cast<int>(listing.items.size()) == page.limit) break;
          const TaskRecord* task = disk_.task(*id);
          if (meets(*task, filter)) listing.items.push_back(*task);
        }
        return listing;
      });
}

void SimulatedJournal::workflows(WorkflowFilter, Page page,
                                 Answer<Listing<WorkflowRecord>> answer) {
  add_read<Listing<WorkflowRecord>>(std::move(answer), [this, page] {
    Listing<WorkflowRecord> listing;
    for (const auto& [id, workflow] : disk_.workflows()) {
      if (static_cast<int>(listing.items.size()) == page.limit) break;
      listing.items.push_back(workflow);
    }
    return Result<Listing<WorkflowRecord>>(std::move(listing));
  });
}

void SimulatedJournal::by_key(std::string caller, std::string key, Answer<Keyed> answer) {
  add_read<Keyed>(std::move(answer), [this, caller = std::move(caller), key = std::move(key)] {
    return Result<Keyed>(disk_.by_key(caller, key));
  });
}

}  // namespace mahavishnu::simulation
