#include "base/log.h"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <atomic>
#include <chrono>
#include <string>

namespace mahavishnu::base {
namespace {

constexpr std::size_t kQueuedLines = 8192;
constexpr const char* kPattern = "%Y-%m-%dT%H:%M:%S.%eZ %l %v";

std::shared_ptr<spdlog::logger> make_early_logger() {
  auto logger = std::make_shared<spdlog::logger>("early", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern(kPattern, spdlog::pattern_time_type::utc);
  logger->set_level(spdlog::level::warn);
  return logger;
}

// Both live for the whole process: a coroutine may log while statics are torn down.
std::shared_ptr<spdlog::logger>& early() {
  static auto* logger = new std::shared_ptr<spdlog::logger>(make_early_logger());
  return *logger;
}

std::shared_ptr<spdlog::logger>& started() {
  static auto* logger = new std::shared_ptr<spdlog::logger>();
  return *logger;
}

std::shared_ptr<spdlog::details::thread_pool>& writer() {
  static auto* pool = new std::shared_ptr<spdlog::details::thread_pool>();
  return *pool;
}

std::atomic<spdlog::logger*> current{nullptr};

}  // namespace

spdlog::logger* log() {
  spdlog::logger* logger = current.load(std::memory_order_acquire);
  return logger != nullptr ? logger : early().get();
}

Status start_log(std::string_view level) {
  const auto parsed = spdlog::level::from_str(std::string(level));
  if (parsed == spdlog::level::off && level != "off") {
    return fail(ErrorCode::InvalidArgument, "log level \"" + std::string(level) +
                                                "\" is not one of trace, debug, info, warn, error, off");
  }
  writer() = std::make_shared<spdlog::details::thread_pool>(kQueuedLines, 1);
  started() = std::make_shared<spdlog::async_logger>(
      "mahavishnu", std::make_shared<spdlog::sinks::stderr_sink_mt>(), writer(),
      spdlog::async_overflow_policy::overrun_oldest);
  started()->set_pattern(kPattern, spdlog::pattern_time_type::utc);
  started()->set_level(parsed);
  started()->flush_on(spdlog::level::warn);
  current.store(started().get(), std::memory_order_release);
  return {};
}

void stop_log() {
  if (!started()) return;
  early()->set_level(started()->level());
  current.store(nullptr, std::memory_order_release);
  started()->flush();
  started().reset();
  writer().reset();  // joins the writer after it emptied its queue
}

}  // namespace mahavishnu::base
