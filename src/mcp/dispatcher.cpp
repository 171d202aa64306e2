#include "mcp/dispatcher.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>
#include <initializer_list>

#include "base/log.h"
#include "mcp/error_map.h"
#include "mcp/nearest.h"
#include "rpc/codec.h"

namespace mahavishnu::mcp {
namespace {

using rpc::Json;

constexpr int kForbidden = 403;

Capabilities capabilities_of_offer(const Registry& registry, const Catalog& catalog) {
  const Offer& offer = catalog.offer();
  Capabilities out;
  out.tools = !registry.empty();
  out.completions = catalog.has_completions();
  out.prompts = catalog.has_prompts();
  out.resources = catalog.has_resources();
  out.logs = offer.logs;
  out.tools_change = out.tools && offer.tools_change;
  out.prompts_change = out.prompts && offer.prompts_change;
  out.resources_change = out.resources && offer.resources_change;
  out.resources_update = out.resources && offer.resources_update;
  out.tasks = out.tools && offer.tasks.keeper != nullptr;
  return out;
}

// What is declared is served, and nothing else.
std::vector<std::string_view> methods_of(const Capabilities& c, bool modern) {
  std::vector<std::string_view> out;
  if (modern) {
    out = {"server/discover"};
  } else {
    out = {"initialize", "ping"};
  }
  const auto add = [&out](bool there, std::initializer_list<std::string_view> methods) {
    if (there) out.insert(out.end(), methods);
  };
  add(c.tools, {"tools/list", "tools/call"});
  add(c.resources, {"resources/list", "resources/templates/list", "resources/read"});
  add(c.prompts, {"prompts/list", "prompts/get"});
  add(c.completions, {"completion/complete"});
  add(modern && c.tells(), {"subscriptions/listen"});
  add(c.tasks, {"tasks/get", "tasks/cancel"});
  add(modern && c.tasks, {"tasks/update"});
  add(!modern && c.tasks, {"tasks/result", "tasks/list"});
  add(!modern && c.resources_update, {"resources/subscribe", "resources/unsubscribe"});
  add(!modern && c.logs, {"logging/setLevel"});
  return out;
}

rpc::RpcError invalid_params(std::string message) {
  return rpc_error(error_code::kInvalidParams, std::move(message));
}

// params._meta.progressToken: null when absent; an error when it is no token.
base::Result<Json> progress_token(const Meta& meta) {
  const Json* token = meta_member(meta, meta_key::kProgressToken);
  if (token == nullptr) return Json();
  if (token->is_string() || token->is_number_integer()) return *token;
  return base::fail(base::ErrorCode::InvalidArgument,
                    "params._meta.progressToken must be a string or an integer");
}

// What is wrong with the parameters of tools/call themselves, or "".
std::string malformed_call(const Json& params) {
  if (!params.is_object()) return "params must be an object with a name";
  const auto name = params.find("name");
  if (name == params.end()) return "params.name is missing: the tool to call";
  if (!name->is_string()) return "params.name must be a string";
  const auto arguments = params.find("arguments");
  if (arguments != params.end() && !arguments->is_object()) {
    return "params.arguments must be an object";
  }
  return "";
}

}  // namespace

Reply refusal(const rpc::RequestId& id, const rpc::RpcError& error, Revision revision) {
  return Reply{rpc::encode_error(id, error), http_status(error, is_modern(revision))};
}

Dispatcher::Dispatcher(asio::any_io_executor executor, const ServerOptions& options,
                       Registry registry, Catalog catalog, Observer observer)
    : executor_(executor),
      options_(options),
      registry_(std::move(registry)),
      catalog_(std::move(catalog)),
      capabilities_(capabilities_of_offer(registry_, catalog_)),
      offer_requests_(catalog_, options_.page_size),
      task_requests_(catalog_.offer().tasks, registry_),
      legacy_methods_(methods_of(capabilities_, false)),
      modern_methods_(methods_of(capabilities_, true)),
      results_(options, capabilities_),
      states_(options.state_key, options.ask_time),
      ground_{executor, options_, states_},
      subscriptions_(executor),
      observer_(std::move(observer)),
      calls_(executor) {}

bool Dispatcher::knows(std::string_view method, Revision revision) const {
  if (!is_modern(revision) && !has_tried_tasks(revision) && method.starts_with("tasks/")) {
    return false;
  }
  const auto& methods = is_modern(revision) ? modern_methods_ : legacy_methods_;
  return std::find(methods.begin(), methods.end(), method) != methods.end();
}

const std::vector<HeaderParam>* Dispatcher::header_params(std::string_view tool,
                                                          const View& view) const {
  if (!registry_.has_header_params()) return nullptr;
  const auto entry = registry_.choose(tool, view);
  return entry && !(*entry)->header_params.empty() ? &(*entry)->header_params : nullptr;
}

Reply Dispatcher::unknown_method(const rpc::Request& request, Revision revision) const {
  std::string message = "unknown method " + in_quotes(request.method);
  if (is_modern(revision) && request.method == "initialize") {
    message += ": " + std::string(to_string(revision)) +
               " has no handshake; without _meta it is served for 2025-11-25 and earlier";
  } else {
    message +=
        did_you_mean(request.method, is_modern(revision) ? modern_methods_ : legacy_methods_);
  }
  return refusal(request.id, rpc_error(error_code::kMethodNotFound, message), revision);
}

Reply Dispatcher::failed(const rpc::RequestId& id, const base::Error& error,
                         Revision revision) const {
  return Reply{rpc::encode_result(id, results_.tool_error(revision, tool_error_text(error)))};
}

Reply Dispatcher::overloaded(const PreparedCall& call, std::size_t in_flight) const {
  const base::Error error{base::ErrorCode::Exhausted,
                          std::to_string(in_flight) +
                              " calls are in flight here, and no more may be; retry when one ended",
                          100};
  if (call.entry == nullptr) {
    return refusal(call.id, offer_error(error, "", call.revision), call.revision);
  }
  return failed(call.id, error, call.revision);
}

std::variant<Reply, PreparedCall> Dispatcher::accept(rpc::Request request, Revision revision,
                                                     const View& view,
                                                     const std::shared_ptr<Peer>& peer) {
  if (request.method == "tools/call" && capabilities_.tools) {
    return accept_call(std::move(request), revision, view, peer);
  }
  if (!knows(request.method, revision)) return unknown_method(request, revision);
  if (!request.params.is_null() && !request.params.is_object()) {
    return refusal(request.id, invalid_params("params must be an object"), revision);
  }
  if (request.method == "tools/list") return list(request, revision, view);
  if (request.method == "subscriptions/listen") return accept_listen(std::move(request), view);
  if (request.method.starts_with("tasks/")) {
    return accept_task(std::move(request), revision, view, peer);
  }
  if (peer) {
    if (auto reply = accept_from_peer(request, revision, *peer)) return std::move(*reply);
  }
  if (auto taken = offer_requests_.take(request.method, request.params, revision)) {
    return accept_offer(std::move(request), std::move(*taken), revision, view, peer);
  }
  const std::string result =
      request.method == "server/discover" ? results_.discover() : results_.empty(revision);
  return Reply{rpc::encode_result(request.id, result)};
}

Reply Dispatcher::list(const rpc::Request& request, Revision revision, const View& view) {
  const auto page = registry_.listed(revision, view, request.params, options_.page_size);
  if (!page) return refusal(request.id, invalid_params(page.error().message), revision);
  const std::string result = results_.list(revision, "tools", (*page)->array, (*page)->next);
  return Reply{rpc::encode_result(request.id, result)};
}

base::Result<std::shared_ptr<const Rounds>> Dispatcher::rounds_of(const PreparedCall& call,
                                                                  const rpc::Request& request,
                                                                  const View& view) const {
  Rounds rounds;
  Json params = request.params;
  if (call.entry != nullptr) params["arguments"] = call.arguments;  // they were moved out
  const Json responses = params.value("inputResponses", Json::object());
  const Json state = params.value("requestState", Json());
  params.erase("inputResponses");
  params.erase("requestState");
  rounds.digest = RequestState::digest(view.caller, request.method, params);
  if (!responses.is_object()) {
    return base::fail(base::ErrorCode::InvalidArgument,
                      "params.inputResponses must be an object of answers");
  }
  rounds.given = responses.get<Answers>();
  if (state.is_null()) return std::make_shared<const Rounds>(std::move(rounds));
  if (!state.is_string()) {
    return base::fail(base::ErrorCode::InvalidArgument, "params.requestState must be a string");
  }
  auto kept = states_.open(state.get_ref<const std::string&>(), rounds.digest, base::wall_now());
  if (!kept) return base::fail(kept.error());
  rounds.kept = std::move(*kept);
  return std::make_shared<const Rounds>(std::move(rounds));
}

std::optional<rpc::RpcError> Dispatcher::fill(PreparedCall& call, const rpc::Request& request,
                                              Revision revision, const View& view,
                                              const std::shared_ptr<Peer>& peer, bool asks) {
  call.revision = revision;
  call.peer = peer;
  if (is_modern(revision)) {
    const Json* level =
        capabilities_.logs ? meta_member(request.metadata, meta_key::kLogLevel) : nullptr;
    LogLevel known{};
    if (level != nullptr &&
        (!level->is_string() || !parse_log_level(level->get_ref<const std::string&>(), known))) {
      return invalid_params("params._meta[\"" + std::string(meta_key::kLogLevel) +
                            "\"] must be a level such as info");
    }
    if (asks) {
      auto rounds = rounds_of(call, request, view);
      if (!rounds) return invalid_params(rounds.error().message);
      call.rounds = std::move(*rounds);
    }
    call.metadata = request.metadata;
  }
  return std::nullopt;
}

std::variant<Reply, PreparedCall> Dispatcher::accept_offer(rpc::Request request,
                                                           OfferRequests::Taken taken,
                                                           Revision revision, const View& view,
                                                           const std::shared_ptr<Peer>& peer) {
  if (const auto* error = std::get_if<rpc::RpcError>(&taken)) {
    return refusal(request.id, *error, revision);
  }
  if (const auto* page = std::get_if<ListPage>(&taken)) {
    const std::string result =
        results_.list(revision, page->member, rpc::dump(page->items), page->next);
    return Reply{rpc::encode_result(request.id, result)};
  }
  if (draining_) {
    return refusal(request.id, rpc_error(error_code::kInternalError, "the server is shutting down"),
                   revision);
  }
  auto token = progress_token(request.metadata);
  if (!token) return refusal(request.id, invalid_params(token.error().message), revision);
  PreparedCall call;
  auto work = std::make_shared<OfferWork>(std::move(std::get<OfferWork>(taken)));
  if (const auto error = fill(call, request, revision, view, peer, work->asks)) {
    return refusal(request.id, *error, revision);
  }
  call.id = std::move(request.id);
  call.progress_token = std::move(*token);
  call.work = std::move(work);
  return call;
}

std::variant<Reply, PreparedCall> Dispatcher::accept_task(rpc::Request request, Revision revision,
                                                          const View& view,
                                                          const std::shared_ptr<Peer>& peer) {
  if (request.params.is_null()) request.params = Json::object();
  auto taken = task_requests_.take(request, revision, view);
  if (const auto* error = std::get_if<rpc::RpcError>(&taken)) {
    return refusal(request.id, *error, revision);
  }
  PreparedCall call;
  call.task = std::make_shared<const TaskWork>(std::move(std::get<TaskWork>(taken)));
  if (const auto error = fill(call, request, revision, view, peer, false)) {
    return refusal(request.id, *error, revision);
  }
  call.id = std::move(request.id);
  return call;
}

std::variant<Reply, PreparedCall> Dispatcher::accept_call(rpc::Request request, Revision revision,
                                                          const View& view,
                                                          const std::shared_ptr<Peer>& peer) {
  Json& params = request.params;
  if (std::string wrong = malformed_call(params); !wrong.empty()) {
    return refusal(request.id, invalid_params(std::move(wrong)), revision);
  }
  auto token = progress_token(request.metadata);
  if (!token) return refusal(request.id, invalid_params(token.error().message), revision);
  const auto arguments = params.find("arguments");
  const auto& name = params["name"].get_ref<const std::string&>();
  auto call =
      prepare(name, arguments == params.end() ? Json::object() : std::move(*arguments), view);
  if (!call && call.error().code == base::ErrorCode::NotFound) {
    return refusal(request.id, invalid_params(call.error().message), revision);
  }
  if (!call) {
    Reply reply = failed(request.id, call.error(), revision);
    if (call.error().code == base::ErrorCode::Denied) reply.challenge = challenge(name, view);
    if (!reply.challenge.empty()) reply.status = kForbidden;
    return reply;
  }
  const auto wish = task_requests_.wish(call->entry->tool, request, revision, view);
  if (!wish) return refusal(request.id, wish.error(), revision);
  call->task_wish = *wish;
  if (const KeptAnswer* answer = at_hand(*call)) {
    return succeeded(request.id, answer, revision, call->seen);
  }
  if (const auto error = fill(*call, request, revision, view, peer, call->entry->tool.asks)) {
    return refusal(request.id, *error, revision);
  }
  call->id = std::move(request.id);
  call->progress_token = std::move(*token);
  return std::move(*call);
}

std::string Dispatcher::challenge(std::string_view tool, const View& view) const {
  const auto entry = registry_.choose(tool, view);
  return entry && view.permit ? view.permit->challenge((*entry)->tool) : std::string();
}

const KeptAnswer* Dispatcher::at_hand(PreparedCall& call) {
  const Registry::Entry& entry = *call.entry;
  if (!entry.tool.at_hand) return nullptr;
  const KeptAnswer* answer = nullptr;
  try {
    answer = entry.tool.at_hand(call.arguments);
  } catch (const std::exception& e) {
    base::log()->error("tool {}: looking at hand ended by an exception: {}", entry.tool.name,
                       e.what());
  }
  if (answer != nullptr) call.seen = observe(&entry, call.seen, true);
  return answer;
}

base::MonoTime Dispatcher::observe(const Registry::Entry* entry, base::MonoTime started,
                                   bool ok) const {
  if (!observer_.call || entry == nullptr) return begun(observer_.stage);
  const base::MonoTime now = base::mono_now();
  const base::MonoTime::duration took = now - started;
  observer_.call(entry->tool.name, took, ok);
  base::log()->debug("tools/call {} took {} µs{}", entry->tool.name, took.count(),
                     ok ? "" : " and failed");
  return now;
}

base::MonoTime Dispatcher::observe(Stage stage, base::MonoTime started) const {
  if (!observer_.stage) return begun(observer_.call);
  const base::MonoTime now = base::mono_now();
  observer_.stage(stage, now - started);
  return now;
}

Reply Dispatcher::succeeded(const rpc::RequestId& id, const Answer& answer, Revision revision,
                            base::MonoTime started) const {
  const auto* kept = std::get_if<const KeptAnswer*>(&answer);
  const std::string_view json = kept ? (*kept)->json() : std::get<std::string_view>(answer);
  std::string text;
  text.reserve(json.size() * 2 + json.size() / 4 + 400);
  rpc::begin_result(text, id);
  results_.open_tool_result(text, revision);
  if (kept != nullptr) {
    (*kept)->append_members(text, has_structure(revision));
  } else {
    append_result_members(text, json, has_structure(revision));
  }
  text += '}';
  rpc::end_result(text);
  observe(Stage::Reply, started);
  return Reply{std::move(text)};
}

base::Result<PreparedCall> Dispatcher::prepare(std::string_view tool, Json arguments,
                                               const View& view) {
  if (draining_) {
    return base::fail(base::ErrorCode::Unavailable, "the server is shutting down", 1000);
  }
  const auto entry = registry_.choose(tool, view);
  if (!entry) return base::fail(entry.error());
  if (view.permit) {
    if (auto admitted = view.permit->admit((*entry)->tool, arguments); !admitted) {
      return base::fail(admitted.error());
    }
  }
  const base::MonoTime started = begun(observer_.stage);
  const auto violations = (*entry)->input.violations(arguments);
  const base::MonoTime seen = observe(Stage::Schema, started);
  if (!violations.empty()) {
    std::string text;
    for (const std::string& violation : violations) text += (text.empty() ? "" : "\n") + violation;
    return base::fail(base::ErrorCode::InvalidArgument, std::move(text));
  }
  PreparedCall call;
  call.entry = *entry;
  call.seen = seen;
  call.arguments = std::move(arguments);
  return call;
}

}  // namespace mahavishnu::mcp
