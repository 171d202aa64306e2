#include "app/file_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/log.h"

namespace mahavishnu::app {
namespace {

constexpr std::uint32_t kChanges =
    IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB;
constexpr base::Millis kLookEvery{1000};

}  // namespace

FileWatch::FileWatch(asio::any_io_executor executor, std::string file,
                     std::function<void()> changed)
    : file_(std::move(file)),
      folder_(file_.substr(0, file_.rfind('/'))),
      name_(file_.substr(file_.rfind('/') + 1)),
      changed_(std::move(changed)),
      events_(executor),
      timer_(executor),
      group_(executor, "file watch") {}

FileWatch::~FileWatch() = default;

void FileWatch::start() {
  const int events = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (events >= 0 && ::inotify_add_watch(events, folder_.c_str(), kChanges) >= 0) {
    events_.assign(events);
    group_.spawn(follow());
    return;
  }
  base::log()->warn("changes of {} are noticed within a second, not at once: {}", file_,
                    std::strerror(errno));
  if (events >= 0) ::close(events);
  group_.spawn(look());
}

base::awaitable<void> FileWatch::stop() {
  group_.cancel();
  asio::error_code ignored;
  if (events_.is_open()) events_.cancel(ignored);
  timer_.cancel();
  co_await group_.join();
}

// A queue that ran over may have lost what was meant for us.
bool FileWatch::concerns_us(const char* events, std::size_t size) const {
  for (std::size_t at = 0; at + sizeof(inotify_event) <= size;) {
    inotify_event event;
    std::memcpy(&event, events + at, sizeof event);
    const char* name = events + at + sizeof event;
    if ((event.mask & IN_Q_OVERFLOW) != 0) return true;
    if (event.len > 0 && name_ == name) return true;
    at += sizeof event + event.len;
  }
  return false;
}

base::awaitable<void> FileWatch::follow() {
  while (true) {
    const auto [error] =
        co_await events_.async_wait(asio::posix::stream_descriptor::wait_read, base::as_result);
    if (error || group_.cancelled()) co_return;
    alignas(inotify_event) std::array<char, 4096> buffer;
    bool ours = false;
    for (ssize_t got = 1; got > 0;) {
      got = ::read(events_.native_handle(), buffer.data(), buffer.size());
      if (got > 0) ours = concerns_us(buffer.data(), static_cast<std::size_t>(got)) || ours;
    }
    if (ours) changed_();
  }
}

base::awaitable<void> FileWatch::look() {
  while (true) {
    timer_.expires_after(kLookEvery);
    const auto [error] = co_await timer_.async_wait(base::as_result);
    if (error || group_.cancelled()) co_return;
    changed_();
  }
}

}  // namespace mahavishnu::app
