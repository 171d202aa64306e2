// The addresses of one host, looked up when they are needed and kept for a while.
//
// The name service has no limit of its own that one could rely on: a look-up that hangs cannot be
// ended. So each runs on a thread of its own that nobody joins, one at a time; whoever waits gives
// up at his own deadline, and those who come after wait for the same look-up. Any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace mahavishnu::net {

class HostLookup {
 public:
  explicit HostLookup(std::string host);

  // At least one address, as a number. Unavailable: there is none, or the name service did not say
  // in time.
  base::Result<std::vector<std::string>> addresses(base::MonoTime until);
  // The next call asks the name service again.
  void forget();

 private:
  struct State;  // shared with the thread that looks up
  std::shared_ptr<State> state_;
};

}  // namespace mahavishnu::net
