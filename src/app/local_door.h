// The door of this user's own programs: the Unix socket of the data directory.
//
// A client that says hello first is bound to what it says there (app/hello.h): what it sees, where
// its relative paths start, which variables its work gets. One that does not is a plain MCP client
// with full rights. Control thread only. Lifetime: shorter than the engine; await stop() before
// destruction.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "app/engine.h"
#include "app/hello.h"
#include "app/recording.h"
#include "base/task_group.h"
#include "net/unix_socket.h"

namespace mahavishnu::app {

class LocalDoor {
 public:
  struct Options {
    bool background = false;
    std::function<void()> make_room;  // a newer server wants to take over, and nothing is lost
    // An HTTP door for as long as the connection lasts (the answer: a token that was made for it, or
    // ""), its end, and where HTTP is served now ("" : nowhere).
    std::function<base::Result<std::string>(const Hello&)> lend_http;
    std::function<void()> return_http;
    std::function<std::string()> listening;
    Recording* recording = nullptr;  // of what clients say, if there is one
  };
  LocalDoor(asio::any_io_executor control, Engine& engine, const Setup& setup, Options options);
  ~LocalDoor();

  base::Status open();
  // Connections that speak MCP.
  int clients() const { return static_cast<int>(clients_.size()); }
  // Tells those who said hello that the server ends in good order, and new ones that it is ending.
  void announce_end();

  void stop_accepting();
  base::awaitable<void> stop();

 private:
  struct Client {
    rpc::Connection* connection;
    bool said_hello;
  };
  class Presence;
  using ConnectionPtr = std::unique_ptr<rpc::Connection>;
  base::awaitable<void> accept();
  static base::awaitable<void> serve(LocalDoor* self, ConnectionPtr connection);
  base::awaitable<void> serve_bound(rpc::Connection& connection, rpc::Request request);
  base::awaitable<void> serve_plain(rpc::Connection& connection, std::string first);
  base::awaitable<void> speak(rpc::Connection& connection, mcp::View view);
  base::Result<Welcome> welcome(const Hello& hello);

  asio::any_io_executor control_;
  Engine& engine_;
  const Setup& setup_;
  Options options_;
  std::unique_ptr<net::UnixListener> listener_;
  std::list<Client> clients_;
  bool ending_ = false;
  base::TaskGroup group_;
};

// What is wrong with a list of tools to be served, if anything.
base::Status check_tools(const Engine& engine, const std::vector<std::string>& tools);

}  // namespace mahavishnu::app
