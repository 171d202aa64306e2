// The audit's rows in journal.db: written inside a transaction that its caller opened, and read.
//
// One thread each: the one that owns the connection.
#pragma once

#include <functional>

#include "domain/audit.h"
#include "journal/database.h"

namespace mahavishnu::journal {

// A change of the audit that is a commit of its own.
struct AuditCommit {
  domain::AuditChange what;
  bool awaited = false;  // somebody waits for it
  // On the writer's thread, or on the appending one when the queue is full: once it is durable or
  // refused. Must not append.
  std::function<void(Status)> done;

  // It takes room, rather than giving some back.
  bool admits() const { return !what.rows.empty(); }
};

class AuditWriter {
 public:
  // `database` must outlive the writer and be migrated.
  static Result<AuditWriter> open(Database& database);
  Status apply(const domain::AuditChange& change);

 private:
  Status put(const domain::AuditRow& row);
  Status end(const domain::AuditEnd& end);
  Status keep(const domain::AuditLimits& limits);

  Statement insert_, end_, forget_more_, forget_old_;
};

// Newest first. InvalidArgument: the cursor is not one of this listing.
Result<domain::Listing<domain::AuditRow>> find_audit(Database& database,
                                                     const domain::AuditFilter& filter,
                                                     const domain::Page& page);
Result<std::uint64_t> newest_audit(Database& database);

}  // namespace mahavishnu::journal
