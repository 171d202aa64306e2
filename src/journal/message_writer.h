// Writes what the message bus changed into journal.db, inside a transaction that its caller opened.
//
// A message is a row from its publishing until no group owes it any more; an ack is a row only
// while other groups still owe theirs. One thread: the one that owns the connection.
#pragma once

#include <functional>
#include <string>

#include "domain/bus_types.h"
#include "journal/database.h"

namespace mahavishnu::journal {

// A change of the bus that is a commit of its own.
struct MessageChange {
  domain::BusChange what;
  // On the writer's thread, once it is durable or refused.
  std::function<void(Status)> done;

  // It takes room, rather than giving some back.
  bool admits() const { return !what.published.empty() || !what.joined.empty(); }
};

class MessageWriter {
 public:
  // `database` must outlive the writer and be migrated.
  static Result<MessageWriter> open(Database& database);
  Status apply(const domain::BusChange& change);

 private:
  Status put(const domain::Message& message);
  Status put(const domain::GroupRecord& group);
  Status run(Statement& statement, std::uint64_t number);

  Statement publish_, forget_, forget_acks_, join_, leave_, leave_acks_, ack_;
  std::string topics_, headers_;  // buffers, kept for their capacity
};

// Everything there is, by number.
Result<domain::BusSnapshot> load_messages(Database& database);

}  // namespace mahavishnu::journal
