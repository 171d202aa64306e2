// Starts a server in the background: this binary anew, in a session of its own, so that it outlives
// the one who started it. Its words go to DATA/server.log. Any thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "app/data_directory.h"
#include "app/setup.h"

namespace mahavishnu::app {

class BackgroundServer {
 public:
  // With the settings of `setup`.
  static base::Result<BackgroundServer> start(const DataDirectory& directory, const Setup& setup);

  // It may have lost a race against another one: then that other one owns the directory.
  bool has_ended() const;
  // The end of what it said, or "".
  std::string last_words() const;

 private:
  BackgroundServer(int process, std::string log, std::int64_t begin)
      : process_(process), log_(std::move(log)), begin_(begin) {}

  pid_t process_;
  std::string log_;
  std::int64_t begin_;  // of its own part of the log
};

// The environment of a background server: what a server itself needs of this one, and the settings
// that came from variables and flags. Other variables are one client's and never reach it. Pure.
Environment server_environment(const Setup& setup);

}  // namespace mahavishnu::app
