#include "outbound/own_thread.h"

#include <sys/resource.h>
#include <unistd.h>

namespace mahavishnu::outbound {
namespace {

constexpr int kNice = 19;  // what work leaves over

}  // namespace

void OwnThread::start() {
  thread_ = std::thread([this] {
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
    io_.run();
  });
}

void OwnThread::wake_at(base::MonoTime when) {
  if (when >= wakes_at_) return;
  wakes_at_ = when;
  alarm_.expires_at(when);
  alarm_.async_wait([this](std::error_code cancelled) {
    if (cancelled) return;
    wakes_at_ = base::MonoTime::max();
    due_();
  });
}

void OwnThread::release() {
  alarm_.cancel();
  work_.reset();
}

}  // namespace mahavishnu::outbound
