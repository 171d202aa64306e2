// Runs a client verb's work with the tools of a server: the one that owns the data directory,
// through its Unix socket; or, when none does, one of its own in this process for as long as the
// work takes.
#pragma once

#include <functional>
#include <string>

#include "app/follow.h"
#include "app/hello.h"
#include "app/setup.h"
#include "app/tool_door.h"

namespace mahavishnu::app {

// The exit code of the verb.
using ClientWork = std::function<base::awaitable<int>(ToolDoor& tools, const Interrupt& interrupt)>;

// Blocks until the work is done. The first INT or TERM sets the interrupt, a second one ends at
// once.
int with_server(const Setup& setup, const ClientWork& work);
int with_tools(ToolDoor& tools, const ClientWork& work);

// The running server of a data directory through its socket, with what it said of itself.
class SocketClient {
 public:
  // Unavailable when nobody answers there within `limit`.
  static base::awaitable<base::Result<std::unique_ptr<SocketClient>>> connect(const Setup& setup,
                                                                              base::Millis limit);
  ~SocketClient();
  ToolDoor& tools();
  const Welcome& welcome() const;

 private:
  struct State;
  explicit SocketClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mahavishnu::app
