#include "workers/zygote_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "workers/process_tree.h"
#include "workers/zygote.h"

namespace mahavishnu::workers {
namespace {

using base::ErrorCode;
using base::fail;

constexpr std::chrono::milliseconds kFullRetry{5};

// The shims' own environment: nothing but what the loader and the sanitizers need. What attempts
// get is in their orders. Symbols are bound once, in the zygote: bound lazily, every shim would
// look them up anew, which is half of its page faults.
std::vector<std::string> zygote_environment() {
  std::vector<std::string> env{"LD_BIND_NOW=1"};
  for (const char* name : {"LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS"}) {
    if (const char* value = std::getenv(name)) env.push_back(std::string(name) + "=" + value);
  }
  return env;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (auto& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

// Own session, no signal blocked or ignored, no descriptor but /dev/null and the control socket.
int spawn(const std::string& executable, const std::string& run_dir, int control, pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, control, kZygoteControl);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&actions, 0, 1);
  posix_spawn_file_actions_adddup2(&actions, 0, 2);
  posix_spawn_file_actions_addclosefrom_np(&actions, kZygoteControl + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, static_cast<short>(POSIX_SPAWN_SETSID) |
                                            POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<std::string> words{"mahavishnu", "__zygote", run_dir};
  std::vector<std::string> environment = zygote_environment();
  const auto argv = pointers(words);
  const auto env = pointers(environment);
  const int error =
      ::posix_spawn(&pid, executable.c_str(), &actions, &attributes, argv.data(), env.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

// One byte with the descriptor beside it.
ssize_t send_descriptor(int control, int descriptor) {
  char byte = 'a';
  iovec part{&byte, 1};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof space;
  cmsghdr* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(head), &descriptor, sizeof descriptor);
  return ::sendmsg(control, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

ZygoteProcess::ZygoteProcess(asio::any_io_executor control, Events events)
    : control_(control),
      events_(std::move(events)),
      socket_(control),
      process_(control),
      retry_(control) {}

base::Status ZygoteProcess::start(const std::string& executable, const std::string& run_dir) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail(ErrorCode::Unavailable, std::string("no socket pair: ") + std::strerror(errno));
  }
  Descriptor ours(ends[0]);
  const Descriptor theirs(ends[1]);
  const int error = spawn(executable, run_dir, theirs.get(), pid_);
  if (error != 0) {
    pid_ = 0;
    return fail(ErrorCode::Unavailable,
                "cannot start the zygote " + executable + ": " + std::strerror(error));
  }
  auto process = open_process(pid_);
  if (!process) {
    kill();
    forget();
    return fail(ErrorCode::Unavailable, "cannot watch the zygote: " + process.error().message);
  }
  ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  socket_.assign(ours.release());
  process_.assign(process->release());
  life_ = std::make_shared<char>();
  watch_ready(life_);
  watch_death(life_);
  return {};
}

void ZygoteProcess::watch_ready(std::weak_ptr<char> life) {
  socket_.async_wait(asio::posix::stream_descriptor::wait_read,
                     [this, life = std::move(life)](asio::error_code error) {
                       if (life.expired() || error) return;
                       char byte = 0;
                       if (::recv(socket_.native_handle(), &byte, 1, MSG_DONTWAIT) != 1) return;
                       ready_ = true;
                       if (events_.ready) events_.ready();
                     });
}

void ZygoteProcess::watch_death(std::weak_ptr<char> life) {
  process_.async_wait(asio::posix::stream_descriptor::wait_read,
                      [this, life = std::move(life)](asio::error_code error) {
                        if (life.expired() || error) return;
                        forget();
                        if (events_.died) events_.died();
                      });
}

void ZygoteProcess::pass(Descriptor socket) {
  passing_.push_back(std::move(socket));
  if (!waiting_) push();
}

void ZygoteProcess::push() {
  while (!passing_.empty() && pid_ != 0) {
    if (send_descriptor(socket_.native_handle(), passing_.front().get()) < 0) {
      if (errno == EINTR) continue;
      // Full, or too many descriptors under way. If it is dead, watch_death sees to it.
      push_later(life_);
      return;
    }
    passing_.pop_front();
  }
}

void ZygoteProcess::push_later(std::weak_ptr<char> life) {
  waiting_ = true;
  retry_.expires_after(kFullRetry);
  retry_.async_wait([this, life = std::move(life)](asio::error_code error) {
    if (life.expired() || error) return;
    waiting_ = false;
    push();
  });
}

void ZygoteProcess::kill() {
  if (pid_ != 0) ::kill(pid_, SIGKILL);
}

// It has ended, or will at once: drops all that is its own.
void ZygoteProcess::forget() {
  life_.reset();
  asio::error_code ignored;
  socket_.close(ignored);
  process_.close(ignored);
  retry_.cancel();
  passing_.clear();
  if (pid_ != 0) ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
  ready_ = false;
  waiting_ = false;
}

void ZygoteProcess::stop() {
  events_ = Events{};
  if (pid_ == 0) return;
  kill();
  forget();
}

}  // namespace mahavishnu::workers
