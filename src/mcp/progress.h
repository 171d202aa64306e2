// notifications/progress of one call: grows strictly, at most ten a second, and the newest value is
// never lost.
//
// `report` never waits: it keeps the newest value, and a coroutine of its own sends it when the
// time has come and the peer has read the one before. `finish` ends that coroutine before the reply
// is written, because nothing may follow the reply. One executor. Lifetime: finish (or abandon)
// must be awaited before it is destroyed.
#pragma once

#include <optional>
#include <string>

#include "base/asio.h"
#include "base/task_group.h"
#include "base/time.h"
#include "mcp/eras.h"
#include "rpc/json.h"

namespace mahavishnu::mcp {

// Where the notifications of one call go.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  // `text` is one JSON-RPC notification. Waits while the peer reads too slowly; false: it is gone.
  virtual base::awaitable<bool> send(std::string text) = 0;
};

class ProgressSender {
 public:
  static constexpr base::Millis kInterval{100};

  // `token` as the caller gave it; `sink` must outlive this.
  ProgressSender(asio::any_io_executor executor, rpc::Json token, Revision revision,
                 ProgressSink& sink);

  // Dropped unless `progress` is above every value before. `total` ≤ 0: unknown.
  void report(double progress, double total, std::string message);

  base::awaitable<void> finish();   // sends what is kept, then no more
  base::awaitable<void> abandon();  // sends no more

 private:
  struct Report {
    double progress;
    double total;
    std::string message;
  };
  base::awaitable<void> pump();
  std::string encode(const Report& report) const;

  asio::any_io_executor executor_;
  rpc::Json token_;
  Revision revision_;
  ProgressSink& sink_;
  std::optional<Report> kept_;
  std::optional<double> last_;
  bool closing_ = false;
  bool started_ = false;
  asio::steady_timer wake_;
  asio::steady_timer::time_point next_;  // not before this
  base::TaskGroup group_;
};

}  // namespace mahavishnu::mcp
