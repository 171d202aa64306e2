// A line takes two ways. The entrance, on the caller's thread, hands it to the follower and puts it
// into spdlog's own queue; a thread of spdlog's writes that to stderr and the file. One way through
// a single queue would be less, but then a stderr that nobody reads would hold up the follower.
#include "base/log.h"

#include <spdlog/async.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace mahavishnu::base {
namespace {

constexpr std::size_t kQueuedLines = 8192;
constexpr int kNice = 10;  // of the thread that writes: work goes first
constexpr const char* kPattern = "%Y-%m-%dT%H:%M:%S.%eZ %l %v";

// The beginning of a text that is too long, up to a whole character, and how long it was.
std::string cut(std::string_view text) {
  std::size_t end = kLongestLogLine;
  while (end > kLongestLogLine - 4 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U)
    --end;
  return std::string(text.substr(0, end)) + "… (" + std::to_string(text.size()) + " bytes)";
}

class Entrance final : public spdlog::sinks::sink {
 public:
  explicit Entrance(std::shared_ptr<spdlog::async_logger> queue) : queue_(std::move(queue)) {}

  void follow(LogFollower* follower) {
    const std::lock_guard lock(mutex_);
    follower_ = follower;
  }

  void log(const spdlog::details::log_msg& message) override {
    const std::string_view whole(message.payload.data(), message.payload.size());
    if (whole.size() <= kLongestLogLine) return pass(message, whole);
    pass(message, cut(whole));
  }
  void flush() override { queue_->flush(); }
  void set_pattern(const std::string&) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

 private:
  void pass(const spdlog::details::log_msg& message, std::string_view text) {
    {
      const std::lock_guard lock(mutex_);
      if (follower_ != nullptr) {
        follower_->line({std::chrono::time_point_cast<Millis>(message.time), message.level, text});
      }
    }
    queue_->log(message.time, message.source, message.level, {text.data(), text.size()});
  }

  std::shared_ptr<spdlog::async_logger> queue_;
  std::mutex mutex_;
  LogFollower* follower_ = nullptr;
};

struct Log {
  std::shared_ptr<spdlog::details::thread_pool> writer;
  std::shared_ptr<Entrance> entrance;
  std::shared_ptr<spdlog::logger> logger;
};

std::shared_ptr<spdlog::logger> make_early_logger() {
  auto logger =
      std::make_shared<spdlog::logger>("early", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern(kPattern, spdlog::pattern_time_type::utc);
  logger->set_level(spdlog::level::warn);
  return logger;
}

// Both live for the whole process: a coroutine may log while statics are torn down.
std::shared_ptr<spdlog::logger>& early() {
  static auto* logger = new std::shared_ptr<spdlog::logger>(make_early_logger());
  return *logger;
}

Log& started() {
  static auto* log = new Log();
  return *log;
}

std::atomic<spdlog::logger*> current{nullptr};

// The library throws when the file cannot be opened.
Result<spdlog::sink_ptr> open_file(const LogOptions& options) {
  spdlog::file_event_handlers handlers;
  handlers.after_open = [](const spdlog::filename_t&, std::FILE* file) {
    ::fchmod(::fileno(file), S_IRUSR | S_IWUSR);
  };
  try {
    return std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
        options.file, options.file_bytes, options.file_count - 1, false, handlers);
  } catch (const spdlog::spdlog_ex& problem) {
    return fail(ErrorCode::Unavailable, "log.file: " + std::string(problem.what()) +
                                            "; name a file in a folder that is there");
  }
}

}  // namespace

spdlog::logger* log() {
  spdlog::logger* logger = current.load(std::memory_order_acquire);
  return logger != nullptr ? logger : early().get();
}

Status start_log(const LogOptions& options) {
  const auto level = spdlog::level::from_str(options.level);
  if (level == spdlog::level::off && options.level != "off") {
    return fail(
        ErrorCode::InvalidArgument,
        "log level \"" + options.level + "\" is not one of trace, debug, info, warn, error, off");
  }
  std::vector<spdlog::sink_ptr> sinks{std::make_shared<spdlog::sinks::stderr_sink_mt>()};
  if (!options.file.empty()) {
    auto file = open_file(options);
    if (!file) return fail(std::move(file.error()));
    sinks.push_back(std::move(*file));
  }
  Log& log = started();
  log.writer = std::make_shared<spdlog::details::thread_pool>(
      kQueuedLines, 1, [] { ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice); });
  auto queue =
      std::make_shared<spdlog::async_logger>("queue", sinks.begin(), sinks.end(), log.writer,
                                             spdlog::async_overflow_policy::overrun_oldest);
  queue->set_pattern(kPattern, spdlog::pattern_time_type::utc);
  queue->set_level(spdlog::level::trace);  // what is too low does not come this far
  queue->flush_on(spdlog::level::trace);   // by its thread: a file that is followed shows all
  log.entrance = std::make_shared<Entrance>(std::move(queue));
  log.logger = std::make_shared<spdlog::logger>("mahavishnu", log.entrance);
  log.logger->set_level(level);
  current.store(log.logger.get(), std::memory_order_release);
  return {};
}

void stop_log() {
  Log& log = started();
  if (!log.logger) return;
  early()->set_level(log.logger->level());
  current.store(nullptr, std::memory_order_release);
  log.logger.reset();
  log.writer.reset();    // joins the writer after it emptied its queue,
  log.entrance.reset();  // and only then what it wrote to goes
}

void follow_log(LogFollower* follower) {
  if (started().entrance) started().entrance->follow(follower);
}

std::uint64_t log_lines_dropped() {
  return started().writer ? started().writer->overrun_counter() : 0;
}

}  // namespace mahavishnu::base
