#include "mcp/peer.h"

#include <vector>

namespace mahavishnu::mcp {

void Peer::introduce(const rpc::Json& params) {
  const auto told = params.find("capabilities");
  capabilities = told != params.end() ? *told : rpc::Json();
}

bool Peer::take_answer(const rpc::Response& response) {
  const auto found = open.find(response.id.to_json());
  if (found == open.end()) return false;
  found->second->answer(response.outcome);
  return true;
}

void Peer::lose_questions() {
  for (const auto& [id, question] : open) question->lose();
}

OpenQuestion::OpenQuestion(std::shared_ptr<Peer> peer, asio::any_io_executor executor)
    : peer_(std::move(peer)),
      id_{"ask-" + std::to_string(++peer_->asked)},
      ready_(std::move(executor), asio::steady_timer::time_point::max()) {
  peer_->open.emplace(id_.to_json(), this);
}

OpenQuestion::~OpenQuestion() { peer_->open.erase(id_.to_json()); }

void OpenQuestion::answer(std::variant<rpc::Json, rpc::RpcError> outcome) {
  if (outcome_) return;
  outcome_ = std::move(outcome);
  ready_.cancel();
}

void OpenQuestion::lose() {
  lost_ = true;
  ready_.cancel();
}

base::awaitable<base::Result<rpc::Json>> OpenQuestion::wait(asio::steady_timer::time_point until) {
  if (!outcome_ && !lost_) {
    ready_.expires_at(until);
    const auto [failed] = co_await ready_.async_wait(base::as_result);
    if (!failed && !outcome_) {
      co_return base::fail(base::ErrorCode::Deadline, "the client did not answer in time");
    }
  }
  if (!outcome_) {
    co_return base::fail(lost_ ? base::ErrorCode::Unavailable : base::ErrorCode::Cancelled,
                         lost_ ? "the client is gone" : "the call was cancelled");
  }
  if (const auto* refused = std::get_if<rpc::RpcError>(&*outcome_)) {
    co_return base::fail(base::ErrorCode::Unavailable,
                         "the client refused to answer: " + refused->message);
  }
  co_return std::get<rpc::Json>(std::move(*outcome_));
}

}  // namespace mahavishnu::mcp
