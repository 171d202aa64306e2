// An mcp::Server over a few tools made for tests, its executor polled by hand, and the two ways in:
// a client on a connection in memory, and HTTP exchanges in memory.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/task_group.h"
#include "mcp/server.h"
#include "rpc/codec.h"
#include "support/memory_exchange.h"

namespace mahavishnu::mcp_test {

using rpc::Json;

// What the tool `wait` does until a test lets it go.
struct Gate {
  explicit Gate(asio::io_context& io) : opened(io) {
    opened.expires_at(asio::steady_timer::time_point::max());
  }
  void open() {
    is_open = true;
    opened.cancel();
  }
  asio::steady_timer opened;
  bool is_open = false;
  int waiting = 0;
  int cancelled = 0;
  int through = 0;
};

// Until the gate is open; false: cancelled before.
base::awaitable<bool> wait_at(Gate* gate);

// The tools: echo {text*, times 1..5}, wait {steps, lines, tells: progress 1 before and 2 and 3
// after it waited}, fail {code, retry_ms}, crash, report {values[]*}, erase (destructive).
std::vector<mcp::Tool> test_tools(Gate& gate);

// Of them the tool `ask` {keys[]*, roots}: asks for each key in a round of its own, then tells all
// answers; with `roots` it asks for roots instead of forms. And `show` {log[]}: content of two
// kinds, after a message for each level named.
std::vector<mcp::Tool> feature_tools();

// Three resources (text, bytes, one whose reading waits at the gate), a template that knows the ids
// 1 to 3, a prompt with one required argument and completions, and a prompt that asks. Everything
// may change, and handlers log.
mcp::Offer test_offer(Gate& gate);

struct Called {
  std::string tool;
  bool ok = false;
};

class ToolServer {
 public:
  // `with_offer`: test_offer and feature_tools as well.
  explicit ToolServer(mcp::ServerOptions options = defaults(), bool with_offer = false);
  ~ToolServer();

  static mcp::ServerOptions defaults();

  // Runs everything that is ready.
  void settle();
  // Server::stop to its end.
  void stop();

  // Starts an HTTP exchange; its answer may come later.
  std::shared_ptr<support::MemoryExchange> http(std::string method, std::string path,
                                                rpc::HeaderList headers, std::string body,
                                                mcp::View view = {});

  asio::io_context io;
  Gate gate{io};
  std::vector<Called> calls;  // what the observer heard
  std::vector<mcp::Stage> stages;
  std::unique_ptr<mcp::Server> server;
  base::TaskGroup group;
};

// One connection to the server and what came back on it.
class Client {
 public:
  explicit Client(ToolServer& host, mcp::View view = {});
  ~Client();

  void send(std::string text);  // one message, as written
  void send_json(const Json& message) { send(message.dump()); }
  void request(Json id, std::string method, Json params = nullptr);
  void notify(std::string method, Json params = nullptr);
  // The handshake, and its answer's result.
  Json initialize(const std::string& version);
  // A request whose answer must be the only thing that comes back.
  Json ask(Json id, std::string method, Json params = nullptr);
  Json call(Json id, std::string tool, Json arguments = Json::object());

  // The oldest message not taken yet; fails the test when there is none.
  Json next();
  bool quiet() const { return received_.empty(); }
  std::size_t pending() const { return received_.size(); }

  // Instead of a message: the end of input, and one over the transport's limit.
  static constexpr const char* kEnd = "<end of input>";
  static constexpr const char* kOversize = "<oversize>";
  void hang_up() { near_->close(); }
  // Cancels the coroutine that serves this connection.
  void cancel_serving();

  bool served() const { return served_; }  // Server::serve returned

 private:
  class FarHalf;
  base::awaitable<void> read();
  base::awaitable<void> write(std::string text);
  base::awaitable<void> serve(mcp::View view);

  ToolServer& host_;
  std::unique_ptr<rpc::Connection> near_;
  std::unique_ptr<rpc::Connection> far_;
  base::TaskGroup serving_;
  std::deque<std::string> received_;
  bool served_ = false;
};

// `params` with the metadata of 2026-07-28.
Json modern(Json params = Json::object(), const std::string& version = "2026-07-28");

}  // namespace mahavishnu::mcp_test
