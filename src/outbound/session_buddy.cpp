#include "outbound/session_buddy.h"

#include <utility>

#include "outbound/courier.h"

namespace mahavishnu::outbound {
namespace {

constexpr const char* kOff =
    "no memory server is configured; set session_buddy.url and start the server again";

}  // namespace

base::Result<std::unique_ptr<SessionBuddy>> SessionBuddy::make(asio::any_io_executor control,
                                                               SessionBuddyOptions options,
                                                               domain::Outbox& outbox,
                                                               BreakerBoard& breakers) {
  auto client = net::HttpClient::make(options.url, options.http);
  if (!client) return base::fail(std::move(client.error()));
  auto fuse = breakers.fuse("session_buddy " + (*client)->origin().str(), options.breaker);
  auto courier = std::make_unique<Courier>(std::move(control), std::move(options),
                                           std::move(*client), outbox, std::move(fuse));
  return std::unique_ptr<SessionBuddy>(new SessionBuddy(std::move(courier)));
}

SessionBuddy::SessionBuddy(std::unique_ptr<Courier> courier) : courier_(std::move(courier)) {}
SessionBuddy::~SessionBuddy() { stop(); }

void SessionBuddy::start() { courier_->start(); }
void SessionBuddy::stop() { courier_->stop(); }
SessionBuddy::Figures SessionBuddy::figures() const { return courier_->figures(); }

void SessionBuddy::sync(domain::SyncRequest request, Answer<domain::SyncStatus> answer) {
  courier_->sync(request, std::move(answer));
}

void SessionBuddy::search(std::string words, int limit,
                          Answer<std::vector<domain::RemoteHit>> answer) {
  courier_->search(std::move(words), limit, std::move(answer));
}

void NoMemoryServer::sync(domain::SyncRequest, Answer<domain::SyncStatus> answer) {
  asio::post(control_, [answer = std::move(answer)] {
    domain::SyncStatus status;
    status.last_error = kOff;
    answer(std::move(status));
  });
}

void NoMemoryServer::search(std::string, int, Answer<std::vector<domain::RemoteHit>> answer) {
  asio::post(control_, [answer = std::move(answer)] {
    answer(base::fail(base::ErrorCode::Unavailable, kOff));
  });
}

}  // namespace mahavishnu::outbound
