// `mahavishnu serve`: the engine, its doors and the signals that end it.
//
// `--stdio` alone is a bridge to the server of the data directory (bridge_verb); HTTP on a
// directory that another server owns is served by that one. Otherwise this process is the server:
// one thread (this one) runs one io_context. The order: engine, Unix socket, HTTP, stdio; ended in
// reverse. What ends it: TERM or INT, the end of stdin when stdio is served, or, in the background,
// having had no client and no work for `server.idle_exit_ms`. The first signal drains (no new work,
// wait for what runs at most shutdown.grace_ms); a second one ends at once: what still runs is left
// to its shims, which end it when the lease runs out or hand it to the next server.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iostream>

#include "app/bridge_verb.h"
#include "app/doors.h"
#include "app/engine.h"
#include "app/process.h"
#include "app/recording.h"
#include "app/verbs.h"
#include "app/welcome.h"
#include "base/log.h"
#include "net/signal.h"
#include "net/stdio_connection.h"
#include "tools/registry.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

constexpr base::Millis kLongestLook{15000};  // between two looks at whether it is idle

struct Plan {
  bool stdio = false;
  bool background = false;
  bool http = false;
  bool authenticated = true;
  Address address;
  mcp::View view;
  Recording* recording = nullptr;
};

class Serving {
 public:
  Serving(asio::io_context& context, const Setup& setup, Plan plan)
      : control_(context.get_executor()),
        setup_(setup),
        plan_(std::move(plan)),
        engine_(control_, setup, plan_.background ? "" : working_folder()),
        doors_(control_, engine_, setup_, plan_.background, plan_.recording,
               [this] { ask_to_stop("a newer version takes over"); }),
        signals_(context, SIGTERM, SIGINT),
        stop_asked_(control_),
        group_(control_, "serve") {}

  awaitable<void> run() {
    watch_signals();
    auto started = co_await start();
    if (!started) {
      // Without stdio there is another way then: by the one who was faster.
      exit_code_ = owned_by_another() && !plan_.stdio ? 0 : failed(started.error());
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
  bool owned_by_another() const { return engine_.owned_by_another(); }

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
    if (!stopping_) doors_.announce_end();
    stopping_ = true;
    stop_asked_.notify();
  }

  awaitable<Status> start() {
    auto engine = co_await engine_.start();
    if (!engine) co_return engine;
    if (!engine_.note().empty()) std::cerr << "mahavishnu: " << engine_.note() << std::endl;
    if (auto known = check_tools(engine_, plan_.view.tools); !known) co_return known;
    if (auto socket = doors_.open_socket(); !socket) co_return fail(socket.error());
    if (plan_.http) {
      if (auto http = open_http(); !http) co_return http;
    }
    if (auto metrics = open_metrics(); !metrics) co_return metrics;
    if (plan_.background) {
      base::log()->info("version {} serves {} in the background", MAHAVISHNU_VERSION,
                        engine_.directory().path());
      group_.spawn(end_when_idle());
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

  Status open_http() {
    HttpDoor door{plan_.address, std::nullopt, plan_.view};
    Listening told{"", engine_.directory().token_file(), plan_.authenticated, ""};
    if (plan_.authenticated) {
      auto token = load_or_make_token(told.token_file);
      if (!token) return fail(token.error());
      door.token = token->text;
      if (token->is_new) told.new_token = token->text;
    }
    auto address = doors_.open_http(std::move(door));
    if (!address) return fail(address.error());
    told.url = http_scheme(setup_.config) + "://" + address->str();
    tell_listening(told);
    return {};
  }

  Status open_metrics() {
    const std::string& listen = setup_.config.text("metrics.listen");
    if (listen.empty()) return {};
    auto given = parse_address(listen);
    if (!given) return fail(given.error().code, "metrics.listen: " + given.error().message);
    auto address = resolved(std::move(*given));
    if (!address) return fail(address.error());
    auto opened = doors_.open_metrics(std::move(*address));
    if (!opened) return fail(opened.error());
    base::log()->info("metrics without a token on http://{}/metrics", opened->str());
    return {};
  }

  awaitable<void> serve_stdio() {
    mcp::View view = plan_.view;
    view.caller = "stdio";
    view.permit = engine_.access().permit(view.caller);
    view.working_directory = working_folder();
    if (plan_.recording == nullptr) {
      co_await engine_.server().serve(*stdio_, std::move(view));
    } else {
      RecordedConnection recorded(*stdio_, *plan_.recording, kStdioName);
      co_await engine_.server().serve(recorded, std::move(view));
    }
    if (!stopping_) ask_to_stop("end of input");
  }

  // Looks a few times within the limit: a client or a task shows up at the next look at the latest.
  awaitable<void> end_when_idle() {
    const auto limit = setup_.config.duration("server.idle_exit_ms");
    if (limit.count() == 0) co_return;
    asio::steady_timer timer(control_);
    auto busy = base::mono_now();
    while (!stopping_) {
      timer.expires_after(std::clamp(limit / 4, base::Millis(1), kLongestLook));
      const auto [cancelled] = co_await timer.async_wait(base::as_result);
      if (cancelled || stopping_) co_return;
      if (doors_.clients() > 0 || !engine_.idle()) busy = base::mono_now();
      if (base::mono_now() - busy >= limit) ask_to_stop("idle");
    }
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
  plan.background = arguments.has("background");
  plan.http = arguments.has("http") || !(plan.stdio || plan.background);
  if (plan.background && (plan.stdio || plan.http)) {
    return fail(ErrorCode::InvalidArgument,
                "--background goes with neither --stdio nor --http; clients come over the socket");
  }
  plan.authenticated = !arguments.has("no-auth");
  plan.view.read_only = arguments.has("read-only");
  plan.view.tools = arguments.values("tools");
  plan.view.toolsets = arguments.values("toolsets");
  for (const auto& toolset : plan.view.toolsets) {
    const auto& known = tools::toolsets();
    if (std::find(known.begin(), known.end(), toolset) != known.end()) continue;
    std::string names;
    for (const auto& name : known) names += (names.empty() ? "" : ", ") + name;
    return fail(ErrorCode::InvalidArgument,
                "--toolsets: there is no toolset " + toolset + "; there are " + names);
  }
  if (arguments.has("in-process") && !plan.stdio) {
    return fail(ErrorCode::InvalidArgument, "--in-process goes with --stdio");
  }
  if (!plan.http) return plan;
  auto given = parse_address(config.text("http.listen"));
  if (!given) return fail(given.error());
  auto address = resolved(std::move(*given));
  if (!address) return fail(address.error());
  if (!plan.authenticated && !address->is_loopback()) {
    return fail(ErrorCode::InvalidArgument, "--no-auth works on a loopback address only, and " +
                                                address->str() +
                                                " is none; leave it out, or listen on 127.0.0.1");
  }
  plan.address = std::move(*address);
  return plan;
}

// Until it is told to end; nullopt: another server owns the data directory.
std::optional<int> serve_here(const Setup& setup, const Plan& plan) {
  asio::io_context context(1);
  Serving serving(context, setup, plan);
  asio::co_spawn(context, serving.run(), [](std::exception_ptr bug) {
    if (bug) std::rethrow_exception(bug);
  });
  context.run();
  if (serving.owned_by_another() && !plan.stdio) return std::nullopt;
  return serving.exit_code();
}

Hello hello_for(const Setup& setup, const Plan& plan) {
  Hello hello = hello_of(setup);
  hello.read_only = plan.view.read_only;
  hello.tools = plan.view.tools;
  hello.toolsets = plan.view.toolsets;
  if (plan.http) hello.listen = ListenWish{plan.address.str(), plan.authenticated};
  return hello;
}

base::Error read_elsewhere(const Setup& setup) {
  const auto owner = DataDirectory::owner(setup.data);
  return {ErrorCode::Conflict,
          "--record writes what this process reads, and the server" +
              (owner ? " with pid " + std::to_string(owner->pid) : std::string()) + " that owns " +
              setup.data +
              " reads instead; end it with `mahavishnu stop`, or choose another directory with "
              "--data"};
}

// nullptr: none is wanted.
Result<std::unique_ptr<Recording>> recording_for(const Arguments& arguments, const Setup& setup,
                                                 const Plan& plan, bool bridge) {
  if (!arguments.has("record")) return nullptr;
  if (!bridge && DataDirectory::owner(setup.data)) return tl::unexpected(read_elsewhere(setup));
  auto recording = Recording::open(
      absolute_path(arguments.value("record"), working_folder(), setup.config.environment()),
      setup.config, plan.view);
  if (!recording) return recording;
  std::cerr << "mahavishnu: recording to " << (*recording)->path()
            << "; read it before you pass it on: it holds all that clients say"
            << (bridge && plan.http ? " on stdio (HTTP is served by another process)" : "")
            << std::endl;
  return recording;
}

Status start_log(const Config& config) {
  base::LogOptions options;
  options.level = config.text("log.level");
  options.file = config.text("log.file");
  options.file_bytes = static_cast<std::uint64_t>(config.number("log.file_bytes"));
  options.file_count = static_cast<std::size_t>(config.number("log.file_count"));
  return base::start_log(options);
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
  const Hello hello = hello_for(*setup, *plan);
  const bool bridge = plan->stdio && !arguments.has("in-process");
  auto recording = recording_for(arguments, *setup, *plan, bridge);
  if (!recording) return failed(recording.error());
  plan->recording = recording->get();
  if (bridge) return bridge_stdio(*setup, hello, plan->recording);
  if (auto log = start_log(setup->config); !log) return failed(log.error());
  prepare_process();
  // Each turn ends by serving, or has waited for the end of a server that was faster.
  std::optional<int> exit_code;
  while (!exit_code) {
    if (plan->http && !plan->stdio && plan->recording == nullptr) {
      exit_code = serve_at_owner(*setup, hello);
    }
    if (!exit_code) exit_code = serve_here(*setup, *plan);
    if (!exit_code && plan->recording != nullptr) exit_code = failed(read_elsewhere(*setup));
    if (!exit_code && plan->background) exit_code = 0;  // who started it finds the faster one
  }
  base::stop_log();
  return *exit_code;
}

}  // namespace mahavishnu::app
