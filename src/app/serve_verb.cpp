// `mahavishnu serve`: the engine, its doors and the signals that end it.
//
// One thread (this one) runs one io_context. The order: engine, Unix socket, HTTP, stdio; ended in
// reverse. What ends it: TERM or INT, or the end of stdin when stdio is served. The first signal
// drains (no new work, wait for what runs at most shutdown.grace_ms); a second one ends at once:
// what still runs is left to its shims, which end it when the lease runs out or hand it to the next
// server.
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "app/doors.h"
#include "app/engine.h"
#include "app/process.h"
#include "app/verbs.h"
#include "app/welcome.h"
#include "base/log.h"
#include "domain/repositories.h"
#include "net/signal.h"
#include "net/stdio_connection.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

struct Plan {
  bool stdio = false;
  bool http = false;
  bool authenticated = true;
  Address address;
  mcp::View view;
};

class Serving {
 public:
  Serving(asio::io_context& context, const Setup& setup, Plan plan)
      : control_(context.get_executor()),
        setup_(setup),
        plan_(std::move(plan)),
        engine_(control_, setup, working_folder()),
        doors_(control_, engine_, setup_.config),
        signals_(context, SIGTERM, SIGINT),
        stop_asked_(control_),
        group_(control_, "serve") {}

  awaitable<void> run() {
    watch_signals();
    auto started = co_await start();
    if (!started) {
      exit_code_ = failed(started.error());
    } else {
      while (!stopping_) co_await stop_asked_.wait();
      co_await drain();
      doors_.stop_accepting();
      co_await engine_.end_calls();
    }
    co_await doors_.stop();
    co_await engine_.stop();
    if (stdio_) co_await stdio_->drain();
    group_.cancel();
    if (stdio_) stdio_->close();
    co_await group_.join();
    signals_.cancel();
  }

  int exit_code() const { return exit_code_; }

 private:
  // The first signal asks to end, the second ends.
  void watch_signals() {
    signals_.async_wait([this](asio::error_code cancelled, int number) {
      if (cancelled) return;
      if (stopping_ && signalled_) {
        std::cerr << "mahavishnu: a second signal: ending at once\n";
        ::_exit(128 + number);
      }
      signalled_ = true;
      ask_to_stop(number == SIGTERM ? "TERM" : "INT");
      watch_signals();
    });
  }

  void ask_to_stop(const char* why) {
    base::log()->info("ending: {}", why);
    stopping_ = true;
    stop_asked_.notify();
  }

  awaitable<Status> start() {
    auto engine = co_await engine_.start();
    if (!engine) co_return engine;
    if (!engine_.note().empty()) std::cerr << "mahavishnu: " << engine_.note() << std::endl;
    if (auto unknown = unknown_tool(); !unknown) co_return unknown;
    if (auto socket = doors_.open_socket(); !socket) co_return fail(socket.error());
    if (plan_.http) {
      if (auto http = open_http(); !http) co_return http;
    }
    if (plan_.stdio) {
      net::StreamLimits limits;
      limits.max_message_bytes =
          static_cast<std::size_t>(setup_.config.number("rpc.max_message_bytes"));
      auto connection = net::open_stdio(control_, STDIN_FILENO, STDOUT_FILENO, limits);
      if (!connection) co_return fail(connection.error());
      stdio_ = std::move(*connection);
      group_.spawn(serve_stdio());
    }
    co_return Status{};
  }

  Status unknown_tool() const {
    const auto& known = engine_.tool_names();
    for (const auto& name : plan_.view.tools) {
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      const std::string near = domain::nearest(name, known);
      return fail(ErrorCode::InvalidArgument,
                  "--tools: there is no tool " + name +
                      (near.empty() ? std::string() : "; did you mean " + near + "?"));
    }
    return {};
  }

  Status open_http() {
    HttpDoor door{plan_.address, std::nullopt, plan_.view};
    bool is_new = false;
    if (plan_.authenticated) {
      auto token = load_or_make_token(engine_.directory().token_file());
      if (!token) return fail(token.error());
      door.token = token->text;
      is_new = token->is_new;
    }
    const std::string token = door.token.value_or("");
    auto address = doors_.open_http(std::move(door));
    if (!address) return fail(address.error());
    const std::string url = "http://" + address->str();
    std::cerr << "mahavishnu: serving " << url << "/mcp\n";
    if (!plan_.authenticated) {
      std::cerr
          << "mahavishnu: WARNING: --no-auth: every program of every user on this machine may run "
             "commands as this user through this port\n";
    } else if (is_new) {
      std::cerr << "\nA token was made (kept in " << engine_.directory().token_file()
                << ", shown only this once). To connect:\n\n"
                << client_configuration(url, token) << std::endl;
    } else {
      std::cerr << "mahavishnu: the token is in " << engine_.directory().token_file() << std::endl;
    }
    return {};
  }

  awaitable<void> serve_stdio() {
    mcp::View view = plan_.view;
    view.caller = "stdio";
    view.working_directory = working_folder();
    co_await engine_.server().serve(*stdio_, std::move(view));
    if (!stopping_) ask_to_stop("end of input");
  }

  awaitable<void> drain() {
    const auto counts = engine_.service().counts();
    if (counts.running > 0) {
      std::cerr << "mahavishnu: waiting for " << counts.running << " running tasks, at most "
                << setup_.config.duration("shutdown.grace_ms").count()
                << " ms; a second signal ends at once\n";
    }
    co_await engine_.drain(setup_.config.duration("shutdown.grace_ms"));
  }

  asio::any_io_executor control_;
  const Setup& setup_;
  Plan plan_;
  Engine engine_;
  Doors doors_;
  std::unique_ptr<net::StreamConnection> stdio_;
  asio::signal_set signals_;
  net::Signal stop_asked_;
  base::TaskGroup group_;
  bool stopping_ = false;
  bool signalled_ = false;
  int exit_code_ = 0;
};

Result<Plan> plan_of(const Arguments& arguments, const Config& config) {
  Plan plan;
  plan.stdio = arguments.has("stdio");
  plan.http = arguments.has("http") || !plan.stdio;
  plan.authenticated = !arguments.has("no-auth");
  plan.view.read_only = arguments.has("read-only");
  plan.view.tools = arguments.values("tools");
  for (const auto& toolset : arguments.values("toolsets")) {
    if (toolset != "core") {
      return fail(ErrorCode::InvalidArgument,
                  "--toolsets: there is no toolset " + toolset + "; there is core");
    }
  }
  if (arguments.has("in-process") && !plan.stdio) {
    return fail(ErrorCode::InvalidArgument, "--in-process goes with --stdio");
  }
  if (!plan.http) return plan;
  auto address = parse_address(config.text("http.listen"));
  if (!address) return fail(address.error());
  if (!plan.authenticated && !address->is_loopback()) {
    return fail(ErrorCode::InvalidArgument, "--no-auth works on a loopback address only, and " +
                                                address->str() +
                                                " is none; leave it out, or listen on 127.0.0.1");
  }
  plan.address = std::move(*address);
  return plan;
}

}  // namespace

int serve_verb(const Arguments& arguments) {
  const auto setup = load_setup(arguments);
  if (!setup) return failed(setup.error());
  auto plan = plan_of(arguments, setup->config);
  if (!plan) {
    failed(plan.error());
    return 2;
  }
  if (auto log = base::start_log(setup->config.text("log.level")); !log) return failed(log.error());
  prepare_process();
  asio::io_context context(1);
  int exit_code = 0;
  {
    Serving serving(context, *setup, std::move(*plan));
    asio::co_spawn(context, serving.run(), [](std::exception_ptr bug) {
      if (bug) std::rethrow_exception(bug);
    });
    context.run();
    exit_code = serving.exit_code();
  }
  base::stop_log();
  return exit_code;
}

}  // namespace mahavishnu::app
