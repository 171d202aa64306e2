// The process that stands between the server and an attempt, and outlives the server.
//
// It claims the attempt, starts the command in its own session, keeps its output, watches its time
// limits, and is the subreaper of everything the command starts: an attempt is over when the shim
// has no child any more, and whatever is left is ended with it. It writes the end record before it
// tells the server. With no server it goes on until the lease is over, then ends everything.
// One thread, one poll loop, no Asio; forked by the zygote.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "workers/attempt_file.h"
#include "workers/cgroup.h"
#include "workers/kept_output.h"
#include "workers/launch.h"
#include "workers/messages.h"
#include "workers/report.h"
#include "workers/scratch.h"
#include "workers/server_link.h"
#include "workers/start_lock.h"
#include "workers/streams.h"

namespace mahavishnu::workers {

class Shim {
 public:
  Shim(ShimOrder order, ServerLink& link, AttemptFile& file, StartLock& lock, Scratch& scratch);

  // Runs the attempt; returns when its end is written and told. True: the process may run another.
  bool run();

 private:
  using MonoTime = base::MonoTime;

  bool start();
  bool enter_directory();
  bool enter_scratch();
  void limit();
  base::Status launch_command(std::vector<std::string> argv);
  void refuse(Reason reason, std::string message);

  void turn();
  bool over() const { return main_ == 0 && (childless_ || gave_up_); }
  int wait_ms(MonoTime now) const;
  void on_frames(const std::vector<Frame>& frames);
  void reap();
  void main_ended(int status);
  bool verify();
  void decide(int status);
  void watch_time(MonoTime now);
  void tell_start(MonoTime now);
  void tell_growth(MonoTime now);
  void stop(Reason why, std::string message);
  void begin_ending(base::Millis grace);
  void end_what_is_left(MonoTime now);
  void take_report();
  void signal_descendants(int signal);
  bool finish();
  bool may_stay();

  const AttemptOrder& attempt() const { return order_.attempt; }

  ShimOrder order_;
  ServerLink& link_;
  AttemptFile& file_;
  StartLock& lock_;
  Scratch& scratch_;
  KeptOutput output_;
  Streams streams_;
  Descriptor report_;  // of a program that calls a tool
  Cgroup cgroup_;
  LaunchPlan plan_;
  AttemptEnded end_;
  pid_t main_ = 0;  // the command, or `verify`
  bool started_ = false;
  bool start_told_ = false;
  bool verifying_ = false;
  bool decided_ = false;  // end_.reason is final
  bool childless_ = true;
  bool gave_up_ = false;
  bool dirty_ = false;  // output grew since it was told
  MonoTime started_at_{}, last_output_{}, next_growth_{};
  std::optional<MonoTime> kill_at_;  // set while everything is being ended
  MonoTime next_kill_{};
  int kills_ = 0;  // rounds
};

// What the zygote's child does: takes an order from the socket, claims it, runs it, and waits for
// the next one if its attempt left nothing behind. `lock`: the zygote's (start_lock.h).
[[noreturn]] void run_shim(int socket, int lock);

}  // namespace mahavishnu::workers
