#include "outbound/own_thread.h"

#include <sys/resource.h>
#include <unistd.h>

namespace mahavishnu::outbound {
namespace {

constexpr int kNice = 19;  // what work leaves over
constexpr base::Millis kRest{2};

}  // namespace

void OwnThread::start() {
  thread_ = std::thread([this] {
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
    run();
  });
}

void OwnThread::run() {
  while (io_.run_one() > 0) {
    io_.poll();
    if (may_rest_()) std::this_thread::sleep_for(kRest);
  }
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
