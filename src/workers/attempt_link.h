// The server's end of a connection to one shim, which serves one attempt after the other.
//
// Frames go out in order, whatever the socket takes; what comes in is handed over frame by frame on
// the executor. `closed` comes once, when the shim is gone; nothing comes after close(). A shim
// that does not read is bounded by what is sent to it: an order, a stop, and bounded reads. Control
// thread only. Held by shared_ptr: pending waits keep it alive.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/asio.h"
#include "workers/descriptor.h"
#include "workers/messages.h"

namespace mahavishnu::workers {

class AttemptLink : public std::enable_shared_from_this<AttemptLink> {
 public:
  struct Events {
    std::function<void(Fence, const Frame&)> frame;
    std::function<void(Fence)> closed;
  };

  AttemptLink(asio::any_io_executor control, Descriptor socket, Fence fence, Events events);

  void open();
  bool is_open() const { return socket_.is_open(); }
  // Whose frames come from now on; of epoch 0: nobody's, the shim waits for an order.
  void serve(Fence fence) { fence_ = fence; }
  Fence served() const { return fence_; }
  void send(const std::string& frame);
  void close();

 private:
  void wait_read();
  void wait_write();
  void receive();
  void push();
  void lost();

  asio::posix::stream_descriptor socket_;
  Events events_;
  Fence fence_;
  FrameBuffer in_;
  std::string out_;
  bool writing_ = false;
};

}  // namespace mahavishnu::workers
