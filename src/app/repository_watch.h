// Keeps the repositories in force equal to their file: looks at it every second (time of change,
// inode, size) and reads it again when it changed.
//
// A broken edit keeps the old repositories and says why, in the log and in status(). The file is
// looked at and parsed on a thread of its own (a file system may hang), and what is out of use is
// freed there (100,000 repositories take 30 ms); `changed` is called on the control thread, to which
// everything else here belongs as well.
// Lifetime: stop() and await it before destruction.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/paths.h"
#include "app/repository_file.h"
#include "base/asio.h"
#include "base/result.h"
#include "base/task_group.h"
#include "base/time.h"

namespace mahavishnu::app {

class RepositoryWatch {
 public:
  using Changed = std::function<void(RepositoryIndexPtr)>;
  struct Options {
    std::string file;
    Environment environment;
    base::Millis every{1000};
  };
  RepositoryWatch(asio::any_io_executor control, Options options, Changed changed);
  ~RepositoryWatch();

  // What tells one version of the file from another; the default one means that there is none.
  struct Version {
    long long inode = -1, size = 0, seconds = 0, nanoseconds = 0;
    bool operator==(const Version&) const = default;
  };
  static Version version_of(const std::string& file);

  // `in_force`: what is served now. `read`: the version of the file it came from, taken before it
  // was read, so that no edit is missed.
  void start(RepositoryIndexPtr in_force, Version read);
  base::awaitable<void> stop();

  // Others than the file's are served now, because there is none.
  void served(std::size_t repositories) { status_.repositories = repositories; }

  struct Status {
    std::string file;
    std::string problem;  // "" : what is in force is what the file says
    std::size_t repositories = 0;
    base::WallTime loaded{};  // when the repositories in force were read
  };
  const Status& status() const { return status_; }

 private:
  struct Look {
    Version version;
    bool changed = false;
    base::Result<RepositoryIndexPtr> index;
  };
  static base::Result<RepositoryIndexPtr> read(const Options& options);
  static base::awaitable<Look> look(std::shared_ptr<const Options> options, Version known,
                                    std::vector<RepositoryIndexPtr> unused);
  std::vector<RepositoryIndexPtr> take_unused();
  base::awaitable<void> run();
  void take(Look look);

  std::shared_ptr<const Options> options_;
  Changed changed_;
  Status status_;
  Version version_;
  std::vector<RepositoryIndexPtr> indexes_;  // in force, or perhaps still looked at by a call
  asio::thread_pool files_{1};
  asio::steady_timer timer_;
  base::TaskGroup group_;
};

}  // namespace mahavishnu::app
