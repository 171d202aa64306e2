// A shim's connection to its server: the one it was born with, or the one that adopts it.
//
// Once the server is gone it listens on a/<fence>.sock and takes whoever connects, one at a time.
// Nothing here waits except flush(). One thread.
#pragma once

#include <poll.h>

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "workers/descriptor.h"
#include "workers/messages.h"

namespace mahavishnu::workers {

class ServerLink {
 public:
  explicit ServerLink(Descriptor socket) : socket_(std::move(socket)) {}
  ~ServerLink();
  ServerLink(ServerLink&&) = default;

  // The next order, if it is there. What comes before it was meant for an attempt that has ended.
  std::optional<ShimOrder> take_order();

  // From now on a lost server is waited for at the attempt's socket.
  void listen_at(const std::string& run_dir, Fence fence);
  // No longer: the attempt is over, another order may come.
  void rest() { name_.clear(); }

  bool connected() const { return static_cast<bool>(socket_); }
  bool adopted() const { return adopted_; }  // by another server than the one it was born with
  void add_poll(pollfd& poll) const { poll = {socket_.get(), POLLIN, 0}; }
  // When the server was lost; set while it is.
  std::optional<base::MonoTime> alone_since() const { return alone_since_; }

  void add_polls(std::vector<pollfd>& polls) const;
  // What came in. `adopted` is set when a new server has connected.
  std::vector<Frame> take(const std::vector<pollfd>& polls, bool& adopted);
  // The same without a poll before it: what is there already.
  std::vector<Frame> take_now();

  void send(const std::string& frame);
  // Sends what is left, but waits no longer than this.
  void flush(base::Millis at_most);

 private:
  std::vector<Frame> receive();
  void push();
  void lost();
  void start_listening();
  bool accept_server();

  Descriptor socket_;
  Descriptor listener_;
  Descriptor folder_;  // of the attempts, for short socket paths
  std::string name_;
  FrameBuffer in_;
  std::string out_;
  std::optional<base::MonoTime> alone_since_;
  bool adopted_ = false;
};

}  // namespace mahavishnu::workers
