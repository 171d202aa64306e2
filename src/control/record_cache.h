// The newest committed records, kept ready for reads and for starting attempts.
//
// It holds only what is on disk: `apply` is called with a commit's records once the commit is
// durable. Least recently used ones leave when there are too many or they take too many bytes. A
// read from the archive that overlapped a change of the same record is noticed (`end_read`), so an
// older state never replaces a newer one. One thread.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>
#include <variant>
#include <vector>

#include "domain/records.h"

namespace mahavishnu::control {

using TaskPtr = std::shared_ptr<const domain::TaskRecord>;
using WorkflowPtr = std::shared_ptr<const domain::WorkflowRecord>;

class RecordCache {
 public:
  RecordCache(std::size_t max_entries, std::size_t max_bytes)
      : max_entries_(max_entries), max_bytes_(max_bytes) {}

  TaskPtr task(domain::TaskId id);
  WorkflowPtr workflow(domain::WorkflowId id);
  void put(TaskPtr task);
  void put(WorkflowPtr workflow);
  void apply(const domain::Record& record);

  // Bracket an archive read: end_read, given what begin_read answered, is false when the record
  // changed in between, and then the read has to be done again.
  std::uint64_t begin_read(base::Ulid id);
  bool end_read(base::Ulid id, std::uint64_t begun);

  std::size_t size() const { return entries_.size(); }
  std::size_t bytes() const { return bytes_; }
  std::uint64_t hits() const { return hits_; }
  std::uint64_t misses() const { return misses_; }

 private:
  struct Entry {
    std::variant<TaskPtr, WorkflowPtr> record;
    std::size_t bytes = 0;
    std::list<base::Ulid>::iterator age;
  };
  struct Hash {
    std::size_t operator()(const base::Ulid& id) const noexcept {
      return static_cast<std::size_t>(id.low ^ (id.high * 0x9E3779B97F4A7C15ULL));
    }
  };
  struct Read {
    int readers = 0;
    std::uint64_t changes = 0;  // since the first of them began
  };

  Entry* touch(base::Ulid id);
  void store(base::Ulid id, std::variant<TaskPtr, WorkflowPtr> record, std::size_t bytes);
  void evict();
  void mark_changed(base::Ulid id);
  void change_task(const domain::TaskChanged& change);
  void change_attempt(const domain::AttemptPut& change);
  void change_workflow(const domain::WorkflowChanged& change);

  std::size_t max_entries_, max_bytes_;
  std::size_t bytes_ = 0;
  std::uint64_t hits_ = 0, misses_ = 0;
  std::list<base::Ulid> ages_;  // most recently used first
  std::unordered_map<base::Ulid, Entry, Hash> entries_;
  std::unordered_map<base::Ulid, Read, Hash> reads_;
};

}  // namespace mahavishnu::control
