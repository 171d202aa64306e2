// The messages in a stream of server-sent events (HTML, section 9.2), one JSON document an event.
//
// Knows nothing of HTTP nor of MCP; free of Asio, so that it can be fuzzed. One thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/json.h"

namespace mahavishnu::outbound {

// The messages of a body of events, as far as it is whole: feed it as it grows.
class EventReader {
 public:
  // `body` begins with what came before. With `last` the event at its end need not be closed.
  std::vector<rpc::Json> take(std::string_view body, bool last = false);

 private:
  void take_line(std::string_view line, std::vector<rpc::Json>& messages);

  std::size_t line_ = 0;      // where the first line begins that was not taken
  std::size_t searched_ = 0;  // it has no end before this
  bool after_cr_ = false;     // an LF that comes next belongs to the end of the line before
  std::string data_;          // of the event that is not whole
};

}  // namespace mahavishnu::outbound
