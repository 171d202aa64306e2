#include "app/conversation.h"

#include <variant>

#include "app/hello.h"

namespace mahavishnu::app {
namespace {

using Kind = rpc::MessageHead::Kind;

constexpr std::string_view kReplayId = "mahavishnu/replay";
constexpr std::size_t kMostWatched = 1000;  // as a server has it

std::string error_for(const rpc::RequestId& id, const std::string& why) {
  return rpc::encode_error(id, {rpc::error_code::kInternalError, why, nullptr});
}

// The request that notifications/cancelled names, as JSON, or "".
std::string cancelled_request(std::string_view line) {
  const auto message = std::move(rpc::decode(line).messages.front());
  const auto* notification = std::get_if<rpc::Notification>(&message);
  if (notification == nullptr || !notification->params.is_object()) return {};
  const auto id = notification->params.find("requestId");
  return id == notification->params.end() ? std::string() : rpc::dump(*id);
}

rpc::Json params_of(std::string_view line) {
  auto message = std::move(rpc::decode(line).messages.front());
  auto* request = std::get_if<rpc::Request>(&message);
  return request != nullptr ? std::move(request->params) : rpc::Json();
}

}  // namespace

std::string Conversation::from_client(std::string_view line) {
  const auto heads = rpc::heads(line);
  if (heads.size() == 1 && heads[0].kind == Kind::Request && in_flight_.size() >= most_in_flight_) {
    return error_for(heads[0].id, std::to_string(in_flight_.size()) +
                                      " requests have no answer yet, and no more may be sent; "
                                      "retry when one was answered");
  }
  for (const auto& head : heads) {
    if (head.kind == Kind::Request) {
      client_request(head, line, heads.size() > 1);
    } else if (head.method == "notifications/initialized") {
      initialized_ = line;
    } else if (head.method == "notifications/cancelled") {
      answered(cancelled_request(line));  // a cancelled request gets no answer
    }
  }
  return {};
}

void Conversation::client_request(const rpc::MessageHead& head, std::string_view line, bool batch) {
  Unanswered& request = in_flight_[head.id.to_json()];
  request.id = head.id;
  request.batch = batch;
  ++request.times;
  if (head.method == "initialize" && !batch) {
    handshake_ = Handshake{head.id.to_json(), std::string(line), false};
  }
  if (!batch) keep_wish(head.method, line);
}

// What holds until the session's end, and so for the next server.
void Conversation::keep_wish(const std::string& method, std::string_view line) {
  const bool watches = method == "resources/subscribe";
  const bool leaves = method == "resources/unsubscribe";
  const bool sets_level = method == "logging/setLevel";
  if (!watches && !leaves && !sets_level) return;
  const auto params = params_of(line);
  const char* name = sets_level ? "level" : "uri";
  if (!params.is_object() || !params.contains(name) || !params[name].is_string()) return;
  const std::string value = params[name].get<std::string>();
  if (sets_level) log_level_ = value;
  if (leaves) watched_.erase(value);
  if (watches && watched_.size() < kMostWatched) watched_.insert(value);
}

bool Conversation::from_server(std::string_view line) {
  bool wanted = true;
  for (const auto& head : rpc::heads(line)) {
    if (head.kind == Kind::Response) {
      wanted = server_response(head);
    } else if (head.method == kEndingMethod) {
      ending_ = true;
      wanted = false;
    }
  }
  return wanted;
}

bool Conversation::server_response(const rpc::MessageHead& head) {
  const std::string id = head.id.to_json();
  if (replayed_.erase(id) > 0) return false;
  if (handshake_ && !handshake_->agreed && handshake_->id == id) {
    if (head.failed) {
      handshake_.reset();
    } else {
      handshake_->agreed = true;
    }
  }
  if (id == "null") {
    // A batch that was refused as a whole; which one cannot be told, and clients send one at a
    // time.
    std::erase_if(in_flight_, [](const auto& entry) { return entry.second.batch; });
  } else {
    answered(id);
  }
  return true;
}

void Conversation::answered(const std::string& id) {
  const auto found = in_flight_.find(id);
  if (found != in_flight_.end() && --found->second.times == 0) in_flight_.erase(found);
}

std::vector<std::string> Conversation::lost(const std::string& why) {
  std::vector<std::string> answers;
  const bool asks_again = handshake_ && !handshake_->agreed;
  for (auto at = in_flight_.begin(); at != in_flight_.end();) {
    if (asks_again && at->first == handshake_->id) {
      ++at;
      continue;
    }
    for (int i = 0; i < at->second.times; ++i) answers.push_back(error_for(at->second.id, why));
    at = in_flight_.erase(at);
  }
  replayed_.clear();
  return answers;
}

// A request of the client's under an id that is not the client's.
std::string Conversation::repeated(const std::string& method, const rpc::Json& params) {
  const rpc::RequestId id{std::string(kReplayId) +
                          (replayed_.empty() ? "" : std::to_string(replayed_.size()))};
  replayed_.insert(id.to_json());
  return rpc::encode_request(id, method, params);
}

std::vector<std::string> Conversation::replay() {
  ending_ = false;
  if (!handshake_) return {};
  if (!handshake_->agreed) return {handshake_->line};
  std::vector<std::string> lines{repeated("initialize", params_of(handshake_->line))};
  if (!initialized_.empty()) lines.push_back(initialized_);
  if (!log_level_.empty()) lines.push_back(repeated("logging/setLevel", {{"level", log_level_}}));
  for (const auto& uri : watched_) lines.push_back(repeated("resources/subscribe", {{"uri", uri}}));
  return lines;
}

std::vector<std::string> Conversation::missed() const {
  std::vector<std::string> lines;
  for (const auto& uri : watched_) {
    lines.push_back(rpc::encode_notification("notifications/resources/updated", {{"uri", uri}}));
  }
  return lines;
}

}  // namespace mahavishnu::app
