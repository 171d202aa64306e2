#include "app/client_session.h"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <iostream>

#include "app/attach.h"
#include "app/bridge_verb.h"
#include "app/data_directory.h"
#include "app/engine.h"
#include "app/mcp_client.h"
#include "app/process.h"
#include "base/log.h"
#include "net/memory_connection.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::fail;
using base::Result;

// A server that has just taken the data directory needs this long at most until it listens.
constexpr base::Millis kConnectLimit{10000};
constexpr base::Millis kConnectPause{20};

void watch_signals(asio::signal_set& signals, Interrupt& interrupt) {
  signals.async_wait([&signals, &interrupt](asio::error_code cancelled, int number) {
    if (cancelled) return;
    if (interrupt.asked) ::_exit(128 + number);
    interrupt.asked = true;
    std::cerr << "mahavishnu: ending; once more ends at once" << std::endl;
    watch_signals(signals, interrupt);
  });
}

// Polls one coroutine to its end, with the signals watched.
int run_to_end(asio::io_context& context, awaitable<int> work, Interrupt& interrupt) {
  asio::signal_set signals(context, SIGINT, SIGTERM);
  watch_signals(signals, interrupt);
  int exit_code = 1;
  asio::co_spawn(context, std::move(work), [&](std::exception_ptr bug, int code) {
    signals.cancel();
    if (bug) std::rethrow_exception(bug);
    exit_code = code;
  });
  context.run();
  return exit_code;
}

awaitable<int> work_through_socket(const Setup& setup, const ClientWork& work,
                                   const Interrupt& interrupt) {
  auto client = co_await SocketClient::connect(setup, kConnectLimit);
  if (!client) co_return failed(client.error());
  co_return co_await work((*client)->tools(), interrupt);
}

// Serves one end of a pair in memory and works through the other.
class InProcess {
 public:
  InProcess(asio::any_io_executor control, const Setup& setup)
      : setup_(setup),
        engine_(control, setup, working_folder()),
        group_(control, "in-process server") {
    std::tie(ours_, theirs_) = net::memory_pair(control);
  }

  awaitable<int> run(const ClientWork& work, const Interrupt& interrupt) {
    auto started = co_await engine_.start();
    if (!started) co_return failed(started.error());
    if (!engine_.note().empty()) std::cerr << "mahavishnu: " << engine_.note() << std::endl;
    group_.spawn(serve());
    const int exit_code = co_await use(work, interrupt);
    ours_->close();
    co_await group_.join();
    co_await engine_.drain(interrupt.asked ? base::Millis(0)
                                           : setup_.config.duration("shutdown.grace_ms"));
    co_await engine_.stop();
    co_return exit_code;
  }

 private:
  awaitable<void> serve() {
    mcp::View view;
    view.caller = "local";
    view.working_directory = working_folder();
    view.toolsets = {"all"};  // who sits at a terminal may ask for any tool
    co_await engine_.server().serve(*theirs_, std::move(view));
  }

  awaitable<int> use(const ClientWork& work, const Interrupt& interrupt) {
    McpClient client(co_await asio::this_coro::executor, *ours_);
    auto hello = co_await client.initialize();
    if (!hello) co_return failed(hello.error());
    co_return co_await work(client, interrupt);
  }

  const Setup& setup_;
  Engine engine_;
  std::unique_ptr<rpc::Connection> ours_, theirs_;
  base::TaskGroup group_;
};

}  // namespace

struct SocketClient::State {
  std::unique_ptr<rpc::Connection> connection;
  std::unique_ptr<McpClient> client;
  Welcome welcome;
};

SocketClient::SocketClient(std::unique_ptr<State> state) : state_(std::move(state)) {}

SocketClient::~SocketClient() { state_->connection->close(); }

ToolDoor& SocketClient::tools() { return *state_->client; }
const Welcome& SocketClient::welcome() const { return state_->welcome; }

awaitable<Result<std::unique_ptr<SocketClient>>> SocketClient::connect(const Setup& setup,
                                                                       base::Millis limit) {
  const auto executor = co_await asio::this_coro::executor;
  const std::string socket = socket_path(setup.data, setup.config.environment());
  Hello hello = hello_of(setup);
  hello.toolsets = {"all"};
  const auto until = std::chrono::steady_clock::now() + limit;
  asio::steady_timer pause(executor);
  auto attached = co_await say_hello(socket, hello);
  while (!attached && std::chrono::steady_clock::now() < until) {
    pause.expires_after(kConnectPause);
    co_await pause.async_wait(base::as_result);
    attached = co_await say_hello(socket, hello);
  }
  if (!attached) co_return fail(attached.error());
  auto state = std::make_unique<State>();
  state->connection = std::move(attached->connection);
  state->welcome = std::move(attached->welcome);
  state->client = std::make_unique<McpClient>(executor, *state->connection);
  if (auto hello = co_await state->client->initialize(); !hello) {
    state->connection->close();
    co_return fail(hello.error());
  }
  co_return std::unique_ptr<SocketClient>(new SocketClient(std::move(state)));
}

int with_server(const Setup& setup, const ClientWork& work) {
  prepare_process();
  asio::io_context context(1);
  Interrupt interrupt;
  if (DataDirectory::owner(setup.data)) {
    return run_to_end(context, work_through_socket(setup, work, interrupt), interrupt);
  }
  InProcess server(context.get_executor(), setup);
  return run_to_end(context, server.run(work, interrupt), interrupt);
}

int with_tools(ToolDoor& tools, const ClientWork& work) {
  prepare_process();
  asio::io_context context(1);
  Interrupt interrupt;
  return run_to_end(context, work(tools, interrupt), interrupt);
}

}  // namespace mahavishnu::app
