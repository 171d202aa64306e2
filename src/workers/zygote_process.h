// The zygote as the server sees it: started, given descriptors, watched.
//
// `ready` comes when it holds the lock of the run directory, that is when nothing of a former life
// can still start. `died` comes when the process has ended by itself; descriptors it was given and
// did not pass on are closed by then. Neither comes after stop(). Control thread only.
#pragma once

#include <sys/types.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/asio.h"
#include "base/result.h"
#include "workers/descriptor.h"

namespace mahavishnu::workers {

class ZygoteProcess {
 public:
  struct Events {
    std::function<void()> ready;
    std::function<void()> died;
  };

  ZygoteProcess(asio::any_io_executor control, Events events);
  ~ZygoteProcess() { stop(); }

  // Unavailable: the executable could not be started.
  base::Status start(const std::string& executable, const std::string& run_dir);

  // Hands over the shim's end of an attempt's connection. In order; waits its turn if it must.
  void pass(Descriptor socket);

  bool ready() const { return ready_; }
  pid_t pid() const { return pid_; }  // 0: not running

  void kill();  // leads to died
  void stop();

 private:
  void watch_ready(std::weak_ptr<char> life);
  void watch_death(std::weak_ptr<char> life);
  void push();
  void push_later(std::weak_ptr<char> life);
  void forget();

  asio::any_io_executor control_;
  Events events_;
  asio::posix::stream_descriptor socket_;
  asio::posix::stream_descriptor process_;  // a pidfd: readable when it has ended
  asio::steady_timer retry_;
  std::deque<Descriptor> passing_;
  pid_t pid_ = 0;
  bool ready_ = false;
  bool waiting_ = false;
  std::shared_ptr<char> life_;  // of this one process: handlers of a former one do nothing
};

}  // namespace mahavishnu::workers
