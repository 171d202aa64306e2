// What the control thread hands to the writer's: one step's records, to become durable together.
#pragma once

#include <memory>
#include <vector>

#include "domain/records.h"

namespace mahavishnu::journal {

struct AuditCommit;
struct MemoryChange;
struct MessageChange;
using Records = std::shared_ptr<const std::vector<domain::Record>>;

// For the answer when too many commits wait for the disk.
inline constexpr long kQueueRetryMs = 100;

struct Commit {
  domain::CommitNo number = 0;
  Records records;
  bool awaited = true;                        // somebody waits for it; the writer finds out
  std::shared_ptr<MemoryChange> memory = {};  // instead of records; its number is 0
  std::shared_ptr<MessageChange> message = {};  // the same
  std::shared_ptr<AuditCommit> audit = {};      // the same
};

}  // namespace mahavishnu::journal
