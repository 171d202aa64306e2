#include "workers/output_keeping.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "workers/run_dir.h"

namespace mahavishnu::workers {
namespace {

struct Kept {
  base::WallTime written;
  std::uint64_t bytes = 0;
  std::string path;
};

// The fence in a mark "<task>.<attempt>.<fence>", or "" when it is none.
std::string fence_of(const std::string& mark) {
  const auto dot = mark.rfind('.');
  if (dot == std::string::npos) return "";
  std::string fence = mark.substr(dot + 1);
  const bool good = fence.find('-') != std::string::npos &&
                    fence.find_first_not_of("0123456789-") == std::string::npos;
  return good ? fence : "";
}

bool is_ended(const std::string& run_dir, const std::string& fence) {
  return ::access((attempts_dir(run_dir) + "/" + fence).c_str(), F_OK) != 0 && errno == ENOENT;
}

std::vector<Kept> of_ended_attempts(const std::string& run_dir) {
  std::vector<Kept> all;
  std::error_code error;
  std::filesystem::directory_iterator entry(output_dir(run_dir), error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string fence = fence_of(entry->path().filename().string());
    struct stat status {};
    if (fence.empty() || ::lstat(entry->path().c_str(), &status) != 0 || !S_ISREG(status.st_mode) ||
        !is_ended(run_dir, fence)) {
      continue;
    }
    const auto since = std::chrono::seconds(status.st_mtim.tv_sec) +
                       std::chrono::nanoseconds(status.st_mtim.tv_nsec);
    all.push_back({base::WallTime(std::chrono::duration_cast<base::Millis>(since)),
                   static_cast<std::uint64_t>(status.st_size), entry->path().string()});
  }
  return all;
}

}  // namespace

Swept sweep_output(const std::string& run_dir, const OutputKeeping& keeping, base::WallTime now) {
  std::vector<Kept> all = of_ended_attempts(run_dir);
  std::sort(all.begin(), all.end(),
            [](const Kept& a, const Kept& b) { return a.written < b.written; });
  std::uint64_t left = 0;
  for (const Kept& each : all) left += each.bytes;
  Swept swept;
  for (const Kept& each : all) {
    if (now - each.written <= keeping.keep && left <= keeping.max_bytes) break;
    if (swept.files + swept.failed == kSweptAtOnce) {
      swept.more = true;
      break;
    }
    if (::unlink(each.path.c_str()) != 0 && errno != ENOENT) {
      ++swept.failed;
      continue;
    }
    ++swept.files;
    swept.bytes += each.bytes;
    left -= each.bytes;
  }
  return swept;
}

}  // namespace mahavishnu::workers
