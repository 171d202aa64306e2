// Sends the history to OpenSearch, and searches there.
//
// Everything runs on one thread of its own, niced, beside the client's threads: reading events,
// making bulks, judging answers. It is woken by the history, and gathers news for a moment, so that
// a trickle is not a call each; when all is sent it does nothing at all, and calls nobody. What
// waits lies in the history and nowhere else: how far it was sent is kept there, and what leaves it
// before is counted. At most `connections` bulks are under way. While the server does not work its
// breaker keeps all but probes away. It says of its own troubles little, and ever less: each line
// is one more event. Made and called on the control thread. Lifetime: the feed and the breakers
// outlive it; stop() before destruction.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/asio.h"
#include "domain/event_feed.h"
#include "domain/log_archive.h"
#include "net/http_client.h"
#include "outbound/breaker_board.h"
#include "outbound/bulk_backlog.h"

namespace mahavishnu::outbound {

struct OpenSearchOptions {
  std::string url;
  std::string index = "mahavishnu-events";  // and the day of an event, by UTC
  std::string node;
  std::string user;  // "": no authentication
  std::string password;
  std::size_t connections = 4;  // bulks at once; searches have one more
  net::HttpClientOptions http;  // but for its connections
  BulkLimits bulk;
  domain::BreakerOptions breaker;
  base::Millis gather{1000};  // news of the history are taken together
  // After a call that was not taken; doubled with each, unless it asks for more.
  base::Millis pause{200}, longest_pause{30'000};
  base::Millis search_limit{5000};
};

class OpenSearch final : public domain::LogArchive {
 public:
  // InvalidArgument: the url or the index is none.
  static base::Result<std::unique_ptr<OpenSearch>> make(asio::any_io_executor control,
                                                        OpenSearchOptions options,
                                                        domain::EventFeed& feed,
                                                        BreakerBoard& breakers);
  ~OpenSearch() override;

  void start();
  // Ends calls; what was not answered is sent in the next life. Idempotent.
  void stop();

  struct Figures {
    std::uint64_t bulks = 0, sent = 0;  // calls, and documents in them
    std::uint64_t indexed = 0, known = 0, retried = 0, rejected = 0;
    std::uint64_t dropped = 0;  // left the history before they were sent
    std::int64_t behind = 0;    // in the history and not dealt with
    std::int64_t in_flight = 0;
    std::string last_error;
    net::HttpClient::Stats http;
  };
  Figures figures() const;  // any thread

  // Events of all servers that send there. Unavailable names the breaker's state where it is that.
  void entries(domain::LogFilter filter, domain::Page page, Found answer) override;

 private:
  class Sender;  // what runs on the thread
  explicit OpenSearch(std::unique_ptr<Sender> sender);
  std::unique_ptr<Sender> sender_;
};

// What stands in its place when none is configured.
class NoOpenSearch final : public domain::LogArchive {
 public:
  explicit NoOpenSearch(asio::any_io_executor control) : control_(std::move(control)) {}
  void entries(domain::LogFilter filter, domain::Page page, Found answer) override;

 private:
  asio::any_io_executor control_;
};

}  // namespace mahavishnu::outbound
