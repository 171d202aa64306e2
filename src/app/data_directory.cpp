#include "app/data_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <utility>

#include "base/sha256.h"
#include "base/time.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

constexpr std::size_t kLongestSocketPath = sizeof(sockaddr_un::sun_path) - 1;

std::string because() { return std::strerror(errno); }

struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

DataDirectory::Owner read_owner(int file) {
  std::string text(256, '\0');
  const ssize_t got = ::pread(file, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  DataDirectory::Owner owner;
  std::istringstream(text) >> owner.pid >> owner.started >> owner.version;
  return owner;
}

}  // namespace

Status make_private_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(ErrorCode::Unavailable, "cannot make the folder " + path + ": " + because());
  }
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) {
    return fail(ErrorCode::Unavailable, "cannot look at " + path + ": " + because());
  }
  if (!S_ISDIR(facts.st_mode)) return fail(ErrorCode::InvalidArgument, path + " is not a folder");
  if (facts.st_uid != ::geteuid()) {
    return fail(ErrorCode::Denied, path + " belongs to user " + std::to_string(facts.st_uid) +
                                       "; choose another with --data");
  }
  if ((facts.st_mode & 077U) != 0 && ::chmod(path.c_str(), 0700) != 0) {
    return fail(ErrorCode::Denied, path + " is open to others and cannot be closed: " + because());
  }
  return {};
}

std::string socket_path(const std::string& data, const Environment& environment) {
  const std::string usual = data + "/mahavishnu.sock";
  if (usual.size() <= kLongestSocketPath) return usual;
  const std::string file = "/" + base::sha256_hex(data).substr(0, 24) + ".sock";
  const std::string runtime = lookup(environment, "XDG_RUNTIME_DIR");
  const std::string in_runtime = runtime + "/mahavishnu" + file;
  if (runtime.starts_with('/') && in_runtime.size() <= kLongestSocketPath) return in_runtime;
  return "/tmp/mahavishnu-" + std::to_string(::getuid()) + file;
}

Result<DataDirectory> DataDirectory::prepare(const std::string& path,
                                             const Environment& environment) {
  DataDirectory directory(path, socket_path(path, environment));
  const std::string socket_folder =
      std::filesystem::path(directory.socket()).parent_path().string();
  for (const std::string& folder : {path, directory.run_folder(), socket_folder}) {
    if (auto made = make_private_folder(folder); !made) return fail(made.error());
  }
  return directory;
}

Status DataDirectory::lock() {
  const int file = ::open(lock_file().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0)
    return fail(ErrorCode::Unavailable, "cannot open " + lock_file() + ": " + because());
  struct flock request = whole_file();
  if (::fcntl(file, F_OFD_SETLK, &request) != 0) {
    const bool taken = errno == EAGAIN || errno == EACCES;
    const std::string reason = because();
    const Owner owner = read_owner(file);
    ::close(file);
    if (!taken) return fail(ErrorCode::Unavailable, "cannot lock " + lock_file() + ": " + reason);
    return fail(ErrorCode::Conflict,
                "the data directory " + path_ + " is in use by the server with pid " +
                    std::to_string(owner.pid) + " (version " + owner.version + ", since " +
                    owner.started +
                    "); stop it with `mahavishnu stop`, or choose another with --data");
  }
  const std::string text = std::to_string(::getpid()) + " " + base::to_rfc3339(base::wall_now()) +
                           " " + MAHAVISHNU_VERSION + "\n";
  if (::ftruncate(file, 0) != 0 ||
      ::pwrite(file, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    const std::string reason = because();
    ::close(file);
    return fail(ErrorCode::Unavailable, "cannot write " + lock_file() + ": " + reason);
  }
  lock_ = file;
  return {};
}

std::optional<DataDirectory::Owner> DataDirectory::owner(const std::string& path) {
  const int file = ::open((path + "/lock").c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  struct flock probe = whole_file();
  std::optional<Owner> found;
  if (::fcntl(file, F_OFD_GETLK, &probe) == 0 && probe.l_type != F_UNLCK) found = read_owner(file);
  ::close(file);
  return found;
}

DataDirectory::~DataDirectory() {
  if (lock_ >= 0) ::close(lock_);
}

DataDirectory::DataDirectory(DataDirectory&& other) noexcept
    : path_(std::move(other.path_)),
      socket_(std::move(other.socket_)),
      lock_(std::exchange(other.lock_, -1)) {}

}  // namespace mahavishnu::app
