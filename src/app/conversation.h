// What a bridge remembers of one client's conversation, so that a server can be exchanged under it:
// which requests have no answer yet, and what a new server must hear: the handshake, the level of
// the log, and which resources the client watches.
//
// It looks at the heads of messages and changes none of them. It knows no connection. One executor.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/codec.h"

namespace mahavishnu::app {

class Conversation {
 public:
  // Requests beyond so many without an answer are refused.
  explicit Conversation(std::size_t most_in_flight = 100000) : most_in_flight_(most_in_flight) {}

  // The client said `line`. "" : send it on; otherwise its answer, and it must not be sent on.
  std::string from_client(std::string_view line);

  // The server said `line`. False: it is not the client's business.
  bool from_server(std::string_view line);

  // The server has gone: an answer that tells `why` for each request it left. An `initialize`
  // without an answer is not among them: `replay` asks it again.
  std::vector<std::string> lost(const std::string& why);

  // What a new server must hear before anything else of this client.
  std::vector<std::string> replay();
  // What the client must hear then: what it watches may have changed while nobody looked.
  std::vector<std::string> missed() const;

  std::size_t in_flight() const { return in_flight_.size(); }
  // The server said that it ends in good order.
  bool server_is_ending() const { return ending_; }

 private:
  struct Handshake {
    std::string id;    // as JSON
    std::string line;  // as the client sent it
    bool agreed = false;
  };
  void client_request(const rpc::MessageHead& head, std::string_view line, bool batch);
  void keep_wish(const std::string& method, std::string_view line);
  std::string repeated(const std::string& method, const rpc::Json& params);
  bool server_response(const rpc::MessageHead& head);
  void answered(const std::string& id);

  std::size_t most_in_flight_;
  struct Unanswered {
    rpc::RequestId id;
    int times = 0;  // a client may use an id twice at once: the server refuses one of the two
    bool batch = false;
  };
  std::map<std::string, Unanswered> in_flight_;  // by id as JSON
  std::optional<Handshake> handshake_;
  std::string initialized_;         // the client's notification, "" : not sent yet
  std::string log_level_;           // that the client asked for, as JSON; "" : none
  std::set<std::string> watched_;   // URIs
  std::set<std::string> replayed_;  // what was repeated and has no answer yet: ids as JSON
  bool ending_ = false;
};

}  // namespace mahavishnu::app
