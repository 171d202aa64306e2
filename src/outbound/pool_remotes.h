// The MCP servers behind pools, asked how they are, each over a conversation that is kept.
//
// The first question finds out which era the server is of and what it calls itself; later ones are
// one small request. Servers of one origin share their connections, and each origin has a breaker:
// one that does not work is not asked for a while. Conversations of pools nobody asked about for
// ten minutes are let go. Control thread; calls run on the clients' threads, token files are read
// on a thread of their own. Lifetime: await stop() before destruction.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/asio.h"
#include "base/task_group.h"
#include "domain/pool_remote.h"
#include "outbound/breaker_board.h"
#include "outbound/mcp_http.h"

namespace mahavishnu::outbound {

class PoolRemotes final : public domain::PoolRemote {
 public:
  static constexpr base::Millis kForget{600'000};
  using ReadSecret = std::function<base::Result<std::string>(const std::string& file)>;

  struct Options {
    net::HttpClientOptions http;  // of each origin; a call takes no longer than its question
    ReadSecret read_secret;       // called on the reading thread
  };

  PoolRemotes(asio::any_io_executor control, BreakerBoard& breakers, Options options);

  void ask(const domain::PoolSpec& pool, base::Millis limit, Answer answer) override;
  base::awaitable<void> stop();

 private:
  struct Origin;
  struct Peer;
  base::Result<std::shared_ptr<Peer>> peer_of(const domain::PoolSpec& pool, base::Millis limit);
  base::awaitable<void> question(std::shared_ptr<Peer> peer, Answer answer);
  base::awaitable<Verdict> converse(std::shared_ptr<Peer> peer);
  base::awaitable<base::Result<std::string>> read(std::string file);
  base::awaitable<base::Status> prepare(std::shared_ptr<Peer> peer);
  void forget_old();

  asio::any_io_executor control_;
  BreakerBoard& breakers_;
  const Options options_;
  std::map<std::string, std::weak_ptr<Origin>> origins_;  // by URL without path, and authorities
  std::map<std::string, std::shared_ptr<Peer>> peers_;    // by the pool's name
  asio::thread_pool files_{1};
  base::TaskGroup group_;
};

}  // namespace mahavishnu::outbound
