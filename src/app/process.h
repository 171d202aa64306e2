// What this process asks of the kernel for itself and of other processes. Any thread.
#pragma once

#include <sys/types.h>

#include "base/result.h"
#include "base/time.h"

namespace mahavishnu::app {

// Raises the soft limit of open files to the hard one (thousands of connections, three descriptors
// an attempt) and ignores SIGPIPE (a peer that vanished is an error of write, not the end).
void prepare_process();

// A process by its pid and no other: a pid that is used again by another process is not it.
class Process {
 public:
  // NotFound when it does not run.
  static base::Result<Process> open(pid_t pid);
  ~Process();
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;

  base::Status terminate();
  // True once it is gone; false when the time is up.
  bool wait(base::Millis limit);

 private:
  explicit Process(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace mahavishnu::app
