#include "outbound/opensearch.h"

#include <utility>

#include "outbound/event_sender.h"

namespace mahavishnu::outbound {
namespace {

constexpr const char* kOff =
    "no OpenSearch is configured; set opensearch.url and start the server again, or ask without "
    "source";

}  // namespace

base::Result<std::unique_ptr<OpenSearch>> OpenSearch::make(asio::any_io_executor control,
                                                           OpenSearchOptions options,
                                                           domain::EventFeed& feed,
                                                           BreakerBoard& breakers) {
  if (auto good = check_index(options.index); !good) return base::fail(std::move(good.error()));
  options.http.connections = options.connections + 1;
  auto client = net::HttpClient::make(options.url, options.http);
  if (!client) return base::fail(std::move(client.error()));
  auto fuse = breakers.fuse("opensearch " + (*client)->origin().str(), options.breaker);
  auto sender = std::make_unique<Sender>(std::move(control), std::move(options), std::move(*client),
                                         feed, std::move(fuse));
  return std::unique_ptr<OpenSearch>(new OpenSearch(std::move(sender)));
}

OpenSearch::OpenSearch(std::unique_ptr<Sender> sender) : sender_(std::move(sender)) {}
OpenSearch::~OpenSearch() { stop(); }

void OpenSearch::start() { sender_->start(); }
void OpenSearch::stop() { sender_->stop(); }
OpenSearch::Figures OpenSearch::figures() const { return sender_->figures(); }

void OpenSearch::entries(domain::LogFilter filter, domain::Page page, Found answer) {
  sender_->search(std::move(filter), std::move(page), std::move(answer));
}

void NoOpenSearch::entries(domain::LogFilter, domain::Page, Found answer) {
  asio::post(control_, [answer = std::move(answer)] {
    answer(base::fail(base::ErrorCode::Unavailable, kOff));
  });
}

}  // namespace mahavishnu::outbound
