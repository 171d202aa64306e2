#include "app/process.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "workers/process_tree.h"

namespace mahavishnu::app {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

void prepare_process() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  ::signal(SIGPIPE, SIG_IGN);
}

Result<Process> Process::open(pid_t pid) {
  auto descriptor = workers::open_process(pid);
  if (!descriptor) return fail(std::move(descriptor.error()));
  return Process(std::move(*descriptor));
}

Status Process::terminate() {
  if (::syscall(SYS_pidfd_send_signal, descriptor_.get(), SIGTERM, nullptr, 0) == 0) return {};
  return fail(errno == ESRCH ? ErrorCode::NotFound : ErrorCode::Denied,
              std::string("the server could not be told to end: ") + std::strerror(errno));
}

bool Process::wait(base::Millis limit) {
  pollfd gone{descriptor_.get(), POLLIN, 0};
  return ::poll(&gone, 1, static_cast<int>(limit.count())) == 1;
}

}  // namespace mahavishnu::app
