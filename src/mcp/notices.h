// What one call tells its caller before the reply: progress, log messages, and the questions of the
// revisions that ask in between.
//
// Nothing here waits: a coroutine of its own sends what was given, one after the other, as fast as
// the peer reads. Progress grows strictly, is sent at most once an interval, and the newest value
// is never lost; messages are kept in order, at most `kMostKept`, and what is beyond is counted in
// one more. `finish` ends the coroutine before the reply is written, because nothing may follow the
// reply. One executor. Lifetime: finish (or abandon) must be awaited before it is destroyed.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "base/asio.h"
#include "base/task_group.h"
#include "base/time.h"
#include "mcp/eras.h"
#include "rpc/json.h"

namespace mahavishnu::mcp {

// Where the notifications of one call or subscription go.
class NoticeSink {
 public:
  virtual ~NoticeSink() = default;
  // `text` is one JSON-RPC message. Waits while the peer reads too slowly; false: it is gone.
  virtual base::awaitable<bool> send(std::string text) = 0;
};

class Notices {
 public:
  static constexpr std::size_t kMostKept = 256;

  // `sink` must outlive this. `interval`: between two notifications of progress.
  Notices(asio::any_io_executor executor, Revision revision, base::Millis interval,
          NoticeSink& sink);

  // notifications/progress with the caller's `token`. Dropped unless `progress` is above every
  // value before. `total` ≤ 0: unknown.
  void report(const rpc::Json& token, double progress, double total, std::string message);

  // A whole JSON-RPC message; false: too many are kept, or the peer is gone.
  bool post(std::string text);

  // Called once when the peer turns out to be gone.
  void on_lost(std::function<void()> callback) { lost_ = std::move(callback); }

  std::size_t dropped() const { return dropped_; }

  base::awaitable<void> finish();   // sends what is kept, then no more
  base::awaitable<void> abandon();  // sends no more

 private:
  struct Report {
    rpc::Json token;
    double progress;
    double total;
    std::string message;
  };
  void wake();
  base::awaitable<void> pump();
  // What is due now, taken out; nothing: wait, or end when closing.
  std::optional<std::string> next_due();
  std::string encode(const Report& report) const;

  asio::any_io_executor executor_;
  Revision revision_;
  base::Millis interval_;
  NoticeSink& sink_;
  std::function<void()> lost_;
  std::deque<std::string> messages_;
  std::size_t dropped_ = 0;
  std::optional<Report> kept_;
  std::optional<double> last_;
  bool closing_ = false;
  bool started_ = false;
  asio::steady_timer wake_;
  asio::steady_timer::time_point next_;  // no progress before this
  base::TaskGroup group_;
};

}  // namespace mahavishnu::mcp
