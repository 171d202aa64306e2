#include "mcp/request_state.h"

#include "base/base64.h"
#include "base/sha256.h"
#include "rpc/codec.h"

namespace mahavishnu::mcp {
namespace {

using rpc::Json;

std::int64_t milliseconds(base::WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

tl::unexpected<base::Error> refused(const char* why) {
  return base::fail(base::ErrorCode::InvalidArgument, std::string("params.requestState ") + why +
                                                          "; make the request anew without it");
}

}  // namespace

RequestState::RequestState(std::string key, std::chrono::milliseconds lives)
    : signer_(std::move(key)), lives_(lives) {}

std::string RequestState::digest(std::string_view caller, std::string_view method,
                                 const Json& params) {
  return base::sha256_hex(rpc::dump(Json::array({caller, method, params})));
}

base::Result<std::string> RequestState::seal(const Answers& answers, std::string_view digest,
                                             base::WallTime now) const {
  const Json held{{"answers", answers}, {"call", digest}, {"until", milliseconds(now + lives_)}};
  const std::string payload = base::encode_base64(rpc::dump(held));
  if (payload.size() > kMaxBytes) {
    return base::fail(base::ErrorCode::Exhausted, "the answers of this call are too long to keep");
  }
  return payload + "." + signer_.sign(payload);
}

base::Result<Answers> RequestState::open(std::string_view state, std::string_view digest,
                                         base::WallTime now) const {
  const std::size_t dot = state.find('.');
  if (state.size() > kMaxBytes + 64 || dot == std::string_view::npos) {
    return refused("is not one of this server's");
  }
  const std::string_view payload = state.substr(0, dot);
  const std::string_view signature = state.substr(dot + 1);
  if (!signer_.is_signature(signature, payload)) return refused("is not one of this server's");
  // Signed here, so it has the form that `seal` gave it.
  const Json held = Json::parse(base::decode_base64(payload).value_or(""));
  if (held.at("call").get_ref<const std::string&>() != digest) {
    return refused("belongs to another request");
  }
  if (milliseconds(now) > held.at("until").get<std::int64_t>()) return refused("is over");
  return held.at("answers").get<Answers>();
}

}  // namespace mahavishnu::mcp
