// The address of a Unix socket in an open folder, whatever the folder's path is.
//
// sun_path holds 108 bytes; /proc/self/fd/<folder>/<name> always fits. Plain value.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

namespace mahavishnu::workers {

class SocketPath {
 public:
  SocketPath(int folder, const std::string& name) {
    const std::string path = "/proc/self/fd/" + std::to_string(folder) + "/" + name;
    address_.sun_family = AF_UNIX;
    std::memcpy(address_.sun_path, path.c_str(),
                std::min(path.size(), sizeof address_.sun_path - 1));
  }
  const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t size() const { return sizeof address_; }

 private:
  sockaddr_un address_{};
};

}  // namespace mahavishnu::workers
