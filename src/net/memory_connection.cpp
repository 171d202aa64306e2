#include "net/memory_connection.h"

#include <deque>

#include "net/signal.h"

namespace mahavishnu::net {
namespace {

using base::ErrorCode;
using base::fail;

// One direction. Shared by both halves, so that either may go first.
struct Pipe {
  Pipe(asio::any_io_executor executor, std::size_t max) : max_bytes(max), changed(executor) {}

  bool full() const { return bytes >= max_bytes; }
  std::string take() {
    std::string text = std::move(texts.front());
    texts.pop_front();
    bytes -= text.size();
    changed.notify();
    return text;
  }

  std::deque<std::string> texts;
  std::size_t bytes = 0;
  std::size_t max_bytes;
  bool writer_closed = false;
  bool reader_closed = false;
  Signal changed;
};

class MemoryConnection final : public rpc::Connection {
 public:
  MemoryConnection(std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out)
      : in_(std::move(in)), out_(std::move(out)) {}
  ~MemoryConnection() override { MemoryConnection::close(); }

  base::awaitable<base::Result<std::optional<std::string>>> read() override {
    return read_from(in_);
  }
  base::awaitable<base::Status> write(std::string text) override {
    return write_to(out_, std::move(text));
  }

  void close() override {
    in_->reader_closed = true;
    in_->texts.clear();
    in_->bytes = 0;
    out_->writer_closed = true;
    in_->changed.notify();
    out_->changed.notify();
  }

  std::string name() const override { return "memory"; }

 private:
  static base::awaitable<base::Result<std::optional<std::string>>> read_from(
      std::shared_ptr<Pipe> pipe) {
    bool waiting = true;
    while (waiting && pipe->texts.empty() && !pipe->writer_closed && !pipe->reader_closed) {
      waiting = co_await pipe->changed.wait();
    }
    if (!waiting || pipe->reader_closed) {
      co_return fail(ErrorCode::Cancelled, "the connection was closed while reading");
    }
    std::optional<std::string> text;
    if (!pipe->texts.empty()) text = pipe->take();
    co_return text;
  }

  static base::awaitable<base::Status> write_to(std::shared_ptr<Pipe> pipe, std::string text) {
    bool waiting = true;
    while (waiting && pipe->full() && !pipe->writer_closed && !pipe->reader_closed) {
      waiting = co_await pipe->changed.wait();
    }
    if (!waiting || pipe->writer_closed) {
      co_return fail(ErrorCode::Cancelled, "the connection was closed while writing");
    }
    if (pipe->reader_closed) co_return fail(ErrorCode::Unavailable, "the peer has gone");
    pipe->bytes += text.size();
    pipe->texts.push_back(std::move(text));
    pipe->changed.notify();
    co_return base::Status{};
  }

  std::shared_ptr<Pipe> in_;
  std::shared_ptr<Pipe> out_;
};

}  // namespace

std::pair<std::unique_ptr<rpc::Connection>, std::unique_ptr<rpc::Connection>> memory_pair(
    asio::any_io_executor executor, std::size_t max_queued_bytes) {
  auto there = std::make_shared<Pipe>(executor, max_queued_bytes);
  auto back = std::make_shared<Pipe>(executor, max_queued_bytes);
  return {std::make_unique<MemoryConnection>(back, there),
          std::make_unique<MemoryConnection>(there, back)};
}

}  // namespace mahavishnu::net
