#include "journal/ballast.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <utility>

namespace mahavishnu::journal {
namespace {
constexpr std::uint64_t kRoom = 1U << 20U;
}

Ballast::Ballast(std::filesystem::path path, std::uint64_t bytes)
    : path_(std::move(path)), bytes_(bytes) {
  struct stat file {};
  const bool whole = ::stat(path_.c_str(), &file) == 0 &&
                     static_cast<std::uint64_t>(file.st_size) == bytes_ &&
                     static_cast<std::uint64_t>(file.st_blocks) * 512 >= bytes_;
  held_ = whole || bytes_ == 0;
  if (!held_) restore();
}

void Ballast::release() {
  held_ = false;
  const int fd = ::open(path_.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  if (fd >= 0) ::close(fd);
}

std::uint64_t Ballast::room() const {
  struct statvfs disk {};
  if (::statvfs(path_.parent_path().c_str(), &disk) != 0) return 0;
  return disk.f_bavail * disk.f_frsize;
}

bool Ballast::has_room() const { return room() >= kRoom; }

void Ballast::restore() {
  if (room() < bytes_ + bytes_ / 8) return;
  held_ = allocate();
}

bool Ballast::allocate() {
  const int fd = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  ::fchmod(fd, 0600);
  const bool made = ::ftruncate(fd, 0) == 0 &&
                    (bytes_ == 0 || ::posix_fallocate(fd, 0, static_cast<off_t>(bytes_)) == 0);
  // Half a ballast would only take room away.
  if (!made && ::ftruncate(fd, 0) != 0) ::unlink(path_.c_str());
  ::close(fd);
  return made;
}

}  // namespace mahavishnu::journal
