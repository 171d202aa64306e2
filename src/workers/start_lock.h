// A process's share in RUN_DIR/zygote.lock: held while an order may come to it that is not claimed.
//
// A zygote that wants the lock for itself alone, at its start, waits until nobody has a share: then
// nothing of a former life can start an attempt any more. From then on it has a share like its
// shims, which inherit it, give it up with their claim, and take one of their own before they tell
// the server that they wait for another order. One thread.
#pragma once

#include <fcntl.h>
#include <sys/file.h>

#include <string>
#include <utility>

#include "workers/descriptor.h"
#include "workers/run_dir.h"

namespace mahavishnu::workers {

class StartLock {
 public:
  // `inherited`: the zygote's open file, which holds its lock as long as anybody has it open.
  explicit StartLock(Descriptor inherited) : inherited_(std::move(inherited)) {}

  void give_up() {
    inherited_.reset();
    if (own_) ::flock(own_.get(), LOCK_UN);
  }

  // False: a new zygote is about to have it, or it cannot be opened.
  bool take(const std::string& run_dir) {
    if (!own_) own_.reset(::open(zygote_lock(run_dir).c_str(), O_RDWR | O_CLOEXEC));
    return own_ && ::flock(own_.get(), LOCK_SH | LOCK_NB) == 0;
  }

 private:
  Descriptor inherited_;
  Descriptor own_;
};

}  // namespace mahavishnu::workers
