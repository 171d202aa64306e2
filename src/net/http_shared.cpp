#include <array>
#include <cstdio>
#include <ctime>

#include "net/http_connection.h"

namespace mahavishnu::net {
namespace {

// IMF-fixdate (RFC 9110 section 5.6.7), whatever the locale.
std::string date_header(base::WallTime time) {
  constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 64> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n",
                    kDays[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                    kMonths[static_cast<std::size_t>(utc.tm_mon)], 1900 + utc.tm_year, utc.tm_hour,
                    utc.tm_min, utc.tm_sec);
  return {text.data(), static_cast<std::size_t>(length)};
}

// Peers begin with the first answers while the next are made.
constexpr std::size_t kMostUnsent = 32;

}  // namespace

HttpShared::HttpShared(asio::any_io_executor executor_, HttpOptions options_,
                       rpc::HttpHandler handler_)
    : executor(std::move(executor_)),
      options(std::move(options_)),
      handler(std::move(handler_)),
      handlers(executor, "http handlers") {
  refresh_clock();
}

void HttpShared::refresh_clock() {
  now = base::mono_now();
  const auto wall = base::wall_now();
  if (!date_line.empty() && wall - date_at < base::Millis(1000) && wall >= date_at) return;
  date_at = std::chrono::floor<std::chrono::seconds>(wall);
  date_line = date_header(wall);
}

void HttpShared::add(std::shared_ptr<HttpConnection> connection) {
  connection->list_index = connections.size();
  connections.push_back(std::move(connection));
}

void HttpShared::remove(HttpConnection& connection) {
  const std::size_t index = connection.list_index;
  connections[index] = std::move(connections.back());
  connections[index]->list_index = index;
  connections.pop_back();
}

void HttpShared::flush_soon(std::shared_ptr<HttpConnection> connection) {
  unsent_.push_back(std::move(connection));
  if (unsent_.size() >= kMostUnsent) return flush_all();
  if (std::exchange(flush_posted_, true)) return;
  asio::post(executor, [self = shared_from_this()] {
    self->flush_posted_ = false;
    self->flush_all();
  });
}

void HttpShared::flush_all() {
  for (const auto& connection : std::exchange(unsent_, {})) connection->flush();
}

}  // namespace mahavishnu::net
