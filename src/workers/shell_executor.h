// Runs commands as real processes: the executor of worker type `shell`.
//
// It never forks: a zygote does, and a shim stands over each attempt and outlives this server
// (docs/decisions/0040). A shim whose attempt left nothing behind waits for the next one (0081).
// Here is only the bookkeeping: orders on their way, connections to shims, and what became of those
// that fell silent. An order is sent again only when it is certain that no
// shim took it. At most 128 orders are under way at a time, the others wait here in order.
// Control thread only; files and /proc are read on two threads of its own. Callbacks come on the
// control executor and never from inside a call. Destroyed like stop()ped: attempts go on under
// their lease and are found by the next executor on the same run directory.
#pragma once

#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/asio.h"
#include "domain/ports.h"
#include "workers/attempt_link.h"
#include "workers/file_work.h"
#include "workers/output_keeping.h"
#include "workers/spares.h"
#include "workers/survivors.h"
#include "workers/zygote_process.h"

namespace mahavishnu::workers {

struct ShellOptions {
  std::filesystem::path run_dir;  // DATA/run: attempt folders/sockets/spools live below it (0700)
  std::string executable;         // this binary, executed anew as `mahavishnu __zygote …`
  std::string node;               // host name
  base::Millis lease{30000};      // how long an attempt goes on with no server
  base::Millis idle{2000};        // how long a shim waits for another attempt
  OutputKeeping output = {};      // of ended attempts
  base::Millis sweep{600000};     // how often is looked for output that is kept no longer
};

class ShellExecutor final : public domain::Executor {
 public:
  using Answer = std::function<void(base::Result<domain::OutputChunk>)>;

  ShellExecutor(asio::any_io_executor control, ShellOptions options);
  ~ShellExecutor() override;

  // Makes the folders and starts the zygote. Unavailable: the message says what to repair.
  base::Status start_zygote();

  // Closes every connection; attempts that run go on under their lease. Idempotent.
  void stop();

  void subscribe(Events events) override { events_ = std::move(events); }
  // Orders given meanwhile wait for its answer. Unavailable after 10 s when a former zygote or shim
  // still holds the run directory.
  void recover(
      std::function<void(base::Result<std::vector<domain::Restored::Found>>)> answer) override;
  void start(domain::AttemptOrder order) override;
  void stop(domain::Fence fence, domain::Reason why) override;
  void release(domain::Fence fence) override;
  // At most 128 of all pools.
  void keep_ready(domain::PoolId pool, int workers) override;
  void when_ready(std::function<void()> then) override;
  void read_output(domain::Fence fence, domain::OutputStream stream, std::int64_t offset,
                   std::size_t max_bytes, Answer answer) override;
  void read_spool(std::string spool, domain::OutputStream stream, std::int64_t offset,
                  std::size_t max_bytes, Answer answer) override;
  void examine(domain::PoolSpec pool, domain::StringMap env,
               std::function<void(base::Result<std::string>)> answer) override;
  void resident(std::vector<domain::Fence> fences,
                std::function<void(base::Result<std::vector<std::int64_t>>)> answer) override;

 private:
  struct PendingRead {
    domain::OutputStream stream;
    std::int64_t offset;
    std::size_t max_bytes;
    Answer answer;
  };
  struct Attempt {
    std::optional<ShimOrder> order;        // until it has started, should it have to be sent again
    std::string spare;                     // what the order gave it to use again, or ""
    std::optional<Released> former;        // what its shim was to take along
    std::optional<domain::Fence> scratch;  // the folder there may be is named so
    std::shared_ptr<AttemptLink> link;
    std::unordered_map<std::uint64_t, PendingRead> reads;
    std::optional<domain::Reason> stop;        // asked for
    std::optional<domain::TaskResult> result;  // ended, and not released yet
    base::MonoTime start_by = base::MonoTime::max();
    int sent = 0;
    bool started = false;
    bool own = false;       // its shim is a child of the zygote there is
    bool stays = false;     // and will take another order
    bool released = false;  // before its end came
  };
  static constexpr std::size_t kSpares = 256;  // more attempts than that at once make new files
  struct Idle {
    std::shared_ptr<AttemptLink> link;
    std::optional<Released> last;  // what it holds of its last attempt …
    bool released = false;         // … may be used
    bool up = true;                // a new one says when it is
    base::MonoTime since;
  };

  void pump();
  void send_order(domain::Fence fence, Attempt& attempt);
  base::Result<std::shared_ptr<AttemptLink>> fork_shim(domain::Fence fence,
                                                       const std::string& first);
  std::shared_ptr<AttemptLink> link_to(domain::Fence fence, Descriptor socket);
  void on_frame(domain::Fence fence, const Frame& frame);
  void on_started(domain::Fence fence, Attempt& attempt);
  void on_slice(Attempt& attempt, const Frame& frame);
  void on_closed(domain::Fence fence);
  void settle(domain::Fence fence, Fate fate);
  void end(domain::AttemptEnded ended);
  void end_later(domain::Fence fence, domain::Reason reason, std::string message);
  void keep_shim(domain::Fence fence, Attempt& attempt);
  std::optional<Idle> idle_shim();
  void dismiss(const Idle& idle);
  bool leave_with_shim(domain::Fence fence);
  void clear_later(Released released);
  void dismiss_shims(base::MonoTime unused_since, std::size_t keep = 0);
  void watch_idle();
  std::size_t idle_wanted() const;
  void make_ready();
  void on_waiting(domain::Fence name);
  void tell_ready();
  void give_files(std::size_t count);
  void add_spares(std::vector<std::string> spares);
  void zygote_ready();
  void zygote_died();
  void restart_zygote();
  void watch_starts();
  void check_starts();
  void look_for_survivors();
  void adopt(std::vector<Survivor> survivors);
  void answer_recovery(base::Result<std::vector<domain::Restored::Found>> found);
  void clear_released();
  void sweep();
  void sweep_after(base::Millis time);
  void answer_ended(const domain::TaskResult& result, PendingRead read);

  // Later on control, unless stopped by then.
  template <class Work>
  void post(Work work) {
    asio::post(control_, [life = std::weak_ptr<char>(life_), work = std::move(work)]() mutable {
      if (!life.expired()) work();
    });
  }

  asio::any_io_executor control_;
  ShellOptions options_;
  std::string run_dir_;
  Events events_;
  ZygoteProcess zygote_;
  FileWork files_;
  std::unordered_map<domain::Fence, Attempt> attempts_;
  std::deque<domain::Fence> waiting_;  // not sent yet
  std::deque<std::string> spares_;     // the longest unused first: its last shim is gone by then
  std::uint64_t next_spare_ = 1;
  int giving_files_ = 0;
  bool looked_for_spares_ = false;
  std::vector<Released> released_;       // to be cleared together: a job costs more than a clearing
  std::set<domain::Fence> under_way_;    // sent, not started yet
  std::deque<Idle> idle_;                // shims that wait for an order, the longest first
  std::map<domain::PoolId, int> ready_;  // how many there are at least, by pool
  std::vector<std::function<void()>> when_ready_;
  std::uint64_t next_new_ = 1;
  std::uint64_t next_read_ = 1;
  std::function<void(base::Result<std::vector<domain::Restored::Found>>)> recovery_;
  asio::steady_timer recovery_limit_;
  asio::steady_timer restart_;
  asio::steady_timer start_watch_;
  asio::steady_timer clearing_;
  asio::steady_timer dismissal_;
  asio::steady_timer sweep_;
  bool watching_ = false;
  bool scanning_ = false;
  bool watching_idle_ = false;
  base::MonoTime zygote_started_{};
  std::string zygote_trouble_;  // why it does not start, empty when it does
  std::shared_ptr<char> life_ = std::make_shared<char>();
};

}  // namespace mahavishnu::workers
