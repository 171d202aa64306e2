// Bytes between the server, the zygote and the shims: numbers, texts and length-prefixed frames.
//
// Not JSON: output is raw bytes, and a shim has to stay small. Both ends run on one machine, so
// numbers go in its own byte order. Plain values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mahavishnu::workers {

class Writer {
 public:
  Writer& number(std::uint64_t value);
  Writer& text(std::string_view value);
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Reads what a Writer wrote. Past the end everything is 0 or empty and good() is false for good.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  std::uint64_t number();
  std::string text();
  bool at_end() const { return rest_.empty(); }
  bool good() const { return good_; }

 private:
  std::string_view rest_;
  bool good_ = true;
};

// What a frame holds. The numbers are on the wire and in attempt files: never reuse one.
enum class Kind : std::uint8_t {
  Order = 1,     // server → shim
  Stop = 2,      // server → shim
  Read = 3,      // server → shim
  Started = 16,  // shim → server
  Grew = 17,     // shim → server
  Ended = 18,    // shim → server, and the end record
  Slice = 19,    // shim → server: the answer to Read
  Refused = 20,  // zygote → server: no shim could be forked
  Stays = 21,    // shim → server, just before Ended: it takes another order
  Waits = 22,    // shim → server: it is up, and no order was there for it
  Header = 32,   // first frame of an attempt file
};

struct Frame {
  Kind kind{};
  std::string body;
};

std::string encode(Kind kind, std::string_view body);

// Whole frames out of a stream of bytes. A frame above 64 MiB is a broken stream (see broken()).
class FrameBuffer {
 public:
  void add(std::string_view bytes) { bytes_.append(bytes); }
  std::optional<Frame> next();
  bool broken() const { return broken_; }

 private:
  std::string bytes_;
  std::size_t taken_ = 0;
  bool broken_ = false;
};

}  // namespace mahavishnu::workers
