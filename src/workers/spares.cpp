#include "workers/spares.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>

#include "workers/run_dir.h"
#include "workers/survivors.h"

namespace mahavishnu::workers {
namespace {

void remove_spare(const std::string& run_dir, const std::string& spare) {
  ::unlink(spare_path(run_dir, spare).c_str());
  std::error_code ignored;
  std::filesystem::remove_all(spare_scratch_path(run_dir, spare), ignored);
}

// Empty folders only: a shim empties its own, but one that was killed could not.
void keep_folder(const std::string& run_dir, Fence scratch, const std::string& spare) {
  const std::string path = scratch_path(run_dir, scratch);
  const Descriptor folder = open_folder(path);
  if (!folder || !is_empty_folder(folder.get())) return;
  ::rename(path.c_str(), spare_scratch_path(run_dir, spare).c_str());
}

}  // namespace

std::string clear_attempt(const std::string& run_dir, const Released& released, bool enough) {
  const std::string name = fence_name(released.fence);
  const std::string path = attempt_path(run_dir, released.fence);
  const std::string& given = released.given;
  const bool kept = !enough && ::rename(path.c_str(), spare_path(run_dir, name).c_str()) == 0;
  if (kept && !released.scratch) {
    ::unlink((path + ".sock").c_str());
    return name;
  }
  if (kept) keep_folder(run_dir, *released.scratch, name);
  remove_attempt(run_dir, released.fence);
  if (released.scratch) remove_scratch(run_dir, *released.scratch);
  if (kept) return name;
  // What the order was given is still there when nobody claimed the attempt.
  if (given.empty() || ::access(spare_path(run_dir, given).c_str(), F_OK) != 0) return "";
  if (!enough) return given;
  remove_spare(run_dir, given);
  return "";
}

std::vector<std::string> find_spares(const std::string& run_dir, std::size_t most) {
  std::vector<std::string> spares;
  std::vector<std::string> more;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(attempts_dir(run_dir), error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kSparePrefix) || name.ends_with(kScratchEnding)) continue;
    (spares.size() < most ? spares : more).push_back(name.substr(kSparePrefix.size()));
  }
  for (const auto& spare : more) remove_spare(run_dir, spare);
  return spares;
}

std::vector<std::string> make_spares(const std::string& run_dir, std::uint64_t first,
                                     std::size_t count) {
  std::vector<std::string> spares;
  for (std::uint64_t number = first; spares.size() < count; ++number) {
    std::string name = fence_name({0, number});
    const Descriptor file(
        ::open(spare_path(run_dir, name).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file) {
      spares.push_back(std::move(name));
    } else if (errno != EEXIST) {  // one of a former life
      break;
    }
  }
  return spares;
}

Descriptor open_spare(const std::string& run_dir, const std::string& spare,
                      const std::string& content) {
  if (spare.empty()) return {};
  const std::string path = spare_path(run_dir, spare);
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file && rewrite(file.get(), content)) return file;
  remove_spare(run_dir, spare);
  return {};
}

// Cut behind the new content, never to nothing: ext4 flushes a file that was.
bool rewrite(int file, const std::string& content) {
  const auto size = static_cast<ssize_t>(content.size());
  return ::flock(file, LOCK_EX | LOCK_NB) == 0 &&
         ::pwrite(file, content.data(), content.size(), 0) == size &&
         ::ftruncate(file, size) == 0 && ::lseek(file, size, SEEK_SET) == size;
}

Descriptor open_folder(const std::string& path) {
  return Descriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// Half the system calls of std::filesystem::is_empty, once an attempt.
bool is_empty_folder(int folder) {
  if (::lseek(folder, 0, SEEK_SET) != 0) return false;
  alignas(dirent64) char entries[1024];
  for (;;) {
    const ssize_t size = ::getdents64(folder, entries, sizeof entries);
    if (size <= 0) return size == 0;
    for (ssize_t at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const dirent64*>(entries + at);
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") return false;
      at += entry->d_reclen;
    }
  }
}

bool use_folder(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return false;
  struct stat status {};
  if (::lstat(to.c_str(), &status) != 0) return false;
  if (!S_ISDIR(status.st_mode)) {  // its last user put something else there
    ::unlink(to.c_str());
    return false;
  }
  // Its last user may have changed that.
  return (status.st_mode & 07777U) == 0700 || ::chmod(to.c_str(), 0700) == 0;
}

}  // namespace mahavishnu::workers
