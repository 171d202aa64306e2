#include "mcp/eras.h"

#include <array>
#include <utility>

#include "mcp/error_map.h"
#include "mcp/nearest.h"

namespace mahavishnu::mcp {
namespace {

constexpr std::array<std::pair<Revision, std::string_view>, 6> kRevisions{{
    {Revision::k2024_10_07, "2024-10-07"},
    {Revision::k2024_11_05, "2024-11-05"},
    {Revision::k2025_03_26, "2025-03-26"},
    {Revision::k2025_06_18, "2025-06-18"},
    {Revision::k2025_11_25, "2025-11-25"},
    {Revision::k2026_07_28, "2026-07-28"},
}};

rpc::RpcError missing(const char* key, const char* kind) {
  return rpc_error(error_code::kInvalidParams, "params._meta[\"" + std::string(key) +
                                                   "\"] must be " + kind +
                                                   " in every request of this revision");
}

}  // namespace

std::string_view to_string(Revision revision) {
  return kRevisions[static_cast<std::size_t>(revision)].second;
}

std::optional<Revision> parse_revision(std::string_view text) {
  for (const auto& [revision, name] : kRevisions) {
    if (name == text) return revision;
  }
  return std::nullopt;
}

Revision negotiate(std::string_view requested) {
  const auto found = parse_revision(requested);
  return found && !is_modern(*found) ? *found : kNewestLegacy;
}

const rpc::Json* meta_member(const Meta& meta, const char* key) {
  if (!meta || !meta->is_object()) return nullptr;
  const auto member = meta->find(key);
  return member != meta->end() ? &*member : nullptr;
}

const rpc::Json* claimed_version(const Meta& meta) {
  return meta_member(meta, meta_key::kProtocolVersion);
}

std::optional<rpc::RpcError> check_metadata(const Meta& meta) {
  const rpc::Json* version = claimed_version(meta);
  if (version == nullptr || !version->is_string()) {
    return missing(meta_key::kProtocolVersion, "a string");
  }
  const auto& text = version->get_ref<const std::string&>();
  const auto revision = parse_revision(text);
  if (!revision || !is_modern(*revision)) return unsupported_version(text);
  const rpc::Json* capabilities = meta_member(meta, meta_key::kClientCapabilities);
  if (capabilities == nullptr || !capabilities->is_object()) {
    return missing(meta_key::kClientCapabilities, "an object");
  }
  const rpc::Json* info = meta_member(meta, meta_key::kClientInfo);  // optional
  if (info != nullptr && !info->is_object()) return missing(meta_key::kClientInfo, "an object");
  return std::nullopt;
}

tl::expected<std::string, rpc::RpcError> requested_version(const rpc::Json& params) {
  if (params.is_object()) {
    const auto version = params.find("protocolVersion");
    if (version != params.end() && version->is_string()) return version->get<std::string>();
  }
  return tl::unexpected(rpc_error(error_code::kInvalidParams,
                                  "params.protocolVersion must be a string, such as 2025-11-25"));
}

rpc::RpcError unsupported_version(std::string_view requested) {
  rpc::RpcError error =
      rpc_error(error_code::kUnsupportedProtocolVersion,
                "unsupported protocol version " + in_quotes(requested) +
                    "; this server speaks 2026-07-28, and by initialize 2025-11-25, "
                    "2025-06-18, 2025-03-26 and 2024-11-05");
  error.data =
      rpc::Json{{"supported", rpc::Json::array({to_string(kModern)})}, {"requested", requested}};
  return error;
}

}  // namespace mahavishnu::mcp
