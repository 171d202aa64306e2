#include "mcp/active_call.h"

#include "mcp/error_map.h"
#include "mcp/nearest.h"
#include "mcp/task_views.h"
#include "rpc/codec.h"

namespace mahavishnu::mcp {
namespace {

using Clock = asio::steady_timer::clock_type;

// A form is what a client without a word about modes means (2025-11-25, client/elicitation).
bool takes_forms(const Json& elicitation) {
  return elicitation.empty() || elicitation.contains("form") || !elicitation.contains("url");
}

// Whether `answer` has the form of an answer to such a question.
bool fits(Ask what, const Json& answer) {
  if (!answer.is_object()) return false;
  const auto has = [&answer](const char* name, Json::value_t type) {
    const auto member = answer.find(name);
    return member != answer.end() && member->type() == type;
  };
  switch (what) {
    case Ask::Elicitation: {
      if (!has("action", Json::value_t::string)) return false;
      const auto& action = answer["action"].get_ref<const std::string&>();
      if (action == "accept") return has("content", Json::value_t::object);
      return action == "decline" || action == "cancel";
    }
    case Ask::Sampling:
      return has("role", Json::value_t::string) && answer.contains("content");
    case Ask::Roots:
      break;
  }
  return has("roots", Json::value_t::array);
}

rpc::RpcError missing_capability(Ask what) {
  const std::string name(capability_of(what));
  auto error = rpc_error(error_code::kMissingRequiredClientCapability,
                         "this call needs a client with the capability " + in_quotes(name));
  error.data = Json{{"requiredCapabilities", {{name, Json::object()}}}};
  return error;
}

// Tells the client that nobody waits for its answer any more.
std::string taken_back(const rpc::RequestId& question) {
  const Json params{{"requestId", Json::parse(question.to_json())},
                    {"reason", "the answer took too long"}};
  return rpc::encode_notification("notifications/cancelled", params);
}

// For the handler, which returns it; the client gets what `instead` says.
tl::unexpected<base::Error> round_ended() {
  return base::fail(base::ErrorCode::Unavailable, "the client is asked first");
}

// Known to the call as long as it waits, so that a lost peer ends the waiting.
class Listed {
 public:
  Listed(std::list<OpenQuestion*>& list, OpenQuestion* question)
      : list_(list), place_(list.insert(list.end(), question)) {}
  ~Listed() { list_.erase(place_); }
  Listed(const Listed&) = delete;
  Listed& operator=(const Listed&) = delete;

 private:
  std::list<OpenQuestion*>& list_;
  std::list<OpenQuestion*>::iterator place_;
};

}  // namespace

ActiveCall::ActiveCall(const Ground& ground, const View& view, const PreparedCall& call,
                       NoticeSink* sink)
    : ground_(ground), view_(view), call_(call), sink_(sink) {}

Notices& ActiveCall::notices() {
  if (!notices_) {
    notices_.emplace(ground_.executor, call_.revision, ground_.options.progress_interval, *sink_);
    notices_->on_lost([this] {
      for (OpenQuestion* question : asked_) question->lose();
    });
  }
  return *notices_;
}

bool ActiveCall::wants_progress() const {
  return sink_ != nullptr && !call_.progress_token.is_null();
}

void ActiveCall::progress(double progress, double total, std::string message) {
  if (!wants_progress()) return;
  notices().report(call_.progress_token, progress, total, std::move(message));
}

void ActiveCall::log(LogLevel level, std::string logger, Json data) {
  if (sink_ == nullptr) return;
  std::optional<LogLevel> asked;
  if (call_.peer) asked = call_.peer->log_level;
  if (const Json* text = meta_member(call_.metadata, meta_key::kLogLevel)) {
    LogLevel named{};
    if (text->is_string() && parse_log_level(text->get_ref<const std::string&>(), named)) {
      asked = named;
    }
  }
  if (!asked || level < *asked) return;
  Json params{{"level", to_string(level)}, {"data", std::move(data)}};
  add_text(params, "logger", logger);
  notices().post(rpc::encode_notification("notifications/message", params));
}

const Json* ActiveCall::capability(Ask what) const {
  const Json* capabilities = is_modern(call_.revision)
                                 ? meta_member(call_.metadata, meta_key::kClientCapabilities)
                             : call_.peer ? &call_.peer->capabilities
                                          : nullptr;
  if (capabilities == nullptr || !capabilities->is_object()) return nullptr;
  const auto found = capabilities->find(capability_of(what));
  return found != capabilities->end() && found->is_object() ? &*found : nullptr;
}

bool ActiveCall::can_ask(Ask what) const {
  if (is_modern(call_.revision) ? call_.rounds == nullptr : sink_ == nullptr) return false;
  const Json* declared = capability(what);
  return declared != nullptr && (what != Ask::Elicitation || takes_forms(*declared));
}

base::awaitable<base::Result<Answers>> ActiveCall::ask(std::vector<Question> questions) {
  if (instead_) co_return round_ended();
  if (questions.empty()) co_return Answers{};
  for (const Question& question : questions) {
    if (can_ask(question.what)) continue;
    const rpc::RpcError missing = missing_capability(question.what);
    if (is_modern(call_.revision)) instead_ = missing;
    co_return base::fail(base::ErrorCode::Unavailable, missing.message);
  }
  if (is_modern(call_.revision)) co_return ask_by_rounds(questions);
  auto answers = co_await ask_on_stream(std::move(questions));
  co_return answers;
}

base::Result<Answers> ActiveCall::ask_by_rounds(const std::vector<Question>& questions) {
  Answers answers;
  std::vector<Question> open;
  for (const Question& question : questions) {
    auto found = call_.rounds->kept.find(question.key);
    bool there = found != call_.rounds->kept.end();
    if (!there) {
      found = call_.rounds->given.find(question.key);
      there = found != call_.rounds->given.end();
    }
    if (there && fits(question.what, found->second)) {
      answers.emplace(question.key, found->second);
      used_.emplace(question.key, found->second);
    } else {
      open.push_back(question);
    }
  }
  if (open.empty()) return answers;
  if (auto ended = end_round(open); !ended) return base::fail(ended.error());
  return round_ended();
}

base::Status ActiveCall::end_round(const std::vector<Question>& open) {
  auto state = ground_.states.seal(used_, call_.rounds->digest, base::wall_now());
  if (!state) return base::fail(state.error());
  Json requests = Json::object();
  for (const Question& question : open) {
    requests[question.key] = {{"method", method_of(question.what)}, {"params", question.params}};
  }
  const Json result{{"inputRequests", std::move(requests)}, {"requestState", std::move(*state)}};
  instead_ = Members{members_text(result), ResultKind::InputRequired};
  return {};
}

base::awaitable<base::Result<Answers>> ActiveCall::ask_on_stream(std::vector<Question> questions) {
  if (call_.peer->open.size() + questions.size() > Peer::kMostOpen) {
    co_return base::fail(base::ErrorCode::Exhausted, "too many questions wait for this client");
  }
  const auto until = Clock::now() + ground_.options.ask_time;
  std::list<OpenQuestion> open;
  std::list<Listed> listed;
  for (const Question& question : questions) {
    OpenQuestion& one = open.emplace_back(call_.peer, ground_.executor);
    listed.emplace_back(asked_, &one);
    const bool posted =
        notices().post(rpc::encode_request(one.id(), method_of(question.what), question.params));
    if (!posted) co_return base::fail(base::ErrorCode::Unavailable, "the client is gone");
  }
  Answers answers;
  auto next = open.begin();
  for (const Question& question : questions) {
    auto answer = co_await next->wait(until);
    if (!answer) {
      if (answer.error().code == base::ErrorCode::Deadline) notices().post(taken_back(next->id()));
      co_return base::fail(answer.error());
    }
    ++next;
    if (!fits(question.what, *answer)) {
      co_return base::fail(
          base::ErrorCode::InvalidArgument,
          "the client's answer to " + std::string(method_of(question.what)) + " is not one");
    }
    answers.emplace(question.key, std::move(*answer));
  }
  co_return answers;
}

base::Error ActiveCall::hand_over(const TaskView& task) {
  if (call_.task_wish == TaskWish::No) return Call::hand_over(task);
  handed_over_ = task.subject;
  Json seed = task_json(task, call_.revision);
  if (is_modern(call_.revision)) {
    instead_ = Members{members_text(seed), ResultKind::Task};
  } else {
    instead_ = Members{members_text(Json{{"task", std::move(seed)}})};
    TaskHandles& tasks = call_.peer->tasks;
    if (tasks.size() >= Peer::kMostWatched) tasks.erase(tasks.begin());
    if (!is_over(task.state)) tasks.emplace(task.subject, task.id);
  }
  return {base::ErrorCode::Unavailable, "the call goes on as a task", 0};
}

base::awaitable<void> ActiveCall::finish() {
  if (notices_) co_await notices_->finish();
}

base::awaitable<void> ActiveCall::abandon() {
  if (notices_) co_await notices_->abandon();
}

std::string members_text(const Json& object) {
  const std::string text = rpc::dump(object);
  return text.substr(1, text.size() - 2);
}

}  // namespace mahavishnu::mcp
