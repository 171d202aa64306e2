#include "app/tool_server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "workers/descriptor.h"
#include "workers/launch.h"
#include "workers/process_tree.h"

extern char** environ;

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::ErrorCode;
using base::fail;
using base::Millis;
using outbound::McpStream;
using outbound::Verdict;
using workers::Descriptor;
using Kind = Verdict::Kind;

// A first question that is not answered in this time is not understood; what it takes to start
// (a package that is fetched first) is in it.
constexpr Millis kProbeLimit{10'000};
constexpr Millis kMoment{1000};  // from the end of its stdin to TERM, and from there to KILL
constexpr std::size_t kMostMessage = 32U << 20U;

base::Result<std::pair<Descriptor, Descriptor>> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return fail(ErrorCode::Unavailable, std::string("no pipe: ") + std::strerror(errno));
  }
  return std::pair(Descriptor(ends[0]), Descriptor(ends[1]));
}

std::vector<std::string> own_environment() {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) all.emplace_back(*entry);
  return all;
}

}  // namespace

struct ToolServer::Running {
  explicit Running(asio::any_io_executor executor) : ended(executor) {}

  pid_t pid = 0;
  std::optional<int> status;             // it has ended
  asio::posix::stream_descriptor ended;  // its pidfd
  std::unique_ptr<net::StreamConnection> connection;
  std::unique_ptr<McpStream> stream;
};

ToolServer::ToolServer(asio::any_io_executor executor, std::vector<std::string> command)
    : executor_(std::move(executor)), command_(std::move(command)) {}

ToolServer::~ToolServer() {
  if (running_ && !running_->status) ::kill(running_->pid, SIGKILL);
}

base::Status ToolServer::start() {
  auto in = make_pipe();
  if (!in) return fail(in.error());
  auto out = make_pipe();
  if (!out) return fail(out.error());
  workers::LaunchPlan plan;
  plan.argv = command_;
  plan.env = own_environment();
  plan.in = in->first.get();
  plan.out = out->second.get();
  plan.err = STDERR_FILENO;
  const auto launched = workers::launch(plan);
  if (!launched) return fail(launched.error());
  auto process = workers::open_process(launched->pid);
  if (!process) {
    ::kill(launched->pid, SIGKILL);
    ::waitpid(launched->pid, nullptr, 0);
    return fail(process.error());
  }
  auto running = std::make_unique<Running>(executor_);
  running->pid = launched->pid;
  running->ended.assign(process->release());
  for (const int end : {in->second.get(), out->first.get()}) ::fcntl(end, F_SETFL, O_NONBLOCK);
  net::StreamLimits limits;
  limits.max_message_bytes = kMostMessage;
  running->connection = std::make_unique<net::StreamConnection>(
      executor_, command_.front(),
      std::make_shared<net::StreamEnd>(executor_, out->first.release()),
      std::make_shared<net::StreamEnd>(executor_, in->second.release()), limits);
  running->stream = std::make_unique<McpStream>(executor_, *running->connection);
  running_ = std::move(running);
  return {};
}

awaitable<Verdict> ToolServer::connect() {
  if (auto started = start(); !started) {
    co_return Verdict{Kind::Trouble, started.error().message, {}, 0, started.error().code};
  }
  running_->stream->set_limit(kProbeLimit);
  Verdict verdict = co_await running_->stream->probe();
  running_->stream->set_limit(Millis(0));
  if (verdict.kind == Kind::Accepted || abandoned_) co_return verdict;
  if (verdict.code == ErrorCode::Unavailable || verdict.code == ErrorCode::Deadline) {
    co_await leave();
    if (auto started = start(); !started) {
      co_return Verdict{Kind::Trouble, started.error().message, {}, 0, started.error().code};
    }
    if (abandoned_) running_->stream->abandon();
  }
  verdict = co_await running_->stream->shake_hands();
  if (verdict.code != ErrorCode::Unavailable) co_return verdict;
  const bool gone = co_await gone_within(kMoment);
  if (gone) verdict.error += how_it_ended();
  co_return verdict;
}

awaitable<Verdict> ToolServer::request(std::string method, Json params, Json progress,
                                       Heard heard) {
  Verdict verdict = co_await running_->stream->request(std::move(method), std::move(params),
                                                       std::move(progress), std::move(heard));
  if (verdict.code != ErrorCode::Unavailable) co_return verdict;
  const bool gone = co_await gone_within(kMoment);
  if (gone) verdict.error += how_it_ended();
  co_return verdict;
}

awaitable<void> ToolServer::cancel(std::string why) {
  if (running_) co_await running_->stream->cancel(std::move(why));
}

void ToolServer::abandon() {
  abandoned_ = true;
  if (running_) running_->stream->abandon();
}

const std::string& ToolServer::version() const {
  static const std::string none;
  return running_ ? running_->stream->version() : none;
}

// ── Its end ──────────────────────────────────────────────────────────────────────────────────────

awaitable<bool> ToolServer::gone_within(Millis limit) {
  Running& running = *running_;
  if (running.status) co_return true;
  asio::steady_timer timer(executor_, limit);
  timer.async_wait([&running](asio::error_code cancelled) {
    asio::error_code ignored;
    if (!cancelled) running.ended.cancel(ignored);
  });
  // Readable once the process has ended.
  static_cast<void>(co_await running.ended.async_wait(asio::posix::stream_descriptor::wait_read,
                                                      base::as_result));
  timer.cancel();
  co_await asio::post(executor_, base::use_awaitable);  // the timer's handler is through with it
  int status = 0;
  if (::waitpid(running.pid, &status, WNOHANG) == running.pid) running.status = status;
  co_return running.status.has_value();
}

awaitable<void> ToolServer::leave() {
  if (!running_) co_return;
  running_->connection->close();
  bool gone = co_await gone_within(kMoment);
  if (!gone) {
    ::kill(running_->pid, SIGTERM);
    gone = co_await gone_within(kMoment);
  }
  if (!gone) {
    ::kill(running_->pid, SIGKILL);
    gone = co_await gone_within(kMoment);
  }
}

std::string ToolServer::how_it_ended() const {
  const int status = running_->status.value_or(0);
  if (WIFSIGNALED(status)) {
    return std::string(" (it was ended by signal ") + ::strsignal(WTERMSIG(status)) + ")";
  }
  return " (it has ended with exit code " + std::to_string(WEXITSTATUS(status)) + ")";
}

}  // namespace mahavishnu::app
