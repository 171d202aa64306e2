#include "workers/zygote.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "workers/run_dir.h"
#include "workers/shim.h"

namespace mahavishnu::workers {
namespace {

// Waits until a former zygote and its shims that may still claim an attempt are gone; from then on
// the lock is shared with our own (start_lock.h).
int take_lock(const std::string& run_dir) {
  const int lock = ::open(zygote_lock(run_dir).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return -1;
  while (::flock(lock, LOCK_EX) != 0) {
    if (errno != EINTR) return -1;
  }
  return ::flock(lock, LOCK_SH) == 0 ? lock : -1;
}

// False once the server is gone; a closed socket shows even while messages are queued in it.
bool wait_for_order() {
  pollfd control{kZygoteControl, POLLIN | POLLRDHUP, 0};
  while (::poll(&control, 1, -1) < 0) {
    if (errno != EINTR) return false;
  }
  return (control.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0;
}

// One message is one byte and one descriptor.
int receive_descriptor() {
  char byte = 0;
  iovec part{&byte, 1};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof space;
  if (::recvmsg(kZygoteControl, &message, MSG_CMSG_CLOEXEC) <= 0) return -1;
  const cmsghdr* head = CMSG_FIRSTHDR(&message);
  if (head == nullptr || head->cmsg_type != SCM_RIGHTS) return -1;
  int descriptor = -1;
  std::memcpy(&descriptor, CMSG_DATA(head), sizeof descriptor);
  return descriptor;
}

void refuse(int socket, int error) {
  const std::string frame =
      encode(Kind::Refused, std::string("cannot fork: ") + std::strerror(error));
  [[maybe_unused]] const ssize_t sent =
      ::send(socket, frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void fork_shim(int socket, int lock) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(kZygoteControl);
    run_shim(socket, lock);
  }
  if (pid < 0) refuse(socket, errno);
  ::close(socket);
}

}  // namespace

int zygote_main(int argc, char** argv) {
  if (argc < 3) return 2;
  ::prctl(PR_SET_NAME, "mahavishnu-zygo");
  // What a dead shim leaves behind falls to the zygote, where the server finds it.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::signal(SIGCHLD, SIG_IGN);  // the kernel reaps
  ::signal(SIGPIPE, SIG_IGN);
  const int lock = take_lock(argv[2]);
  if (lock < 0) return 1;
  if (::send(kZygoteControl, "r", 1, MSG_NOSIGNAL) != 1) return 0;
  while (wait_for_order()) {
    const int socket = receive_descriptor();
    if (socket >= 0) fork_shim(socket, lock);
  }
  return 0;
}

}  // namespace mahavishnu::workers
