// What a client of MCP says, and what it is told: the part that is the same for every server.
//
// Two eras: since 2026-07-28 every request carries the revision it is of; before, a handshake
// agreed on one. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/http_client.h"
#include "outbound/event_reader.h"
#include "outbound/replies.h"
#include "rpc/message.h"

namespace mahavishnu::outbound {

inline constexpr const char* kModern = "2026-07-28";
inline constexpr const char* kOffered = "2025-11-25";  // in a handshake

// How a call came out.
struct Verdict {
  enum class Kind : std::uint8_t {
    Accepted,
    Refused,  // it answered, and does not want this
    Trouble,  // it does not work, for whatever is sent
    Expired,  // the session, or the choice of tools, is not valid any more
    Cancelled,
  };
  Kind kind = Kind::Accepted;
  std::string error = {};
  Json result = {};                                  // of the request; null but for Accepted
  int rpc_code = 0;                                  // of the JSON-RPC error it answered with
  base::ErrorCode code = base::ErrorCode::Internal;  // Unavailable, Deadline: it did not answer
};

// Whether a Verdict says that there is no such method or tool, in one of the ways that are in use.
bool names_unknown(std::string_view error);

Json initialize_params();
// A request's params with what its era and its caller put beside them. `progress`: the token by
// which progress is told, null for none.
Json with_metadata(Json params, bool modern, const Json& progress = {});
bool speaks_modern(const Json& discovered);
// The revision a handshake came to.
std::string agreed_version(const Json& initialized);

// With no id (0) it is a notification.
std::string request_body(std::int64_t id, const std::string& method, Json params);
std::string pong_body(const Json& id);
std::string not_served_body(const Json& id, const std::string& method);

bool answers(const Json& message, std::int64_t id);
// The answer to request `id` in a body that is JSON or a stream of events, or null.
Json find_answer(const std::string& content_type, std::string_view body, std::int64_t id);

Verdict judge_error(const Json& error);
Verdict judge_error(const rpc::RpcError& error);
// Of an HTTP answer to JSON-RPC request `id`; `in_session`: it was sent in one.
Verdict judge_rpc(const base::Result<net::HttpReply>& reply, std::int64_t id, bool in_session);
// Of a status that is no success.
Verdict judge_status(const net::HttpReply& reply, bool in_session);

// The text of a tool's result, its parts on lines of their own.
std::string text_of(const Json& result);

std::string lower(std::string_view text);

}  // namespace mahavishnu::outbound
