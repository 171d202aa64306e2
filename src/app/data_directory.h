// The server's data directory: made 0700, owned by one server at a time, and where its files are.
//
//   lock               who owns it (an open-file-description lock; pid, start and version inside)
//   token              the first HTTP token, 0600
//   tokens.json        the named ones (token_file.h), 0600; beside it their lock and times of use
//   handles.key        signs what clients carry: handles of tasks, states of rounds; 0600
//   mahavishnu.sock    the local door, 0600 (elsewhere when the path is too long for a socket)
//   server.log         what a server in the background said
//   journal.db, …      the system of record
//   run/               the running attempts: shims, their sockets and spool files
//
// The lock is one of fcntl's OFD locks: the kernel drops it when its owner dies however it dies,
// and it can be probed without taking it. Lifetime: holding the object is holding the lock.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "app/paths.h"
#include "base/result.h"

namespace mahavishnu::app {

class DataDirectory {
 public:
  // What the owner wrote into the lock file.
  struct Owner {
    pid_t pid = 0;
    std::string started;  // RFC 3339
    std::string version;
  };

  // Makes the folder if it is missing. Denied when it belongs to someone else or others may enter
  // it.
  static base::Result<DataDirectory> prepare(const std::string& path,
                                             const Environment& environment);

  // Becomes the owner. Conflict names the pid of the server that is.
  base::Status lock();
  // nullopt: no server owns it.
  static std::optional<Owner> owner(const std::string& path);

  const std::string& path() const { return path_; }
  std::string lock_file() const { return path_ + "/lock"; }
  std::string token_file() const { return path_ + "/token"; }
  std::string handles_key() const { return path_ + "/handles.key"; }
  std::string log_file() const { return path_ + "/server.log"; }
  std::string run_folder() const { return path_ + "/run"; }
  // Where the server of this directory listens.
  const std::string& socket() const { return socket_; }

  ~DataDirectory();
  DataDirectory(DataDirectory&& other) noexcept;
  DataDirectory& operator=(DataDirectory&&) = delete;

 private:
  DataDirectory(std::string path, std::string socket)
      : path_(std::move(path)), socket_(std::move(socket)) {}

  std::string path_;
  std::string socket_;
  int lock_ = -1;
};

// DATA/mahavishnu.sock, or, when that is too long for a socket address (107 bytes), a file of
// $XDG_RUNTIME_DIR/mahavishnu or /tmp/mahavishnu-UID named by a hash of DATA. Pure.
std::string socket_path(const std::string& data, const Environment& environment);

// Makes a folder only its owner may enter, with its parents. Denied when it is someone else's.
base::Status make_private_folder(const std::string& path);

}  // namespace mahavishnu::app
