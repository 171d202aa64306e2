// Keeps the credentials in force equal to the tokens file, and keeps when each came in last.
//
// A file that cannot be used (broken, open to others, gone from under us by an error of the disk)
// leaves those read before in force and is told in the log and in status(); at the start there are
// none before, so then no named token is good. The times of use stand in a file beside it, written
// at most once a minute by `aside`, because that waits for the disk. Control thread only.
// Lifetime: stop() and await it before destruction; shorter than `access`.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "app/access.h"
#include "app/file_watch.h"
#include "base/asio.h"
#include "base/task_group.h"

namespace mahavishnu::app {

class TokenWatch {
 public:
  // Runs its argument on another thread.
  using Aside = std::function<void(std::function<void()>)>;

  TokenWatch(asio::any_io_executor control, std::string file, Access& access, Aside aside);
  ~TokenWatch();

  void start();
  base::awaitable<void> stop();

  struct Status {
    std::size_t tokens = 0;
    std::string problem;  // "" : what is in force is what the file says
  };
  const Status& status() const { return status_; }

 private:
  void read();
  void keep_used();
  base::awaitable<void> keep_in_time();

  std::string file_;
  Access& access_;
  Aside aside_;
  Status status_;
  std::map<std::string, base::WallTime> kept_;
  FileWatch watch_;
  asio::steady_timer timer_;
  base::TaskGroup group_;
};

// When each named token came in last, by name, as far as it was kept; to the minute.
using TokenUse = std::map<std::string, base::WallTime>;
TokenUse read_token_use(const std::string& tokens_file);
base::Status write_token_use(const std::string& tokens_file, const TokenUse& used);

}  // namespace mahavishnu::app
