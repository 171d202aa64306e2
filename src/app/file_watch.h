// Tells when a file was changed, replaced, made or taken away: at once, without looking again and
// again.
//
// For files of our own data directory. repos.yaml may lie anywhere, behind a link or on a file
// system that tells nothing: RepositoryWatch looks at it instead. It follows the file's folder by
// inotify, so that a file which is replaced is followed as well, and one that is not there yet.
// Where the system has no more room for that, it looks every second. `changed` is called on the
// executor and may be called when nothing changed, never the other way round: what it reads then is
// what is there. One executor. Lifetime: stop() and await it first.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>

#include "base/asio.h"
#include "base/task_group.h"
#include "base/time.h"

namespace mahavishnu::app {

class FileWatch {
 public:
  FileWatch(asio::any_io_executor executor, std::string file, std::function<void()> changed);
  ~FileWatch();

  void start();
  base::awaitable<void> stop();

 private:
  base::awaitable<void> follow();
  base::awaitable<void> look();
  bool concerns_us(const char* events, std::size_t size) const;

  std::string file_;
  std::string folder_;
  std::string name_;
  std::function<void()> changed_;
  asio::posix::stream_descriptor events_;
  asio::steady_timer timer_;
  base::TaskGroup group_;
};

}  // namespace mahavishnu::app
