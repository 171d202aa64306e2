// Which documents are sent next: pages read in order, bulks under way, documents to be tried again.
//
// A bulk is bounded by documents and bytes; of its answer only what failed is sent again, later and
// later. What is in memory is bounded as well: nothing new is read while much of it is not settled.
// A failure counts against a document when the server broke on it while it took others; after some
// of those it is rejected, so that one document cannot hold up the place of all. A pure value: the
// moment and the dice are passed in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"

namespace mahavishnu::outbound {

struct BulkItem {
  std::int64_t seq = 0;
  std::string id;     // of the document, the same whenever it is sent
  std::string lines;  // what a bulk says of it, with the newline at its end

  int tries = 0;    // that counted
  int repeats = 0;  // that did not
  std::uint64_t accepted_before = 0;
};

// What became of one document of a bulk.
struct ItemOutcome {
  enum class Kind : std::uint8_t {
    Indexed,
    Known,     // it was there already
    Busy,      // not taken for now
    Broken,    // the server broke on it
    Rejected,  // it will never be taken
  };
  Kind kind = Kind::Indexed;
  std::string error = {};
};

struct BulkLimits {
  std::size_t rows = 1000;  // of one bulk …
  std::size_t bytes = 5U << 20U;
  std::size_t most_bulks = 6;  // so many of the largest may be in memory
  int max_tries = 8;
  base::Millis backoff{1000};  // after the first failure; doubled with each
  base::Millis longest{60'000};
};

class BulkBacklog {
 public:
  using Bulk = std::vector<BulkItem>;
  struct Counts {
    std::uint64_t indexed = 0, known = 0, again = 0, rejected = 0;
  };

  explicit BulkBacklog(BulkLimits limits = {}) : limits_(limits) {}

  // All up to `sent` was dealt with in a former life. Before the first page.
  void begin(std::int64_t sent) { cursor_ = sent; }
  // There may be more than was read.
  void grew() { more_ = true; }
  // Read what comes after cursor(), and put it in. Asked for while a bulk is not full.
  bool wants_page() const;
  std::int64_t cursor() const { return cursor_; }
  void page(std::vector<BulkItem> items, std::int64_t up_to, bool more);

  // The next bulk, from then on under way; what is due again goes first.
  bool has_next(base::MonoTime now) const;
  Bulk take(base::MonoTime now);

  // How a bulk came out; exactly one of these for each taken. `dice` is from 0 to 1.
  // `outcomes`: one for each item, in their order.
  Counts answered(Bulk bulk, const std::vector<ItemOutcome>& outcomes, base::MonoTime now,
                  double dice);
  // It said nothing of the documents: all of them are due at once.
  void again(Bulk bulk, base::MonoTime now);
  // From now on bulks are at most half as long; a single document that is too long is rejected.
  Counts too_large(Bulk bulk, base::MonoTime now);

  // All up to here are dealt with.
  std::int64_t sent() const { return open_.empty() ? cursor_ : *open_.begin() - 1; }
  std::optional<base::MonoTime> next_due() const;
  std::size_t open() const { return open_.size(); }  // read and not dealt with

 private:
  bool fits(const Bulk& bulk, std::size_t bytes, const BulkItem& item) const;
  void settle(const BulkItem& item);
  void wait(BulkItem item, base::MonoTime until);

  BulkLimits limits_;
  bool more_ = true;
  std::int64_t cursor_ = 0;
  std::uint64_t accepted_ = 0;
  std::deque<BulkItem> ready_;
  std::size_t ready_bytes_ = 0;
  std::map<std::pair<base::MonoTime, std::int64_t>, BulkItem> again_;  // by when, and seq
  std::set<std::int64_t> open_;
  std::size_t open_bytes_ = 0;
};

}  // namespace mahavishnu::outbound
