// The history as it goes elsewhere: its entries in the order they were written, and how far they
// have been sent, as a port.
//
// Nothing is kept twice for it: entries lie where log_search finds them, and leave when they are
// old or too many, sent or not. What left before it was read is counted. Read by one thread, which
// a read may hold up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "domain/log_archive.h"

namespace mahavishnu::domain {

struct FedEntry {
  std::int64_t seq = 0;  // grows with every entry, and is never used again
  LogEntry entry;        // redacted
};

struct FeedPage {
  std::vector<FedEntry> items;  // in their order
  std::int64_t up_to = 0;       // this page is about all entries up to here
  std::int64_t lost = 0;        // of them: gone before they were read
  bool more = false;            // it ended early: there may be more
};

struct FeedPlace {
  std::string history;    // tells this history from all others, for as long as it lives
  std::int64_t sent = 0;  // up to here; before the first time: to where the history begins
};

class EventFeed {
 public:
  virtual ~EventFeed() = default;

  // On the reader's thread. A page ends early when its texts have so many bytes together.
  virtual Result<FeedPlace> place() = 0;
  virtual Result<FeedPage> next(std::int64_t after, int limit, std::size_t bytes) = 0;

  // Any thread. `sent` is kept with what the history writes next: after a crash it may be less.
  virtual std::int64_t newest() const = 0;
  virtual void sent(std::int64_t up_to) = 0;
  // Called on the history's thread when there is more in it; replaces the one before.
  virtual void on_news(std::function<void()> told) = 0;
};

}  // namespace mahavishnu::domain
