// Finds the server that owns a data directory, or starts one in the background, and says hello.
//
// Two that start one at the same instant are settled by the directory's lock: both end up at the
// one that took it. A background server that is older than this program and idle is asked to make
// room first. One executor.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/hello.h"
#include "app/server_start.h"
#include "app/setup.h"
#include "base/asio.h"
#include "base/time.h"
#include "rpc/connection.h"

namespace mahavishnu::app {

struct Attached {
  std::unique_ptr<rpc::Connection> connection;
  Welcome welcome;
};

// Says hello to the server that listens on `socket`. Unavailable: nobody does, or it went away.
base::awaitable<base::Result<Attached>> say_hello(std::string socket, Hello hello);

class Attachment {
 public:
  struct Options {
    bool may_start = true;      // false: only what is there already
    base::Millis limit{30000};  // for one that starts, or that owns the directory and is silent
  };
  // `setup` must outlive it.
  Attachment(const Setup& setup, Hello hello, Options options)
      : setup_(setup), hello_(std::move(hello)), options_(options) {}

  // NotFound: there is none, and none may be started. Otherwise an Error says what it has tried and
  // what the server that did not come up said last.
  base::awaitable<base::Result<Attached>> attach();

 private:
  bool accept(const Welcome& welcome);
  base::Status start_if_none(const DataDirectory& directory);
  base::Error too_late(const std::string& last) const;
  void tell(const std::string& what);

  const Setup& setup_;
  Hello hello_;
  Options options_;
  std::optional<BackgroundServer> started_;
  int starts_ = 0;
  std::string told_;  // the last thing said to the user
};

}  // namespace mahavishnu::app
