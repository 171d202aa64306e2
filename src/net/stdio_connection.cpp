#include "net/stdio_connection.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace mahavishnu::net {
namespace {

using base::ErrorCode;
using base::fail;

struct Opened {
  int fd = -1;
  std::optional<int> flags_to_restore;
};

// A description of one's own. Regular files keep theirs: a new one would start at offset 0.
int reopen(int fd, int access) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return -1;
  if (!S_ISFIFO(status.st_mode) && ::isatty(fd) == 0) return -1;
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return ::open(path.c_str(), access | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

base::Result<Opened> open_end(int fd, int access, const char* role) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) {
    return fail(ErrorCode::InvalidArgument,
                std::string(role) + " (descriptor " + std::to_string(fd) + ") is not open");
  }
  Opened opened;
  opened.fd = reopen(fd, access);
  if (opened.fd >= 0) return opened;
  opened.fd = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  if (opened.fd < 0) {
    return fail(ErrorCode::Exhausted,
                std::string("duplicating ") + role + ": " + std::strerror(errno));
  }
  opened.flags_to_restore = flags;
  return opened;
}

}  // namespace

base::Result<std::unique_ptr<StreamConnection>> open_stdio(asio::any_io_executor executor, int in,
                                                           int out, StreamLimits limits) {
  // Both flags are read before either is changed: the two may be one description.
  auto input = open_end(in, O_RDONLY, "standard input");
  if (!input) return fail(std::move(input.error()));
  auto output = open_end(out, O_WRONLY, "standard output");
  if (!output) {
    ::close(input->fd);
    return fail(std::move(output.error()));
  }
  auto reading = std::make_shared<StreamEnd>(executor, input->fd, input->flags_to_restore);
  auto writing = std::make_shared<StreamEnd>(executor, output->fd, output->flags_to_restore);
  return std::make_unique<StreamConnection>(executor, "stdio", std::move(reading),
                                            std::move(writing), limits);
}

}  // namespace mahavishnu::net
