// What a client of the revisions with sessions said of itself, and what it was asked and has not
// answered yet. One for each session or connection.
//
// Questions are matched to answers by an id that is never used twice here. One executor. Lifetime:
// longer than the questions (a call holds its peer).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>

#include "base/asio.h"
#include "mcp/call.h"
#include "rpc/message.h"

namespace mahavishnu::mcp {

// Tasks that somebody wants to hear of: what their keeper calls them → their handles.
using TaskHandles = std::multimap<std::string, std::string, std::less<>>;

class OpenQuestion;

struct Peer {
  static constexpr std::size_t kMostOpen = 64;
  static constexpr std::size_t kMostWatched = 1000;  // resources, and as many tasks

  // Keeps what `initialize` said.
  void introduce(const rpc::Json& params);

  // Gives an answer to its question; false: nobody waits for it (any more).
  bool take_answer(const rpc::Response& response);
  // No answer can come any more.
  void lose_questions();

  rpc::Json capabilities;                      // null: none were told
  std::optional<LogLevel> log_level;           // none: it did not ask for messages
  std::set<std::string, std::less<>> watched;  // resources/subscribe
  TaskHandles tasks;                           // handed over, and not over yet
  std::unordered_map<std::string, OpenQuestion*> open;
  std::uint64_t asked = 0;
};

// One question on its way, known to its peer as long as it lives.
class OpenQuestion {
 public:
  OpenQuestion(std::shared_ptr<Peer> peer, asio::any_io_executor executor);
  ~OpenQuestion();
  OpenQuestion(const OpenQuestion&) = delete;
  OpenQuestion& operator=(const OpenQuestion&) = delete;

  const rpc::RequestId& id() const { return id_; }
  void answer(std::variant<rpc::Json, rpc::RpcError> outcome);
  void lose();

  // Deadline: no answer until then; Unavailable: the client refused or is gone.
  base::awaitable<base::Result<rpc::Json>> wait(asio::steady_timer::time_point until);

 private:
  std::shared_ptr<Peer> peer_;
  rpc::RequestId id_;
  std::optional<std::variant<rpc::Json, rpc::RpcError>> outcome_;
  bool lost_ = false;
  asio::steady_timer ready_;
};

}  // namespace mahavishnu::mcp
