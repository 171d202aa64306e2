// Everything below the doors: the data directory, the journal, the executors, the service, the
// tools and the MCP server, made in order and ended in reverse.
//
// The one place that knows which concrete class stands behind each port. Control thread only.
// Lifetime: after a start() that succeeded, stop() must be awaited before destruction.
#pragma once

#include <memory>
#include <string>

#include "app/access.h"
#include "app/data_directory.h"
#include "app/repository_watch.h"
#include "app/setup.h"
#include "app/token_issuer.h"
#include "app/token_watch.h"
#include "base/asio.h"
#include "control/service.h"
#include "mcp/server.h"

namespace mahavishnu::app {

class Engine {
 public:
  // What it serves when there is no repositories file: the checkout around `folder`.
  Engine(asio::any_io_executor control, const Setup& setup, std::string folder);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Each step that fails says which it was; what had started is ended again.
  base::awaitable<base::Status> start();

  // Takes no new work and waits for what runs, at most `grace`; reading goes on meanwhile.
  base::awaitable<void> drain(base::Millis grace);
  // Answers every call that still waits, with Unavailable where it must. No call is taken after it.
  base::awaitable<void> end_calls();
  // Ends everything that is left, in reverse order. Idempotent.
  base::awaitable<void> stop();

  // start() failed because another server has the data directory.
  bool owned_by_another() const;

  mcp::Server& server();
  const std::vector<std::string>& tool_names() const;
  control::Service& service();
  const DataDirectory& directory() const;
  // Who may come in and what he may do; the doors ask it.
  Access& access();
  const TokenWatch::Status& tokens() const;
  // Whose tokens are good besides ours, and what is configured of it; both null: nobody's.
  TokenIssuer* issuer();
  const TokenIssuer* issuer() const;
  const TokenIssuer::Options* oauth() const;
  RepositoryWatch::Status repositories() const;
  const std::string& note() const;  // what a person should be told about the repositories, or ""
  // Without a repositories file: serves the git checkout around `folder` as well, besides those
  // around the folders of other clients. The answer is what its client should be told, or "".
  std::string serve_around(const std::string& folder);

  // For the audit: a request that the HTTP door did not let in (Audit::turned_away).
  void turned_away(std::string_view caller, int status);
  // No work, and nothing that waits to be sent to a memory server.
  bool idle() const;
  // Why it is not ready ("" : it is).
  std::string not_ready() const;

 private:
  struct Parts;
  base::awaitable<base::Status> start_parts();
  base::Status make_issuer();
  std::unique_ptr<Parts> parts_;
};

}  // namespace mahavishnu::app
