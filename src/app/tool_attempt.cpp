#include "app/tool_attempt.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "app/secrets.h"
#include "app/tool_result.h"
#include "app/tool_server.h"
#include "base/task_group.h"
#include "outbound/mcp_http.h"
#include "rpc/codec.h"
#include "workers/report.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::ErrorCode;
using base::fail;
using base::Millis;
using base::Result;
using outbound::McpPeer;
using outbound::Verdict;
using rpc::Json;
using Kind = Verdict::Kind;

constexpr Millis kNoLimit{std::chrono::hours(480)};  // the shim watches the attempt's limits
constexpr Millis kConnectLimit{10'000};
constexpr Millis kHandshakeLimit{60'000};  // with the start of the server, and what that fetches
constexpr Millis kLastWords{300};          // for a server to hear of a cancel
constexpr std::size_t kMostBody = 32U << 20U;
constexpr std::size_t kMostPages = 20;  // of tools/list
constexpr int kProgressToken = 1;

void write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // nobody reads it any more
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string read_all(int file) {
  std::string text;
  char chunk[65536];
  for (;;) {
    const ssize_t got = ::read(file, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return text;
    text.append(chunk, static_cast<std::size_t>(got));
  }
}

// "/mcp/" of "http://host:1/mcp/": the path as it was given, to the slash.
std::string endpoint_of(const std::string& url) {
  const auto path = url.find('/', url.find("://") + 3);
  return path == std::string::npos ? "" : url.substr(path);
}

Result<std::unique_ptr<net::HttpClient>> client_for(const domain::PoolSettings& server) {
  net::HttpClientOptions options;
  options.connections = 4;  // the call, its cancel, answers to what the server asks
  options.connect = kConnectLimit;
  options.read = options.total = kNoLimit;
  options.max_body = kMostBody;
  options.ca_file = server.ca_file;
  return net::HttpClient::make(server.url, options);
}

Result<outbound::McpHttp::Options> http_options(const domain::PoolSettings& server) {
  outbound::McpHttp::Options options;
  options.endpoint = endpoint_of(server.url);
  options.headers.assign(server.headers.begin(), server.headers.end());
  if (server.token_file.empty()) return options;
  auto token = read_secret(server.token_file);
  if (!token) return fail(std::move(token.error()));
  options.token = std::move(*token);
  return options;
}

// One call from beginning to end.
class Attempt {
 public:
  Attempt(asio::io_context& context, ToolOrder order)
      : context_(context),
        order_(std::move(order)),
        label_(order_.server.url.empty() ? "\"" + order_.server.command.front() + "\""
                                         : order_.server.url),
        signals_(context, SIGTERM, SIGINT),
        limit_(context),
        last_words_(context),
        group_(context.get_executor(), "tool call") {}

  awaitable<ToolOutcome> run() {
    signals_.async_wait([this](asio::error_code error, int) {
      if (!error) group_.spawn(end_early());
    });
    ToolOutcome outcome;
    if (auto ready = reach(); !ready) {
      outcome = no_answer(ready.error().message);
    } else {
      outcome = co_await converse();
      co_await peer_->leave();
    }
    signals_.cancel();
    last_words_.cancel();
    co_await group_.join();
    co_return outcome;
  }

 private:
  base::Status reach();
  awaitable<ToolOutcome> converse();
  awaitable<Verdict> connect();
  awaitable<ToolOutcome> call();
  awaitable<std::vector<std::string>> tools();
  awaitable<void> end_early();
  ToolOutcome no_answer(const std::string& why) const;

  asio::io_context& context_;
  ToolOrder order_;
  const std::string label_;
  asio::signal_set signals_;
  asio::steady_timer limit_;
  asio::steady_timer last_words_;
  std::unique_ptr<net::HttpClient> client_;
  std::unique_ptr<McpPeer> peer_;
  bool calling_ = false;
  bool ended_ = false;  // asked to
  base::TaskGroup group_;
};

base::Status Attempt::reach() {
  const auto executor = context_.get_executor();
  if (order_.server.url.empty()) {
    peer_ = std::make_unique<ToolServer>(executor, order_.server.command);
    return {};
  }
  auto options = http_options(order_.server);
  if (!options) return fail(options.error());
  auto client = client_for(order_.server);
  if (!client) return fail(client.error());
  client_ = std::move(*client);
  peer_ = std::make_unique<outbound::McpHttp>(executor, *client_, std::move(*options));
  return {};
}

ToolOutcome Attempt::no_answer(const std::string& why) const {
  ToolOutcome outcome;
  outcome.exit_code = ToolOutcome::kNoAnswer;
  outcome.report.message = "tool \"" + order_.tool + "\" of " + label_ + ": " + why;
  return outcome;
}

awaitable<ToolOutcome> Attempt::converse() {
  ToolOutcome outcome;
  const Verdict verdict = co_await connect();
  if (ended_) {
    outcome.exit_code = ToolOutcome::kTerminated;
  } else if (verdict.kind != Kind::Accepted) {
    outcome = no_answer(verdict.error);
  } else {
    outcome = co_await call();
  }
  co_return outcome;
}

awaitable<Verdict> Attempt::connect() {
  bool late = false;
  limit_.expires_after(kHandshakeLimit);
  limit_.async_wait([this, &late](asio::error_code cancelled) {
    if (cancelled) return;
    late = true;
    peer_->abandon();
  });
  Verdict verdict = co_await peer_->connect();
  // Its limit may pass in this very moment: let its handler run while `late` still exists.
  if (limit_.cancel() == 0) co_await asio::post(base::use_awaitable);
  if (late) {
    verdict.error = "it did not answer the handshake within " +
                    std::to_string(kHandshakeLimit.count() / 1000) + " s";
  }
  co_return verdict;
}

awaitable<ToolOutcome> Attempt::call() {
  Json params{{"name", order_.tool}, {"arguments", order_.arguments}};
  McpPeer::Heard heard = [](const Json& notification) {
    write_all(STDERR_FILENO, line_of(notification));
  };
  calling_ = true;
  const Verdict verdict =
      co_await peer_->request("tools/call", std::move(params), kProgressToken, std::move(heard));
  calling_ = false;
  last_words_.cancel();
  ToolOutcome outcome;
  if (ended_) {
    outcome.exit_code = ToolOutcome::kTerminated;
    co_return outcome;
  }
  if (verdict.kind == Kind::Accepted) outcome = outcome_of(verdict.result, label_, order_.tool);
  const bool refused =
      verdict.kind != Kind::Accepted && (verdict.rpc_code != 0 || verdict.kind == Kind::Refused);
  const bool unknown = outcome.exit_code == ToolOutcome::kToolFailed &&
                       outbound::names_unknown(outcome.report.message);
  std::vector<std::string> known;
  if (refused || unknown) known = co_await tools();
  if (verdict.kind != Kind::Accepted) {
    co_return outcome_of(verdict, label_, order_.tool, known);
  }
  // Some servers tell of an unknown tool by a result that failed.
  const bool there = std::find(known.begin(), known.end(), order_.tool) != known.end();
  if (unknown && !known.empty() && !there) {
    co_return outcome_of(verdict, label_, order_.tool, known);
  }
  co_return outcome;
}

// What tools there are, for whoever named another; none when that is not told.
awaitable<std::vector<std::string>> Attempt::tools() {
  std::vector<std::string> names;
  std::string cursor;
  for (std::size_t page = 0; page < kMostPages; ++page) {
    Json params = Json::object();
    if (!cursor.empty()) params["cursor"] = cursor;
    const Verdict verdict =
        co_await peer_->request("tools/list", std::move(params), Json(), McpPeer::Heard());
    if (verdict.kind != Kind::Accepted || !verdict.result.is_object()) break;
    for (const Json& tool : verdict.result.value("tools", Json::array())) {
      if (tool.is_object() && tool.contains("name") && tool["name"].is_string()) {
        names.push_back(tool["name"]);
      }
    }
    const auto more = verdict.result.find("nextCursor");
    if (more == verdict.result.end() || !more->is_string()) break;
    cursor = *more;
  }
  co_return names;
}

// Tells the server, gives it a moment to end the call by itself, and breaks off.
awaitable<void> Attempt::end_early() {
  ended_ = true;
  if (!peer_) co_return;
  if (calling_) {
    co_await peer_->cancel("the task was ended");
    if (client_) {
      co_await peer_->leave();  // what is broken off below can say nothing more
    } else if (calling_) {
      last_words_.expires_after(kLastWords);
      co_await last_words_.async_wait(base::as_result);
    }
  }
  peer_->abandon();
}

int finish(const ToolOutcome& outcome) {
  write_all(STDOUT_FILENO, outcome.output);
  if (!outcome.report.message.empty()) {
    write_all(STDERR_FILENO, outcome.report.message + "\n");
  }
  static_cast<void>(workers::write_report(outcome.report));
  return outcome.exit_code;
}

}  // namespace

Result<ToolOrder> read_tool_order(const std::string& text) {
  try {
    const Json call = Json::parse(text);
    ToolOrder order;
    order.server.url = call.value("url", "");
    order.server.command = call.value("command", std::vector<std::string>());
    order.server.token_file = call.value("token_file", "");
    order.server.headers = call.value("headers", domain::StringMap());
    order.server.ca_file = call.value("ca_file", "");
    order.tool = call.at("tool").get<std::string>();
    order.arguments = call.at("arguments");
    const bool whole =
        order.server.url.empty() != order.server.command.empty() && order.arguments.is_object();
    if (whole) return order;
  } catch (const Json::exception&) {
  }
  return fail(ErrorCode::InvalidArgument,
              "what to call does not read; this program is started by a pool of type mcp");
}

int tool_attempt_main() {
  ::signal(SIGPIPE, SIG_IGN);
  // The server that is started has no business with the report.
  ::fcntl(workers::kReportDescriptor, F_SETFD, FD_CLOEXEC);
  auto order = read_tool_order(read_all(STDIN_FILENO));
  ToolOutcome outcome;
  if (!order) {
    outcome.exit_code = ToolOutcome::kNoAnswer;
    outcome.report.message = order.error().message;
    return finish(outcome);
  }
  asio::io_context context(1);
  Attempt attempt(context, std::move(*order));
  asio::co_spawn(context, attempt.run(), [&outcome](std::exception_ptr bug, ToolOutcome ended) {
    if (bug) std::rethrow_exception(bug);
    outcome = std::move(ended);
  });
  context.run();
  // At once: a name service that hangs has a thread that cannot be ended.
  ::_exit(finish(outcome));
}

}  // namespace mahavishnu::app
