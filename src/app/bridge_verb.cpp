#include "app/bridge_verb.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <iostream>

#include "app/attach.h"
#include "app/bridge.h"
#include "app/data_directory.h"
#include "app/process.h"
#include "app/welcome.h"
#include "net/stdio_connection.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::ErrorCode;
using base::fail;
using base::Result;

constexpr std::chrono::microseconds kStaysAwake{80};

// They say where, not how: the directory is the same by definition, and a wish to listen is
// answered by itself.
constexpr std::array<std::string_view, 2> kNotCompared{"data", "http.listen"};

void tell_settings(const Setup& setup, const Welcome& welcome) {
  for (const auto& [key, mine] : settings_in_force(setup)) {
    const auto theirs = welcome.settings.find(key);
    if (theirs == welcome.settings.end() || theirs->second == mine) continue;
    if (std::find(kNotCompared.begin(), kNotCompared.end(), key) != kNotCompared.end()) continue;
    std::cerr << "mahavishnu: " << key << " is \"" << mine << "\" here ("
              << setup.config.value(key).origin << "), and \"" << theirs->second
              << "\" in the running server (pid " << welcome.pid
              << "), whose value holds; after `mahavishnu stop` the next start takes this one\n";
  }
}

awaitable<Result<std::unique_ptr<rpc::Connection>>> attach(Attachment& attachment,
                                                           const Setup& setup, const Hello& hello) {
  auto attached = co_await attachment.attach();
  if (!attached) co_return fail(attached.error());
  tell_welcome(setup, hello, attached->welcome);
  co_return std::move(attached->connection);
}

awaitable<int> run_bridge(const Setup& setup, Hello hello, Recording* recording) {
  const auto executor = co_await asio::this_coro::executor;
  net::StreamLimits limits;
  limits.max_message_bytes = static_cast<std::size_t>(setup.config.number("rpc.max_message_bytes"));
  auto stdio = net::open_stdio(executor, STDIN_FILENO, STDOUT_FILENO, limits);
  if (!stdio) co_return failed(stdio.error());
  Attachment attachment(setup, hello, {});
  std::optional<RecordedConnection> recorded;
  if (recording != nullptr) recorded.emplace(**stdio, *recording, kStdioName);
  rpc::Connection& client = recorded ? static_cast<rpc::Connection&>(*recorded) : **stdio;
  Bridge bridge(executor, client,
                [&attachment, &setup, &hello] { return attach(attachment, setup, hello); });
  const auto outcome = co_await bridge.run();
  co_await (*stdio)->drain();
  co_return outcome ? 0 : failed(outcome.error());
}

// Until the owner closes the connection: false. Until this process shall end: true.
awaitable<bool> hold(rpc::Connection& connection) {
  asio::signal_set signals(co_await asio::this_coro::executor, SIGTERM, SIGINT);
  bool told = false;
  signals.async_wait([&](asio::error_code cancelled, int) {
    if (cancelled) return;
    told = true;
    connection.close();
  });
  while (true) {
    const auto text = co_await connection.read();
    if (!text || !*text) break;
  }
  if (!told) {
    signals.cancel();
    co_await asio::post(base::use_awaitable);  // its handler uses what is here
  }
  co_return told;
}

awaitable<std::optional<int>> borrow_http(const Setup& setup, Hello hello) {
  Attachment::Options options;
  options.may_start = false;
  Attachment attachment(setup, hello, options);
  auto attached = co_await attachment.attach();
  if (!attached && attached.error().code == ErrorCode::NotFound) co_return std::nullopt;
  if (!attached) co_return failed(attached.error());
  const Welcome& welcome = attached->welcome;
  std::cerr << "mahavishnu: the server with pid " << welcome.pid << " owns " << setup.data
            << "; it listens for as long as this process lives\n";
  tell_welcome(setup, hello, welcome);
  const bool told_to_end = co_await hold(*attached->connection);
  if (told_to_end) co_return 0;
  std::cerr << "mahavishnu: the server with pid " << welcome.pid << " has gone" << std::endl;
  co_return std::nullopt;
}

// Runs to the end of all work. Being woken on an idle processor takes 30 µs and more, and a call
// passes here twice: the answer to what was just sent on mostly comes sooner than this goes to
// sleep.
void run_awake(asio::io_context& context) {
  auto active = base::mono_now();
  while (!context.stopped()) {
    if (context.poll() > 0) {
      active = base::mono_now();
    } else if (base::mono_now() - active < kStaysAwake) {
      ::sched_yield();
    } else if (context.run_one() > 0) {
      active = base::mono_now();
    }
  }
}

// Polls one coroutine to its end.
template <class T>
T run_to_end(awaitable<T> work) {
  asio::io_context context(1);
  std::optional<T> outcome;
  asio::co_spawn(context, std::move(work), [&](std::exception_ptr bug, T value) {
    if (bug) std::rethrow_exception(bug);
    outcome = std::move(value);
  });
  run_awake(context);
  return std::move(*outcome);
}

}  // namespace

Hello hello_of(const Setup& setup) {
  Hello hello;
  hello.version = MAHAVISHNU_VERSION;
  hello.working_directory = working_folder();
  for (const std::string& name : setup.config.list("work.env_allow")) {
    const auto found = setup.config.environment().find(name);
    if (found != setup.config.environment().end()) hello.environment.insert(*found);
  }
  return hello;
}

void tell_welcome(const Setup& setup, const Hello& hello, const Welcome& welcome) {
  if (!welcome.note.empty()) std::cerr << "mahavishnu: " << welcome.note << "\n";
  tell_settings(setup, welcome);
  if (hello.listen) {
    tell_listening(
        {welcome.listening, setup.data + "/token", hello.listen->authenticated, welcome.new_token});
  }
  std::cerr << std::flush;
}

int bridge_stdio(const Setup& setup, Hello hello, Recording* recording) {
  prepare_process();
  hello.make_room = true;
  return run_to_end(run_bridge(setup, std::move(hello), recording));
}

std::optional<int> serve_at_owner(const Setup& setup, Hello hello) {
  if (!DataDirectory::owner(setup.data)) return std::nullopt;
  prepare_process();
  return run_to_end(borrow_http(setup, std::move(hello)));
}

}  // namespace mahavishnu::app
