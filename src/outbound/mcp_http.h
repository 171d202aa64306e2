// An MCP server behind a URL: its era, its session, its answers as JSON or as a stream of events.
//
// What a request's stream tells before its answer goes to whoever waits for it; a server that asks
// something itself is answered that it is not served here (a ping is). The calls run on the
// client's threads, the coroutines on one executor; several requests may be under way at once, of
// which `cancel` means the last. Lifetime: longer than its coroutines; the client is stopped before
// they are.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/http_client.h"
#include "outbound/mcp_peer.h"

namespace mahavishnu::outbound {

class McpHttp final : public McpPeer {
 public:
  struct Options {
    std::string endpoint = {};  // path; "": the client's, or else "/mcp"
    std::string token = {};     // "": none
    std::vector<std::pair<std::string, std::string>> headers = {};
    // A call may be sent again over another connection: what it does may be done twice.
    bool repeatable = false;
  };

  McpHttp(asio::any_io_executor executor, net::HttpClient& client, Options options);

  base::awaitable<Verdict> connect() override;
  base::awaitable<Verdict> request(std::string method, Json params, Json progress,
                                   Heard heard) override;
  base::awaitable<void> cancel(std::string why) override;
  void abandon() override { client_.stop(); }
  base::awaitable<void> leave() override;
  const std::string& version() const override { return version_; }

  // The same with a limit of its own (0: the client's).
  base::awaitable<Verdict> request_within(base::Millis total, std::string method, Json params);
  // HTTP status of the last answer; 0: there was none.
  int last_status() const { return last_status_; }
  void forget();  // era and session

  // Any call of the same client, with its token and headers.
  base::awaitable<base::Result<net::HttpReply>> send(net::HttpCall call);
  net::HttpCall call_to(std::string path, std::string body) const;

 private:
  struct Listening;
  base::awaitable<Verdict> discover();
  base::awaitable<Verdict> shake_hands();
  base::awaitable<Verdict> exchange(base::Millis total, std::string method, Json params,
                                    Json progress, Heard heard);
  base::awaitable<Verdict> notify(std::string method, Json params, base::Millis total);
  void hear(const Json& message, const Heard& heard);
  void add_headers(net::HttpCall& call, const std::string& method, const std::string& name) const;

  asio::any_io_executor executor_;
  net::HttpClient& client_;
  const Options options_;
  const std::string endpoint_;
  bool modern_ = false;
  std::string session_;
  std::string version_;
  int last_status_ = 0;
  std::int64_t next_id_ = 1;
  std::int64_t under_way_ = 0;
  std::shared_ptr<char> life_ = std::make_shared<char>();
};

}  // namespace mahavishnu::outbound
