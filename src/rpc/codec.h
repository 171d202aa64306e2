// Bytes ⇄ messages. Where simdjson and nlohmann meet (codec.cpp, known_documents.cpp): simdjson's
// DOM validates the whole text (a −32700 answer needs that), nlohmann is what the inside works with.
//
// Pure functions; any thread. Limits are the caller's: bytes are limited by the door, depth here.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rpc/message.h"

namespace mahavishnu::rpc {

struct DecodeLimits {
  std::size_t max_depth = 128;  // nested arrays and objects
  std::size_t max_batch = 100;  // messages in one batch
};

// What one text held. A batch is told apart (only some revisions of MCP allow it); an empty batch
// is one Malformed. Duplicate keys are refused (two parsers may disagree about them). Integers
// beyond 64 bits and numbers beyond a double are refused as −32600 with the reason, never rounded
// silently.
struct Decoded {
  bool batch = false;
  std::vector<Message> messages;  // never empty
};
// `metadata` names a member of params that clients repeat in every request: it is set aside, and
// built only once for the same text ("": there is none).
Decoded decode(std::string_view text, const DecodeLimits& limits = {},
               std::string_view metadata = {});

// What a forwarder must know of a message, without building it.
struct MessageHead {
  enum class Kind { Request, Notification, Response };
  Kind kind = Kind::Notification;
  RequestId id;          // of a request or response
  std::string method;    // of a request or notification
  bool failed = false;   // a response with an error
};
// One for each message of the text; none for what is not a message.
std::vector<MessageHead> heads(std::string_view text);

// One plain document under the same rules, for doors whose bodies are no JSON-RPC. InvalidArgument
// says what is wrong and where.
base::Result<Json> parse(std::string_view text, const DecodeLimits& limits = {});

// One line without newline. `result_json` is JSON text already: hot paths build no document.
std::string encode_result(const RequestId& id, std::string_view result_json);
// The same in three steps, for a result that is appended in place between them.
void begin_result(std::string& out, const RequestId& id);
void end_result(std::string& out);
std::string encode_error(const RequestId& id, const RpcError& error);
std::string encode_notification(std::string_view method, const Json& params);
std::string encode_request(const RequestId& id, std::string_view method, const Json& params);

// Appends `text` as a JSON string with its quotes. Invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

// Document → text, never throwing on invalid UTF-8 (it becomes U+FFFD).
std::string dump(const Json& document);

}  // namespace mahavishnu::rpc
