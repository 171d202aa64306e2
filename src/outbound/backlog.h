// Which memory is sent next: pages read in order, calls under way, tries that come due.
//
// Items are first sent in the order of the outbox, a bounded number of them in memory; of those
// that are to be tried again only their numbers are kept. A failure counts against an item when the
// server refused it, or when it broke on it while it took others; a server that takes nothing at
// all costs no item a try, so nothing dies of an outage. A pure value: the moment and the dice are
// passed in.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "domain/outbox.h"

namespace mahavishnu::outbound {

struct BacklogLimits {
  int page = 20;  // items read at a time
  int max_tries = 8;
  base::Millis backoff{1000};  // after the first failure; doubled with each
  base::Millis longest{300'000};
  std::size_t most_waiting = 10'000;  // to be tried again: beyond it nothing new is read
};

class Backlog {
 public:
  explicit Backlog(BacklogLimits limits = {}) : limits_(limits) {}

  // There may be more on disk than was read.
  void grew() { more_ = true; }
  // Read so many after cursor(), and put them in. Asked for when few are left.
  bool wants_page() const;
  std::int64_t cursor() const { return cursor_; }
  void page(std::vector<domain::OutboxItem> items);
  // Reads everything again that it does not know: dead ones are waiting again.
  void rewind();

  // The next to be sent, from then on under way: one with its memory, or one to be read again.
  struct Next {
    std::int64_t seq = 0;
    std::optional<domain::OutboxItem> item;
  };
  bool has_next(base::MonoTime now) const;
  Next take(base::MonoTime now);

  // How a call under way came out; exactly once for each taken. `dice` is from 0 to 1.
  void accepted(std::int64_t seq);
  void gone(std::int64_t seq);  // nothing was sent: it is not in the outbox any more
  domain::OutboxOutcome refused(std::int64_t seq, std::string error, base::MonoTime now,
                                double dice);
  // nullopt: it did not count.
  std::optional<domain::OutboxOutcome> broke(std::int64_t seq, std::string error,
                                             base::MonoTime now, double dice);
  void again(std::int64_t seq, base::MonoTime now);  // it was not its fault: at once
  // How often it was tried again without counting, since it was accepted or counted.
  int repeats(std::int64_t seq) const;
  // The outcome stands on disk: the item may be read anew if it is still there.
  void settled(std::int64_t seq);

  // All that wait for their time are due.
  void hurry(base::MonoTime now);
  std::optional<base::MonoTime> next_due() const;
  std::size_t under_way() const { return under_way_.size(); }
  std::size_t waiting() const { return due_.size(); }
  bool empty() const { return ready_.empty() && under_way_.empty() && due_.empty() && !more_; }

 private:
  struct Record {
    int tries = 0;                      // that counted
    int repeats = 0;                    // that did not
    std::uint64_t accepted_before = 0;  // by the server, when it was sent last
  };
  domain::OutboxOutcome count(std::int64_t seq, Record record, std::string error,
                              base::MonoTime now, double dice);
  Record end(std::int64_t seq);
  void wait(std::int64_t seq, Record record, base::MonoTime until);
  base::Millis delay(const Record& record, double dice) const;

  BacklogLimits limits_;
  bool more_ = true;
  std::int64_t cursor_ = 0;
  std::uint64_t accepted_ = 0;
  std::deque<domain::OutboxItem> ready_;
  std::map<std::int64_t, Record> under_way_;
  std::map<std::int64_t, Record> again_;                   // to be tried again
  std::set<std::pair<base::MonoTime, std::int64_t>> due_;  // when
  std::set<std::int64_t> unsettled_;  // accepted or dead, and not on disk as that
};

}  // namespace mahavishnu::outbound
