// What this process asks of the kernel for itself and of other processes. Any thread.
#pragma once

#include <sys/types.h>

#include <utility>

#include "base/result.h"
#include "base/time.h"
#include "workers/descriptor.h"

namespace mahavishnu::app {

// Raises the soft limit of open files to the hard one (thousands of connections, three descriptors
// an attempt) and ignores SIGPIPE (a peer that vanished is an error of write, not the end).
void prepare_process();

// A process by its pid and no other: a pid that is used again by another process is not it.
class Process {
 public:
  // NotFound when it does not run.
  static base::Result<Process> open(pid_t pid);

  base::Status terminate();
  // True once it is gone; false when the time is up.
  bool wait(base::Millis limit);

 private:
  explicit Process(workers::Descriptor descriptor) : descriptor_(std::move(descriptor)) {}
  workers::Descriptor descriptor_;
};

}  // namespace mahavishnu::app
