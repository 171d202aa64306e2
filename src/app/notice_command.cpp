#include "app/notice_command.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>
#include <vector>

#include "app/spawn_plan.h"
#include "rpc/json.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

constexpr std::size_t kTold = 500;          // bytes of what it said, in an error
constexpr std::size_t kLongestText = 4096;  // of a variable
constexpr base::Millis kGrace{1000};        // TERM to KILL

// A file in memory: neither side can be held up by the other, as with a pipe.
class MemoryFile {
 public:
  explicit MemoryFile(const char* name) : file_(::memfd_create(name, MFD_CLOEXEC)) {}
  ~MemoryFile() {
    if (file_ >= 0) ::close(file_);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  int get() const { return file_; }
  bool fill(const std::string& text) const {
    return file_ >= 0 &&
           ::pwrite(file_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
  }
  std::string end() const {
    const off_t size = ::lseek(file_, 0, SEEK_END);
    const off_t from = std::max<off_t>(0, size - static_cast<off_t>(kTold));
    std::string text(kTold, '\0');
    const ssize_t got = ::pread(file_, text.data(), text.size(), from);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    for (char& c : text) {
      if (c == '\n') c = ' ';
    }
    return text;
  }

 private:
  int file_;
};

std::string text_of(const std::string& notice) {
  const auto document = rpc::Json::parse(notice, nullptr, false);
  if (!document.is_object() || !document.contains("text")) return "";
  return document["text"].get<std::string>().substr(0, kLongestText);
}

}  // namespace

NoticeCommand::NoticeCommand(std::string command, Environment environment, base::Millis limit)
    : command_(std::move(command)),
      environment_(std::move(environment)),
      limit_(limit),
      cut_(::eventfd(0, EFD_CLOEXEC)) {}

NoticeCommand::~NoticeCommand() { ::close(cut_); }

void NoticeCommand::cut() { ::eventfd_write(cut_, 1); }

Result<int> NoticeCommand::start(int input, int output, const std::string& notice) const {
  SpawnPlan plan;
  plan.connect(input, 0);
  plan.connect(output, 1);
  plan.connect(output, 2);
  std::vector<std::string> environment;
  for (const auto& [name, value] : environment_) environment.push_back(name + "=" + value);
  environment.push_back("MAHAVISHNU_NOTICE=" + text_of(notice));
  pid_t pid = 0;
  const int error = plan.run(pid, "/bin/sh", {"sh", "-c", command_}, std::move(environment));
  if (error == 0) return pid;
  return fail(ErrorCode::Unavailable,
              std::string("/bin/sh does not start: ") + std::strerror(error));
}

// Until it has ended, its time is up or it is cut; whatever of its session is left is ended then.
Status NoticeCommand::await(int pid) const {
  const auto process = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  pollfd look[2] = {{process, POLLIN, 0}, {cut_, POLLIN, 0}};
  ::poll(look, 2, static_cast<int>(limit_.count()));
  const bool ended = look[0].revents != 0;
  if (!ended) {
    ::kill(-pid, SIGTERM);
    ::poll(look, 1, static_cast<int>(kGrace.count()));
  }
  ::kill(-pid, SIGKILL);
  ::close(process);
  int status = 0;
  pid_t reaped = 0;
  do {
    reaped = ::waitpid(pid, &status, 0);
  } while (reaped < 0 && errno == EINTR);
  if (look[1].revents != 0 && !ended) return fail(ErrorCode::Cancelled, "it was cut off");
  if (!ended) {
    return fail(ErrorCode::Deadline,
                "it did not end within " + std::to_string(limit_.count()) + " ms");
  }
  if (reaped != pid) return fail(ErrorCode::Unavailable, "how it ended could not be seen");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(ErrorCode::Unavailable,
              WIFEXITED(status) ? "it exited with " + std::to_string(WEXITSTATUS(status))
                                : "signal " + std::to_string(WTERMSIG(status)) + " ended it");
}

Status NoticeCommand::carry(const std::string& notice) {
  pollfd look{cut_, POLLIN, 0};
  if (::poll(&look, 1, 0) > 0) return fail(ErrorCode::Cancelled, "it was cut off");
  const MemoryFile input("notice");
  const MemoryFile output("notice output");
  if (!input.fill(notice) || output.get() < 0) {
    return fail(ErrorCode::Unavailable, std::string("no memory for it: ") + std::strerror(errno));
  }
  const auto pid = start(input.get(), output.get(), notice);
  if (!pid) return fail(pid.error());
  Status outcome = await(*pid);
  if (outcome) return outcome;
  const std::string said = output.end();
  return fail(outcome.error().code,
              outcome.error().message + (said.empty() ? "" : " and said: " + said));
}

}  // namespace mahavishnu::app
