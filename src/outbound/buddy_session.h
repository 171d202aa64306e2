// One conversation with Session Buddy: the dialect it speaks, its session, its tools.
//
// `connect` finds out how it speaks (MCP without a handshake, with one, or a shim's plain POST) and
// which tools it has; `store` and `search` use that. A session that has expired is told as such,
// and the next connect makes another. Coroutines of one executor; the calls themselves run on the
// client's threads. Lifetime: longer than its coroutines; the client is stopped before they are.
#pragma once

#include <cstdint>
#include <string>

#include "base/asio.h"
#include "outbound/buddy_protocol.h"
#include "outbound/mcp_http.h"

namespace mahavishnu::outbound {

class BuddySession {
 public:
  enum class Protocol : std::uint8_t { Auto, Mcp, Rest };
  struct Options {
    Protocol protocol = Protocol::Auto;
    std::string token;                // "": none
    base::Millis search_limit{5000};  // of a search altogether
  };

  BuddySession(asio::any_io_executor executor, net::HttpClient& client, Options options);

  // Accepted, Trouble or Cancelled.
  base::awaitable<Verdict> connect();
  bool connected() const { return dialect_ != Dialect::None; }
  // Forgets the conversation, unless it is a newer one than that in which `began` was told.
  void forget(std::uint64_t began);
  std::uint64_t conversation() const { return conversation_; }
  // The dialect was found by falling back: it is worth asking again after a time without contact.
  bool fell_back() const {
    return dialect_ == Dialect::Rest && options_.protocol == Protocol::Auto;
  }

  // Requires connected(); any kind of verdict.
  base::awaitable<Verdict> store(domain::Memory memory);
  base::awaitable<Verdict> search(std::string words, int limit);

  std::string spoken() const;  // "mcp 2025-06-18, store_reflection"

 private:
  enum class Dialect : std::uint8_t { None, Mcp, Rest };

  base::awaitable<Verdict> call_tool(std::string name, Json arguments, base::Millis total);
  base::awaitable<Verdict> list_tools();

  net::HttpClient& client_;
  const Options options_;
  McpHttp mcp_;
  Dialect dialect_ = Dialect::None;
  BuddyTools tools_;
  std::uint64_t conversation_ = 0;
};

}  // namespace mahavishnu::outbound
