// Sends what the outbox holds to Session Buddy, and searches there.
//
// Everything runs on one thread of its own, niced, beside the client's threads: reading memories,
// deciding what is next, judging answers. It is woken by the outbox when a memory came in, and by a
// timer only while something waits to be tried again; when all is sent it does nothing at all, and
// calls nobody. At most `connections` calls are under way. While the server does not work its
// breaker keeps all but probes away; when it works again calls come back one by one, not all at
// once. While work fills the cores it sends a page now and then (pacer.h), unless somebody waits in
// sync(). Made and called on the control thread. Lifetime: the outbox and the breakers outlive it;
// stop() before destruction.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/asio.h"
#include "domain/memory_sync.h"
#include "domain/outbox.h"
#include "net/http_client.h"
#include "outbound/backlog.h"
#include "outbound/breaker_board.h"
#include "outbound/buddy_session.h"
#include "outbound/pacer.h"

namespace mahavishnu::outbound {

struct SessionBuddyOptions {
  std::string url;
  BuddySession::Options session;
  net::HttpClientOptions http;
  BacklogLimits backlog;
  PacerLimits pace;
  Pacer::Times run_times = run_times_here;  // of the thread that sends
  domain::BreakerOptions breaker;
  base::Millis gather{100};  // news of the outbox are taken together …
  base::Millis settle{250};  // … and outcomes written
};

class SessionBuddy final : public domain::MemorySync {
 public:
  // InvalidArgument: the url is none.
  static base::Result<std::unique_ptr<SessionBuddy>> make(asio::any_io_executor control,
                                                          SessionBuddyOptions options,
                                                          domain::Outbox& outbox,
                                                          BreakerBoard& breakers);
  ~SessionBuddy() override;

  void start();
  // Ends calls, writes what came of those that ended; blocks for that. Idempotent.
  void stop();

  struct Figures {
    std::int64_t outbox = 0, dead = 0, in_flight = 0;  // as of the last look, a second ago or less
    std::uint64_t sent = 0, accepted = 0, retried = 0, died = 0;
    std::uint64_t pauses = 0;  // made for work that filled the cores
    net::HttpClient::Stats http;
  };
  Figures figures() const;  // any thread

  void sync(domain::SyncRequest request, Answer<domain::SyncStatus> answer) override;
  void search(std::string words, int limit, Answer<std::vector<domain::RemoteHit>> answer) override;

 private:
  class Courier;  // what runs on the thread
  explicit SessionBuddy(std::unique_ptr<Courier> courier);
  std::unique_ptr<Courier> courier_;
};

// What stands in its place when none is configured.
class NoMemoryServer final : public domain::MemorySync {
 public:
  explicit NoMemoryServer(asio::any_io_executor control) : control_(std::move(control)) {}
  void sync(domain::SyncRequest request, Answer<domain::SyncStatus> answer) override;
  void search(std::string words, int limit, Answer<std::vector<domain::RemoteHit>> answer) override;

 private:
  asio::any_io_executor control_;
};

}  // namespace mahavishnu::outbound
