// MCP over any door: the one dispatcher behind stdio, sockets and HTTP, for both eras.
//
// It decides the era of each message from its body, keeps the cancel table, checks schemas, runs
// the tool and maps every failure to the wire (error_map). The older revisions' handshake and
// sessions are an adapter in front of the same dispatcher. One executor. Lifetime: longer than its
// doors.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/asio.h"
#include "base/result.h"
#include "base/time.h"
#include "mcp/offer.h"
#include "mcp/permit.h"
#include "mcp/subscriptions.h"
#include "mcp/tool.h"
#include "rpc/connection.h"
#include "rpc/http_exchange.h"

namespace mahavishnu::mcp {

// What is kept of the event streams of sessions, for clients whose connection broke.
struct ReplayLimits {
  std::size_t session_events = 1000;
  std::size_t session_bytes = 1u << 20;
  std::size_t bytes = 16u << 20;  // of all sessions together
  base::Millis age{300000};       // and how long
};
struct ReplayFigures {
  std::uint64_t resumed = 0;  // clients that came back and got the rest
  std::uint64_t refused = 0;  // with an id that is unknown, or of what is not kept any more
  std::uint64_t dropped = 0;  // events, before their time
  std::size_t events = 0;     // kept now
  std::size_t bytes = 0;      // with what they cost beside their text
};

struct ServerOptions {
  std::string name = "mahavishnu";
  std::string title = "Mahavishnu";
  std::string version;
  std::string instructions;
  std::size_t max_in_flight_per_connection = 256;  // beyond it: Exhausted
  std::size_t max_sessions = 10000;                // legacy HTTP
  base::Millis session_idle{3600000};
  base::Millis drain{10000};              // answering what is in flight after the end of input
  std::size_t page_size = 100;            // items in a page of a list
  base::Millis progress_interval{100};    // between two notifications of one call's progress
  base::Millis ask_time{600000};          // for a client's answer to a question
  std::size_t max_subscriptions = 10000;  // streams of changes; one more is refused
  ReplayLimits replay;
  // A session's call that takes longer is answered on an event stream, so that a client whose
  // connection breaks can come back for it (2025-11-25).
  base::Millis stream_after{500};
  base::Millis stream_retry{1000};  // it waits so long before it does
  // A connection that waits for such an answer is ended after so long, and the client comes back
  // for it: for what stands between that forgets long connections. 0: never.
  base::Millis stream_hold{0};
  // Signs what clients carry between the rounds of a call; "": a random one, so that rounds begun
  // before a restart are void. At most `ask_time` old.
  std::string state_key;
  // Runs it on another thread: there long messages are decoded. Empty: they are decoded in place.
  std::function<void(std::function<void()>)> offload;
};

// What one connection or one request may see.
struct View {
  std::string caller;             // for fair share
  std::string working_directory;  // "" over HTTP
  // The client's own variables; null: it gave none.
  std::shared_ptr<const std::map<std::string, std::string>> environment = {};
  bool read_only = false;
  std::vector<std::string> tools;       // by name, of any toolset; empty: all of the toolsets
  std::vector<std::string> toolsets;    // empty: "core"; "all" is every one
  std::shared_ptr<Permit> permit = {};  // null: all that is served may be called
};

enum class Stage { Schema, Reply };  // of a call: arguments checked, result made text

// Told of every finished tool call and of its parts: for the clocks. Either may be empty.
struct Observer {
  std::function<void(std::string_view tool, std::chrono::microseconds took, bool ok)> call;
  std::function<void(Stage stage, std::chrono::microseconds took)> stage;
};

class Server {
 public:
  // An Error when a tool's schema is not a schema, or two tools, resources or prompts share a name.
  // A kind of thing of which there is none is no capability either.
  static base::Result<std::unique_ptr<Server>> create(asio::any_io_executor executor,
                                                      ServerOptions options,
                                                      std::vector<Tool> tools,
                                                      Observer observer = {}, Offer offer = {});
  ~Server();

  // Speaks MCP on `connection` until its end: then answers what is in flight (at most `drain` long)
  // and returns. The connection and the view must outlive the awaitable.
  base::awaitable<void> serve(rpc::Connection& connection, View view);

  // Tells the clients that want to know it: a list is not what it was, a resource has other
  // contents. Only what the offer says may change.
  void changed(Change change);
  void updated(std::string_view uri);
  // A task's keeper says that it is not what it was.
  void task_changed(std::string_view subject);
  // Whether anybody wants to know anything: where it costs to say what changed.
  bool is_watched() const;

  // Of the streams of sessions.
  ReplayFigures replay_figures() const;

  // POST, GET and DELETE of the MCP endpoint.
  rpc::HttpRest handle_mcp(std::shared_ptr<rpc::HttpExchange> exchange, View view);

  // The transport of 2024-11-05: GET of its event stream, and POST of the messages for it, to the
  // path that the stream names (kMessagesPath).
  rpc::HttpRest handle_sse(std::shared_ptr<rpc::HttpExchange> exchange, View view);
  rpc::HttpRest handle_messages(std::shared_ptr<rpc::HttpExchange> exchange, View view);
  static constexpr std::string_view kMessagesPath = "/messages";

  // POST /tools/call for scripts: {"name","arguments"} → the structured result, or 4xx/5xx and
  // {"error":{"code","message","data"?}}.
  rpc::HttpRest handle_tools_call(std::shared_ptr<rpc::HttpExchange> exchange, View view);

  // From now on new requests are refused with Unavailable; in-flight ones go on. `stop` cancels
  // them.
  void drain();
  base::awaitable<void> stop();

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mahavishnu::mcp
