#include "app/attach.h"

#include <algorithm>
#include <iostream>

#include "net/unix_socket.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::ErrorCode;
using base::fail;
using base::Millis;
using base::Result;
using base::Status;

constexpr Millis kFirstPause{2};
constexpr Millis kLongestPause{8};
constexpr int kMostStarts = 2;  // the second for one that lost a race whose winner ended as well
// A server's answer may be longer than a request may be.
constexpr std::size_t kLongestAnswer = std::size_t{1} << 30;

net::StreamLimits answer_limits() {
  net::StreamLimits limits;
  limits.max_message_bytes = kLongestAnswer;
  return limits;
}

// One line there and one back.
awaitable<Result<std::string>> exchange(rpc::Connection& connection, std::string line) {
  if (auto sent = co_await connection.write(std::move(line)); !sent) co_return fail(sent.error());
  auto answer = co_await connection.read();
  if (!answer) co_return fail(ErrorCode::Unavailable, answer.error().message);
  if (!*answer) co_return fail(ErrorCode::Unavailable, "the server has closed the connection");
  co_return std::move(**answer);
}

awaitable<void> pause(Millis time) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(time);
  co_await timer.async_wait(base::as_result);
}

}  // namespace

awaitable<Result<Attached>> say_hello(std::string socket, Hello hello) {
  const auto executor = co_await asio::this_coro::executor;
  auto connection = co_await net::connect_unix(executor, std::move(socket), answer_limits());
  if (!connection) co_return fail(connection.error());
  std::string line = encode_hello(hello);
  auto answer = co_await exchange(**connection, std::move(line));
  if (!answer) co_return fail(answer.error());
  auto welcome = read_welcome(*answer);
  if (!welcome) co_return fail(welcome.error());
  Attached attached;
  attached.connection = std::move(*connection);
  attached.welcome = std::move(*welcome);
  co_return attached;
}

awaitable<Result<Attached>> Attachment::attach() {
  started_.reset();
  starts_ = 0;
  auto directory = DataDirectory::prepare(setup_.data, setup_.config.environment());
  if (!directory) co_return fail(directory.error());
  const std::string socket = directory->socket();
  auto until = base::mono_now() + options_.limit;
  Millis wait = kFirstPause;
  std::string last;
  while (base::mono_now() < until) {
    auto attached = co_await say_hello(socket, hello_);
    if (attached) {
      if (accept(attached->welcome)) co_return attached;
      // It ends by its own rules, and this waits for it without counting the time.
      until = base::mono_now() + options_.limit;
    } else if (attached.error().code != ErrorCode::Unavailable) {
      co_return fail(attached.error());  // it understood, and refused
    } else {
      last = attached.error().message;
      if (auto started = start_if_none(*directory); !started) co_return fail(started.error());
    }
    co_await pause(wait);
    wait = std::min(wait * 2, kLongestPause);
  }
  co_return tl::unexpected(too_late(last));
}

// What is told about a server that has answered; true: it is used.
bool Attachment::accept(const Welcome& welcome) {
  const std::string server = "the running server (pid " + std::to_string(welcome.pid) + ")";
  const bool older = is_older(welcome.version, hello_.version);
  const std::string age = server + " is of version " + welcome.version + ", older than this one (" +
                          hello_.version + ")";
  if (welcome.ending) {
    tell(older ? age + "; it ends, and a newer one follows"
               : server + " is ending; waiting for it");
    return false;
  }
  if (older) tell(age + ", and not idle: it is used as it is; `mahavishnu stop` ends it");
  return true;
}

Status Attachment::start_if_none(const DataDirectory& directory) {
  if (DataDirectory::owner(directory.path())) return {};  // it starts, or ends, or never listens
  if (!options_.may_start) {
    return fail(ErrorCode::NotFound, "no server owns " + directory.path());
  }
  if (started_ && !started_->has_ended()) return {};
  if (starts_ >= kMostStarts) {
    const std::string words = started_->last_words();
    return fail(ErrorCode::Unavailable, "the server did not come up; it said:\n" +
                                            (words.empty() ? "(nothing)" : words) + "\n(" +
                                            directory.log_file() + ")");
  }
  auto started = BackgroundServer::start(directory, setup_);
  if (!started) return fail(started.error());
  started_.emplace(std::move(*started));
  ++starts_;
  return {};
}

base::Error Attachment::too_late(const std::string& last) const {
  std::string text = last + "; waited " + std::to_string(options_.limit.count() / 1000) + " s";
  if (const auto owner = DataDirectory::owner(setup_.data)) {
    text += ": the process with pid " + std::to_string(owner->pid) + " owns " + setup_.data +
            " and does not answer; end it, or choose another directory with --data";
  } else if (started_) {
    text += "; the server that was started said:\n" + started_->last_words();
  }
  return {ErrorCode::Unavailable, std::move(text)};
}

void Attachment::tell(const std::string& what) {
  if (what == told_) return;
  told_ = what;
  std::cerr << "mahavishnu: " << what << std::endl;
}

}  // namespace mahavishnu::app
