// The revisions of MCP, what each of them has, and which one a message belongs to. Pure.
//
// "Modern" (2026-07-28 on) states its revision in every request's params._meta; "legacy" agrees on
// one by a handshake. The body alone decides (2026-07-28, basic/versioning); headers only
// cross-check it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "rpc/message.h"

namespace mahavishnu::mcp {

enum class Revision {
  k2024_10_07,  // tolerated: a draft that some clients still list
  k2024_11_05,
  k2025_03_26,
  k2025_06_18,
  k2025_11_25,
  k2026_07_28,
};

inline constexpr Revision kNewestLegacy = Revision::k2025_11_25;
inline constexpr Revision kModern = Revision::k2026_07_28;

std::string_view to_string(Revision revision);
std::optional<Revision> parse_revision(std::string_view text);

inline bool is_modern(Revision revision) { return revision >= kModern; }
// tools[].annotations; a message in notifications/progress.
inline bool has_annotations(Revision revision) { return revision >= Revision::k2025_03_26; }
// title, outputSchema and structuredContent.
inline bool has_structure(Revision revision) { return revision >= Revision::k2025_06_18; }
// Tasks as an experiment, with which later revisions share nothing but the name.
inline bool has_tried_tasks(Revision revision) { return revision == Revision::k2025_11_25; }
// Batches came with 2025-03-26 and went with 2025-06-18.
inline bool has_batches(Revision revision) { return revision == Revision::k2025_03_26; }

// Events without data, which tell a client that it may come back (SEP-1699).
inline bool has_polling(Revision revision) { return revision == Revision::k2025_11_25; }

// What `initialize` answers: the revision asked for, or the newest legacy one. Never modern.
Revision negotiate(std::string_view requested);

namespace meta_key {
inline constexpr const char* kProtocolVersion = "io.modelcontextprotocol/protocolVersion";
inline constexpr const char* kClientInfo = "io.modelcontextprotocol/clientInfo";
inline constexpr const char* kClientCapabilities = "io.modelcontextprotocol/clientCapabilities";
inline constexpr const char* kServerInfo = "io.modelcontextprotocol/serverInfo";
inline constexpr const char* kLogLevel = "io.modelcontextprotocol/logLevel";
inline constexpr const char* kSubscriptionId = "io.modelcontextprotocol/subscriptionId";
inline constexpr const char* kProgressToken = "progressToken";
inline constexpr const char* kRelatedTask = "io.modelcontextprotocol/related-task";
}  // namespace meta_key

inline constexpr const char* kTasksExtension = "io.modelcontextprotocol/tasks";

// The member of params that every modern request repeats, set aside by the codec.
inline constexpr std::string_view kMeta = "_meta";
using Meta = std::shared_ptr<const rpc::Json>;  // null: absent

// A member of params._meta; nullptr when it is absent or _meta is no object.
const rpc::Json* meta_member(const Meta& meta, const char* key);

// The protocolVersion in params._meta, whatever its type; nullptr: not a modern message.
const rpc::Json* claimed_version(const Meta& meta);

// What is wrong with a modern request's metadata: -32602 when a required field is missing or of the
// wrong type, -32022 when the revision is not served in this era.
std::optional<rpc::RpcError> check_metadata(const Meta& meta);

// params.protocolVersion of `initialize`; -32602 when there is none.
tl::expected<std::string, rpc::RpcError> requested_version(const rpc::Json& params);

// -32022 with data {supported, requested}. `supported` lists the modern revisions only: another
// revision is reached by `initialize`, not by repeating the request.
rpc::RpcError unsupported_version(std::string_view requested);

}  // namespace mahavishnu::mcp
