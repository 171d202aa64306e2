// What all conversations with servers outside need: a call as a coroutine, answers brought to the
// control thread, and pieces of what a reply says.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/asio.h"
#include "net/http_client.h"
#include "rpc/json.h"

namespace mahavishnu::outbound {

using rpc::Json;

// One call; resumes on `executor`, within the client's limits or when it is stopped. The client
// outlives it.
base::awaitable<base::Result<net::HttpReply>> call_of(asio::any_io_executor executor,
                                                      net::HttpClient& client, net::HttpCall call);

// Hands answers to the control thread until it is closed. Any thread; close() on the control
// thread, and none comes after it.
class Replies {
 public:
  explicit Replies(asio::any_io_executor control) : control_(std::move(control)) {}

  template <class Answer, class Result>
  void operator()(Answer answer, Result result) const {
    asio::post(control_, [closed = closed_, answer = std::move(answer),
                          result = std::move(result)]() mutable {
      if (!*closed) answer(std::move(result));
    });
  }
  void close() { *closed_ = true; }

 private:
  const asio::any_io_executor control_;
  const std::shared_ptr<std::atomic<bool>> closed_ = std::make_shared<std::atomic<bool>>(false);
};

inline constexpr std::size_t kErrorBytes = 300;  // of an error that others wrote
// At most so many bytes, whole characters, with "…" where something is left out.
std::string cut(std::string_view text, std::size_t bytes);
// Null: it is no JSON.
Json parsed(std::string_view text);
// How long a reply asks to be left alone: of Retry-After, as seconds or as a date; 0: it does not.
base::Millis retry_after(const net::HttpReply& reply, base::WallTime now);

}  // namespace mahavishnu::outbound
