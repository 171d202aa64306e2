#include "workers/scratch.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "workers/run_dir.h"
#include "workers/spares.h"

namespace mahavishnu::workers {
namespace {

constexpr mode_t kPrivate = 0700;

void remove_all(const std::string& path) {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

}  // namespace

bool Scratch::open() {
  folder_ = open_folder(path_);
  if (!folder_) return false;
  ::flock(folder_.get(), LOCK_EX | LOCK_NB);
  return true;
}

// Whether its path still names the folder: its last user may have moved it away.
bool Scratch::is_there() const {
  struct stat held {};
  struct stat named {};
  return folder_ && ::fstat(folder_.get(), &held) == 0 && ::lstat(path_.c_str(), &named) == 0 &&
         held.st_ino == named.st_ino && held.st_dev == named.st_dev &&
         // Its last user may have changed that.
         ((held.st_mode & 07777U) == kPrivate || ::fchmod(folder_.get(), kPrivate) == 0);
}

bool Scratch::make(const std::string& spare) {
  if (!spare.empty() && use_folder(spare, path_) && open()) return true;
  if (::mkdir(path_.c_str(), kPrivate) == 0) return open();
  remove_all(path_);  // what somebody put there
  return ::mkdir(path_.c_str(), kPrivate) == 0 && open();
}

void Scratch::name(std::string path) {
  if (path_.empty()) path_ = std::move(path);
}

bool Scratch::enter(const std::string& spare) {
  return (is_there() || make(spare)) && ::fchdir(folder_.get()) == 0;
}

void Scratch::clear() {
  if (folder_ && !is_empty_folder(folder_.get())) remove();
}

void Scratch::remove() {
  folder_.reset();
  if (!path_.empty()) remove_all(path_);
}

void remove_left_scratch(const std::string& run_dir) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(attempts_dir(run_dir), error)) {
    const std::string path = entry.path().string();
    if (!path.ends_with(kScratchEnding)) continue;
    if (::access(path.substr(0, path.size() - kScratchEnding.size()).c_str(), F_OK) == 0) continue;
    const Descriptor folder = open_folder(path);
    if (folder && ::flock(folder.get(), LOCK_EX | LOCK_NB) == 0) remove_all(path);
  }
}

}  // namespace mahavishnu::workers
