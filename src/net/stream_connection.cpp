#include "net/stream_connection.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/time.h"
#include "net/line_framer.h"
#include "net/signal.h"

namespace mahavishnu::net {
namespace {

using base::ErrorCode;
using base::fail;
using ReadResult = base::Result<std::optional<std::string>>;

constexpr base::Millis kLinger{5000};                 // for what is queued when it is closed
constexpr std::size_t kKeptQueueBytes = 1024 * 1024;  // a larger queue is freed once it is empty

// epoll refuses regular files and devices without poll (EPERM); only epoll itself knows which.
bool epoll_takes(int fd) {
  const int probe = ::epoll_create1(EPOLL_CLOEXEC);
  if (probe < 0) return false;
  epoll_event event{};
  const bool taken = ::epoll_ctl(probe, EPOLL_CTL_ADD, fd, &event) == 0;
  ::close(probe);
  return taken;
}

template <class Call>
long without_interruption(Call call) {
  for (;;) {
    const ssize_t done = call();
    if (done >= 0) return done;
    if (errno != EINTR) return errno == EWOULDBLOCK ? -EAGAIN : -errno;
  }
}

}  // namespace

StreamEnd::StreamEnd(asio::any_io_executor executor, int fd, std::optional<int> flags_to_restore)
    : fd_(fd), flags_to_restore_(flags_to_restore) {
  struct stat status {};
  socket_ = ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
  if (!epoll_takes(fd)) return;
  waitable_.emplace(executor);
  asio::error_code error;
  waitable_->assign(fd, error);
  if (!error) waitable_->non_blocking(true, error);
  if (error) waitable_.reset();  // then EAGAIN is an error to the reader and the writer
}

StreamEnd::~StreamEnd() {
  if (waitable_) waitable_->release();
  if (flags_to_restore_) ::fcntl(fd_, F_SETFL, *flags_to_restore_);
  ::close(fd_);
}

long StreamEnd::read_some(char* to, std::size_t size) {
  return without_interruption([&] { return ::read(fd_, to, size); });
}

long StreamEnd::write_some(const char* from, std::size_t size) {
  return without_interruption(
      [&] { return socket_ ? ::send(fd_, from, size, MSG_NOSIGNAL) : ::write(fd_, from, size); });
}

class StreamConnection::State : public std::enable_shared_from_this<State> {
 public:
  State(asio::any_io_executor executor, std::string name, std::shared_ptr<StreamEnd> in,
        std::shared_ptr<StreamEnd> out, StreamLimits limits)
      : name_(std::move(name)),
        executor_(executor),
        in_(std::move(in)),
        out_(std::move(out)),
        limits_(limits),
        framer_(limits.max_message_bytes),
        flushed_(executor),
        linger_(executor) {}

  static base::awaitable<ReadResult> read(std::shared_ptr<State> self) {
    std::optional<ReadResult> result = self->next();
    while (!result) {
      const bool going_on = co_await refill(self);
      if (!going_on) self->cancelled_ = true;
      result = self->next();
    }
    co_return std::move(*result);
  }

  std::optional<ReadResult> read_ready() { return next(); }

  bool write_ready(std::string_view text) {
    if (queued() >= limits_.max_queued_bytes || !writable()) return false;
    enqueue(text);
    return true;
  }

  static base::awaitable<base::Status> write(std::shared_ptr<State> self, std::string text) {
    bool waiting = true;
    while (waiting && self->queued() >= self->limits_.max_queued_bytes && self->writable()) {
      waiting = co_await self->wait_flushed();
    }
    if (!waiting || self->closed_) {
      co_return fail(ErrorCode::Cancelled, self->name_ + " was closed while writing");
    }
    if (self->gone_)
      co_return fail(ErrorCode::Unavailable, "the peer of " + self->name_ + " has gone");
    self->enqueue(text);
    co_return base::Status{};
  }

  static base::awaitable<void> drain(std::shared_ptr<State> self) {
    bool waiting = true;
    while (waiting && self->queued() > 0 && !self->gone_) waiting = co_await self->wait_flushed();
  }

  void close() {
    if (closed_) return;
    closed_ = true;
    flush();
    if (!in_) return;
    cancel_waits(*in_);  // of the reader; a writer that shares the descriptor waits again
    start_linger();
  }

  const std::string& name() const { return name_; }

 private:
  // What `read` answers when that is known without waiting.
  std::optional<ReadResult> next() {
    if (cancelled_ || closed_) {
      cancelled_ = false;
      return fail(ErrorCode::Cancelled, name_ + " was closed while reading");
    }
    std::string_view line;
    switch (framer_.next(line)) {
      case LineFramer::Found::Line:
        return ReadResult(std::string(line));
      case LineFramer::Found::TooLong:
        return fail(ErrorCode::Exhausted, "a message is longer than the limit of " +
                                              std::to_string(framer_.max_line_bytes()) +
                                              " bytes and was skipped");
      case LineFramer::Found::Nothing:
        break;
    }
    if (read_error_ != 0) {
      return fail(ErrorCode::Unavailable, "reading " + name_ + ": " + std::strerror(read_error_));
    }
    if (ended_) return ReadResult(std::nullopt);
    return std::nullopt;
  }

  // Brings bytes, the end or an error; false when the reader was cancelled or the stream closed.
  static base::awaitable<bool> refill(std::shared_ptr<State> self) {
    const auto in = self->in_;
    const auto space = self->framer_.space();
    long got = in->read_some(space.data(), space.size());
    if (got == -EAGAIN && in->waitable() != nullptr) {
      const auto [waited] = co_await in->waitable()->async_wait(
          asio::posix::descriptor_base::wait_read, base::as_result);
      if (waited || self->closed_) co_return false;
      got = in->read_some(space.data(), space.size());
    } else if (got > 0) {
      // A peer that never pauses must not keep the executor to itself.
      co_await asio::post(self->executor_, base::use_awaitable);
      if (self->closed_) co_return false;
    }
    self->take(got);
    co_return true;
  }

  void take(long got) {
    if (got > 0) {
      framer_.received(static_cast<std::size_t>(got));
    } else if (got != -EAGAIN || in_->waitable() == nullptr) {
      framer_.finish();
      ended_ = true;
      read_error_ = static_cast<int>(-got);
    }
  }

  std::size_t queued() const { return queue_.size() - sent_; }
  bool writable() const { return !closed_ && !gone_; }

  void enqueue(std::string_view text) {
    queue_ += text;
    queue_ += '\n';
    if (flush_posted_ || waiting_writable_) return;
    flush_posted_ = true;
    asio::post(executor_, [self = shared_from_this()] {
      self->flush_posted_ = false;
      self->flush();
    });
  }

  void flush() {
    while (queued() > 0 && !waiting_writable_ && !gone_) {
      const long sent = out_->write_some(queue_.data() + sent_, queued());
      if (sent >= 0) {
        sent_ += static_cast<std::size_t>(sent);
      } else if (sent == -EAGAIN && out_->waitable() != nullptr) {
        wait_writable();
      } else {
        gone_ = true;
      }
    }
    if (queued() == 0 || gone_) {
      forget_queue();
      if (closed_) release();
    } else if (sent_ > kKeptQueueBytes) {
      queue_.erase(0, sent_);
      sent_ = 0;
    }
    if (flush_waiters_ > 0) flushed_.notify();
  }

  void wait_writable() {
    waiting_writable_ = true;
    out_->waitable()->async_wait(asio::posix::descriptor_base::wait_write,
                                 [self = shared_from_this()](asio::error_code error) {
                                   self->waiting_writable_ = false;
                                   const bool aborted = error == asio::error::operation_aborted;
                                   if (error && !aborted) self->gone_ = true;
                                   self->flush();
                                 });
  }

  void forget_queue() {
    queue_.clear();
    sent_ = 0;
    if (queue_.capacity() > kKeptQueueBytes) queue_.shrink_to_fit();
  }

  // What was written before close() still goes out, unless the peer will not have it.
  void start_linger() {
    linger_.expires_after(kLinger);
    linger_.async_wait([self = shared_from_this()](asio::error_code error) {
      if (error) return;
      self->gone_ = true;
      self->flush();
    });
  }

  static void cancel_waits(StreamEnd& end) {
    asio::error_code ignored;
    if (end.waitable() != nullptr) end.waitable()->cancel(ignored);
  }

  // The descriptors end with the last operation that still holds them.
  void release() {
    linger_.cancel();
    if (!in_) return;
    cancel_waits(*in_);
    cancel_waits(*out_);
    in_.reset();
    out_.reset();
  }

  base::awaitable<bool> wait_flushed() {
    ++flush_waiters_;
    const bool notified = co_await flushed_.wait();
    --flush_waiters_;
    co_return notified;
  }

  std::string name_;
  asio::any_io_executor executor_;
  std::shared_ptr<StreamEnd> in_;
  std::shared_ptr<StreamEnd> out_;
  StreamLimits limits_;

  LineFramer framer_;
  bool cancelled_ = false;  // one read was
  bool ended_ = false;
  int read_error_ = 0;

  std::string queue_;  // lines with their newlines; the first `sent_` bytes are out
  std::size_t sent_ = 0;
  Signal flushed_;
  int flush_waiters_ = 0;
  bool flush_posted_ = false;
  bool waiting_writable_ = false;
  asio::steady_timer linger_;

  bool closed_ = false;
  bool gone_ = false;  // the peer takes no more bytes
};

StreamConnection::StreamConnection(asio::any_io_executor executor, std::string name,
                                   std::shared_ptr<StreamEnd> in, std::shared_ptr<StreamEnd> out,
                                   StreamLimits limits)
    : state_(std::make_shared<State>(std::move(executor), std::move(name), std::move(in),
                                     std::move(out), limits)) {}

StreamConnection::~StreamConnection() { state_->close(); }

base::awaitable<ReadResult> StreamConnection::read() { return State::read(state_); }

base::awaitable<base::Status> StreamConnection::write(std::string text) {
  return State::write(state_, std::move(text));
}

std::optional<ReadResult> StreamConnection::read_ready() { return state_->read_ready(); }

bool StreamConnection::write_ready(std::string_view text) { return state_->write_ready(text); }

void StreamConnection::close() { state_->close(); }

std::string StreamConnection::name() const { return state_->name(); }

base::awaitable<void> StreamConnection::drain() { return State::drain(state_); }

}  // namespace mahavishnu::net
