#include "outbound/replies.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <optional>

namespace mahavishnu::outbound {
namespace {

// What one coroutine waits for and a client's thread brings.
struct Waiting {
  explicit Waiting(const asio::any_io_executor& executor)
      : ready(executor, asio::steady_timer::time_point::max()) {}
  asio::steady_timer ready;  // never fires by itself
  std::optional<base::Result<net::HttpReply>> reply;
};

constexpr std::int64_t kLongestSeconds = 3600;  // whoever asks for more is asked again

}  // namespace

base::awaitable<base::Result<net::HttpReply>> call_of(asio::any_io_executor executor,
                                                      net::HttpClient& client, net::HttpCall call) {
  auto waiting = std::make_shared<Waiting>(executor);
  auto answered = [waiting, executor](base::Result<net::HttpReply> reply) mutable {
    // What is waited on ends on the executor, not with the client's thread.
    asio::post(executor, [waiting = std::move(waiting), reply = std::move(reply)]() mutable {
      waiting->reply = std::move(reply);
      waiting->ready.cancel();
    });
  };
  client.send(std::move(call), std::move(answered));
  // Always answered: the client answers within its limits, or when it is stopped.
  while (!waiting->reply) {
    waiting->ready.expires_at(asio::steady_timer::time_point::max());
    co_await waiting->ready.async_wait(base::as_result);
  }
  co_return std::move(*waiting->reply);
}

std::string cut(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return std::string(text);
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0U) == 0x80U) --bytes;
  return std::string(text.substr(0, bytes)) + "…";
}

Json parsed(std::string_view text) {
  Json document = Json::parse(text, nullptr, false);
  return document.is_discarded() ? Json() : document;
}

base::Millis retry_after(const net::HttpReply& reply, base::WallTime now) {
  const std::string& text = reply.header("retry-after");
  std::int64_t seconds = 0;
  const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (wrong != std::errc() || end != text.data() + text.size()) {
    std::tm date{};
    if (::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date) == nullptr) return {};
    const auto today = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
    seconds = static_cast<std::int64_t>(::timegm(&date)) - today.count();
  }
  return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, kLongestSeconds));
}

}  // namespace mahavishnu::outbound
