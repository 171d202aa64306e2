// A connection that carries whole messages, below calls and above bytes (stdio, Unix socket, a pair
// in memory). Adding a transport means implementing the pure ones and nothing else.
//
// One executor. `read` has one caller at a time; `write` may be called by any number of coroutines
// and never interleaves two texts. Outgoing bytes are bounded: past the bound `write` waits.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/asio.h"
#include "base/result.h"

namespace mahavishnu::rpc {

class Connection {
 public:
  virtual ~Connection() = default;

  // The next whole text; nullopt at the orderly end. An Error Exhausted is a message over the limit:
  // it was skipped and reading may go on. Any other error is the end. Cancelled after close().
  virtual base::awaitable<base::Result<std::optional<std::string>>> read() = 0;

  // What `read` would answer, when that is there already (a coroutine for each of many texts costs
  // more than many of them); otherwise nullopt: then read.
  virtual std::optional<base::Result<std::optional<std::string>>> read_ready() {
    return std::nullopt;
  }

  // `text` is one message without its framing. An error means that the peer is gone.
  virtual base::awaitable<base::Status> write(std::string text) = 0;

  // Writes without waiting where there is room; false: nothing was done, then write.
  virtual bool write_ready(std::string_view) { return false; }

  // Idempotent; unblocks a pending read. What was written before is still delivered if it can be.
  virtual void close() = 0;

  // For logs and for fair share between callers: "stdio", "socket:12".
  virtual std::string name() const = 0;
};

}  // namespace mahavishnu::rpc
