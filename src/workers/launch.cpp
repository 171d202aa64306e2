#include "workers/launch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <sstream>
#include <string_view>

#include "workers/report.h"

namespace mahavishnu::workers {
namespace {

using base::ErrorCode;
using base::fail;

constexpr const char* kDefaultPath = "/usr/local/bin:/usr/bin:/bin";

// The PATH the process will have, not ours.
std::string search_path(const LaunchPlan& plan) {
  for (const auto& entry : plan.env) {
    if (entry.starts_with("PATH=")) return entry.substr(5);
  }
  return "";
}

bool runnable(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (const auto& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

// All the child needs, ready before vfork: it may only make system calls.
struct Prepared {
  const LaunchPlan& plan;
  const char* program;
  char* const* argv;
  char* const* script_argv;  // for a text without "#!": /bin/sh runs it
  char* const* env;
  bool entered = true;
  int error = 0;
};

void limit(int what, std::uint64_t soft, std::uint64_t hard) {
  const rlimit values{static_cast<rlim_t>(soft), static_cast<rlim_t>(hard)};
  ::setrlimit(static_cast<__rlimit_resource_t>(what), &values);
}

[[noreturn]] void become(Prepared& child) {
  const LaunchPlan& plan = child.plan;
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a shim that is killed takes the command along
  ::dup2(plan.in, 0);
  ::dup2(plan.out, 1);
  ::dup2(plan.err, 2);
  for (const int entry : plan.cgroup_entries) {
    child.entered = ::write(entry, "0", 1) == 1 && child.entered;
  }
  // Last of the descriptors: another one may have had this number.
  if (plan.report == kReportDescriptor) ::fcntl(plan.report, F_SETFD, 0);
  if (plan.report >= 0) ::dup2(plan.report, kReportDescriptor);
  if (plan.cpu_seconds > 0) limit(RLIMIT_CPU, plan.cpu_seconds, plan.cpu_seconds + 1);
  if (plan.address_space > 0) limit(RLIMIT_AS, plan.address_space, plan.address_space);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  ::sigaction(SIGPIPE, &standard, nullptr);
  ::sigaction(SIGHUP, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(child.program, child.argv, child.env);
  if (errno == ENOEXEC) ::execve("/bin/sh", child.script_argv, child.env);
  child.error = errno;
  ::_exit(127);
}

__attribute__((noinline)) pid_t vfork_into(Prepared& child) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  const pid_t pid = ::vfork();
#pragma GCC diagnostic pop
  if (pid == 0) become(child);
  return pid;
}

}  // namespace

base::Result<std::string> find_program(const std::string& name, const std::string& path) {
  if (name.find('/') != std::string::npos) return name;
  const std::string searched = path.empty() ? kDefaultPath : path;
  std::istringstream dirs(searched);
  for (std::string dir; !name.empty() && std::getline(dirs, dir, ':');) {
    const std::string program = (dir.empty() ? "." : dir) + "/" + name;
    if (runnable(program)) return program;
  }
  return fail(ErrorCode::NotFound,
              "command not found: \"" + name + "\" (searched PATH " + searched + ")");
}

base::Result<Launched> launch(const LaunchPlan& plan) {
  auto program = find_program(plan.argv.front(), search_path(plan));
  if (!program) return fail(program.error());
  const auto argv = pointers(plan.argv);
  const auto env = pointers(plan.env);
  std::string shell = "/bin/sh";
  std::vector<char*> script_argv{shell.data(), program->data()};
  script_argv.insert(script_argv.end(), argv.begin() + 1, argv.end());

  Prepared child{plan, program->c_str(), argv.data(), script_argv.data(), env.data()};
  const pid_t pid = vfork_into(child);
  if (pid < 0) {
    return fail(ErrorCode::Unavailable,
                std::string("cannot start a process: ") + std::strerror(errno));
  }
  if (child.error == 0) return Launched{pid, child.entered};
  ::waitpid(pid, nullptr, 0);
  const std::string what = "\"" + plan.argv.front() + "\"";
  if (child.error == ENOENT) {
    return fail(ErrorCode::NotFound,
                "command not found: " + what + " (the file, or the interpreter it names)");
  }
  return fail(ErrorCode::Denied, "cannot run " + what + ": " + std::strerror(child.error));
}

}  // namespace mahavishnu::workers
