#include "workers/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <unordered_map>

namespace mahavishnu::workers {
namespace {

constexpr std::size_t kLongestEnvironment = 4U << 20U;
constexpr int kDeepest = 1000;

struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  std::string name;
  std::int64_t pages = 0;  // resident
};

std::string read_proc(pid_t pid, const char* what, std::size_t at_most) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + what;
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char chunk[4096];
  while (file && text.size() < at_most) {
    const ssize_t got = ::read(file.get(), chunk, sizeof chunk);
    if (got <= 0) break;
    text.append(chunk, static_cast<std::size_t>(got));
  }
  return text;
}

// "pid (name) state parent …"; the name may hold anything, parentheses too. The resident pages are
// the 24th field (proc(5)), 21 behind the state.
std::optional<Process> parse_stat(pid_t pid) {
  const std::string stat = read_proc(pid, "stat", 512);
  const auto open = stat.find('(');
  const auto close = stat.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close + 4 > stat.size()) {
    return std::nullopt;
  }
  const char state = stat[close + 2];
  if (state == 'Z' || state == 'X') return std::nullopt;
  const int parent = std::atoi(stat.c_str() + close + 4);
  std::size_t pages = close + 2;
  for (int field = 0; field < 21 && pages != std::string::npos; ++field) {
    pages = stat.find(' ', pages + 1);
  }
  return Process{pid, parent, stat.substr(open + 1, close - open - 1),
                 pages == std::string::npos ? 0 : std::atoll(stat.c_str() + pages)};
}

template <class Visit>
void each_pid(Visit visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  if (!proc) return;
  while (const dirent* entry = ::readdir(proc.get())) {
    const pid_t pid = std::atoi(entry->d_name);
    if (pid > 0) visit(pid);
  }
}

std::vector<Process> snapshot() {
  std::vector<Process> all;
  each_pid([&all](pid_t pid) {
    if (auto process = parse_stat(pid)) all.push_back(std::move(*process));
  });
  return all;
}

// Adds to `found` everything below what is in it, level by level.
void add_descendants(const std::vector<Process>& all, std::vector<pid_t>& found) {
  for (std::size_t next = 0; next < found.size(); ++next) {
    for (const auto& process : all) {
      const bool below = process.parent == found[next];
      if (below && std::find(found.begin(), found.end(), process.pid) == found.end()) {
        found.push_back(process.pid);
      }
    }
  }
}

std::vector<pid_t> leftovers(std::string_view mark, pid_t zygote) {
  std::vector<pid_t> found = processes_marked(mark);
  if (zygote <= 0) return found;
  const auto all = snapshot();
  for (const auto& process : all) {
    const bool orphan = process.parent == zygote && !process.name.starts_with("mahavishnu-");
    if (orphan) found.push_back(process.pid);
  }
  add_descendants(all, found);
  return found;
}

}  // namespace

base::Result<Descriptor> open_process(pid_t pid) {
  Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (process) return process;
  const auto code = errno == ESRCH ? base::ErrorCode::NotFound : base::ErrorCode::Unavailable;
  return base::fail(code, "process " + std::to_string(pid) + ": " + std::strerror(errno));
}

std::vector<pid_t> descendants_of(pid_t root) {
  std::vector<pid_t> found{root};
  add_descendants(snapshot(), found);
  found.erase(found.begin());
  return found;
}

std::vector<std::int64_t> resident_below(const std::vector<pid_t>& roots) {
  std::unordered_map<pid_t, std::size_t> place;
  for (std::size_t i = 0; i < roots.size(); ++i) {
    if (roots[i] > 0) place.emplace(roots[i], i);
  }
  const auto all = snapshot();
  std::unordered_map<pid_t, pid_t> parents;
  for (const auto& process : all) parents.emplace(process.pid, process.parent);
  std::vector<std::int64_t> bytes(roots.size(), 0);
  const std::int64_t page = ::sysconf(_SC_PAGESIZE);
  for (const auto& process : all) {
    // Upwards until a root. A snapshot is no instant: a circle in it must end, too.
    auto above = parents.find(process.pid);
    for (int level = 0; above != parents.end() && level < kDeepest; ++level) {
      const auto root = place.find(above->second);
      if (root != place.end()) {
        bytes[root->second] += process.pages * page;
        break;
      }
      above = parents.find(above->second);
    }
  }
  return bytes;
}

std::vector<pid_t> processes_marked(std::string_view mark) {
  const std::string wanted = "MAHAVISHNU_ATTEMPT=" + std::string(mark);
  std::vector<pid_t> found;
  each_pid([&](pid_t pid) {
    const std::string environment = read_proc(pid, "environ", kLongestEnvironment);
    for (std::size_t at = 0; at < environment.size();) {
      const char* entry = environment.c_str() + at;
      if (wanted == entry) {
        if (parse_stat(pid)) found.push_back(pid);
        return;
      }
      at += std::strlen(entry) + 1;
    }
  });
  return found;
}

int kill_leftovers(std::string_view mark, pid_t zygote, std::chrono::milliseconds at_most) {
  const auto until = std::chrono::steady_clock::now() + at_most;
  auto found = leftovers(mark, zygote);
  while (!found.empty() && std::chrono::steady_clock::now() < until) {
    for (const pid_t pid : found) ::kill(pid, SIGKILL);
    ::poll(nullptr, 0, 5);
    found = leftovers(mark, zygote);
  }
  return static_cast<int>(found.size());
}

}  // namespace mahavishnu::workers
