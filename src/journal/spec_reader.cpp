#include <nlohmann/json.hpp>

#include "journal/spec_json.h"

namespace mahavishnu::journal {
namespace {

using base::ErrorCode;
using base::fail;
using base::Millis;
using base::Status;
using domain::StringMap;
using Json = nlohmann::json;

int hex_digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  const auto hex = value.at("hex").get<std::string>();
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(hex_digit(hex[i]) * 16 + hex_digit(hex[i + 1]));
  }
  return bytes;
}

// What is not of the expected kind throws nlohmann's exception, which `reading` turns into an
// Error.
void get(const Json& from, const char* name, std::string& to) {
  if (const auto at = from.find(name); at != from.end()) to = text_of(*at);
}

template <class T>
requires std::is_arithmetic_v<T>
void get(const Json& from, const char* name, T& to) {
  if (const auto at = from.find(name); at != from.end()) to = at->get<T>();
}

void get(const Json& from, const char* name, Millis& to) {
  if (const auto at = from.find(name); at != from.end()) to = Millis(at->get<Millis::rep>());
}

void read(const Json& from, StringMap& map) {
  for (const auto& [name, value] : from.items()) map.emplace(name, text_of(value));
}

void read(const Json& from, std::vector<std::string>& list) {
  for (const auto& value : from) list.push_back(text_of(value));
}

void read(const Json& from, domain::Limits& limits) {
  get(from, "memory_bytes", limits.memory_bytes);
  get(from, "cpu_ms", limits.cpu_ms);
  get(from, "output_bytes", limits.output_bytes);
  get(from, "processes", limits.processes);
}

void read(const Json& from, domain::Timeouts& timeouts) {
  get(from, "queue_ms", timeouts.queue);
  get(from, "start_ms", timeouts.start);
  get(from, "idle_ms", timeouts.idle);
  get(from, "run_ms", timeouts.run);
  get(from, "total_ms", timeouts.total);
}

void read(const Json& from, domain::RetryPolicy& retry) {
  get(from, "max_attempts", retry.max_attempts);
  get(from, "backoff_ms", retry.backoff);
  get(from, "factor", retry.factor);
  get(from, "jitter", retry.jitter);
  get(from, "max_backoff_ms", retry.max_backoff);
}

void read(const Json& from, domain::PoolSettings& settings) {
  get(from, "url", settings.url);
  if (const auto at = from.find("command"); at != from.end()) read(*at, settings.command);
  get(from, "token_file", settings.token_file);
  if (const auto at = from.find("headers"); at != from.end()) read(*at, settings.headers);
  get(from, "ca_file", settings.ca_file);
}

template <class T>
void part(const Json& from, const char* name, T& to) {
  if (const auto at = from.find(name); at != from.end()) read(*at, to);
}

// A word this program does not know is an error: guessing would change what was asked for.
template <class E, class Parse>
void word(const Json& from, const char* name, Parse parse, E& to) {
  const auto at = from.find(name);
  if (at == from.end()) return;
  const std::optional<E> known = parse(at->template get<std::string>());
  if (!known) throw std::invalid_argument("unknown " + std::string(name) + " " + at->dump());
  to = *known;
}

template <class Kind>
base::Id<Kind> id_of(const Json& value) {
  auto id = base::Id<Kind>::parse(value.get<std::string>());
  if (!id) throw std::invalid_argument(id.error().message);
  return *id;
}

void get_pool(const Json& from, std::optional<domain::PoolId>& pool) {
  if (const auto at = from.find("pool"); at != from.end()) pool = id_of<base::PoolKind>(*at);
}

void read_work(const Json& from, domain::Work& work) {
  get(from, "command", work.command);
  part(from, "argv", work.argv);
  get(from, "tool", work.tool);
  get(from, "arguments", work.arguments);
  get(from, "cwd", work.cwd);
  get(from, "stdin", work.stdin_text);
  part(from, "env", work.env);
  get(from, "verify", work.verify);
  part(from, "limits", work.limits);
}

// There and empty is not the same as not there: such a client's work sees none of the variables.
void get_client_env(const Json& from, std::shared_ptr<const StringMap>& to) {
  const auto at = from.find("client_env");
  if (at == from.end()) return;
  StringMap map;
  read(*at, map);
  to = std::make_shared<const StringMap>(std::move(map));
}

void read(const Json& from, domain::TaskSpec& spec) {
  read_work(from, spec.work);
  get_pool(from, spec.pool);
  word(from, "selector", domain::parse_selector, spec.selector);
  get(from, "affinity_key", spec.affinity_key);
  get(from, "repo_path", spec.repo_path);
  part(from, "timeouts", spec.timeouts);
  part(from, "retry", spec.retry);
  get(from, "idempotency_key", spec.idempotency_key);
  if (const auto at = from.find("depends_on"); at != from.end()) {
    for (const auto& id : *at) spec.depends_on.push_back(id_of<base::TaskKind>(id));
  }
  if (const auto at = from.find("not_before"); at != from.end()) {
    spec.not_before = domain::WallTime(Millis(at->get<Millis::rep>()));
  }
  get(from, "max_per_repo", spec.max_per_repo);
  get_client_env(from, spec.client_env);
}

void read(const Json& from, domain::StepSpec& step) {
  get(from, "id", step.id);
  read_work(from, step.work);
  part(from, "depends_on", step.depends_on);
  word(from, "when", domain::parse_when, step.when);
  word(from, "each", domain::parse_each, step.each);
  get_pool(from, step.pool);
  get(from, "worker_type", step.worker_type);
  part(from, "timeouts", step.timeouts);
  part(from, "retry", step.retry);
  word(from, "on_failure", domain::parse_on_failure, step.on_failure);
}

void read(const Json& from, domain::WorkflowSpec& spec) {
  get(from, "name", spec.name);
  for (const auto& step : from.at("steps")) read(step, spec.steps.emplace_back());
  for (const auto& entry : from.at("repos")) {
    auto& repo = spec.repos.emplace_back();
    get(entry, "name", repo.name);
    get(entry, "path", repo.path);
  }
  get(from, "max_parallel", spec.max_parallel);
  get(from, "max_per_repo", spec.max_per_repo);
  get(from, "priority", spec.priority);
  get(from, "idempotency_key", spec.idempotency_key);
  part(from, "labels", spec.labels);
  get(from, "caller", spec.caller);
  get_client_env(from, spec.client_env);
}

void read(const Json& from, domain::PoolSpec& spec) {
  get(from, "name", spec.name);
  get(from, "type", spec.type);
  get(from, "worker_type", spec.worker_type);
  get(from, "min_workers", spec.min_workers);
  get(from, "max_workers", spec.max_workers);
  get(from, "max_queue", spec.max_queue);
  part(from, "settings", spec.settings);
  part(from, "limits", spec.limits);
  part(from, "timeouts", spec.timeouts);
  part(from, "retry", spec.retry);
  part(from, "env", spec.env);
  part(from, "labels", spec.labels);
}

// nlohmann reports by exceptions; they end here.
template <class T>
Status reading(std::string_view text, T& to) {
  try {
    read(Json::parse(text), to);
    return {};
  } catch (const std::exception& error) {
    return fail(ErrorCode::Internal,
                std::string("a stored specification does not read: ") + error.what());
  }
}

}  // namespace

Status read_json(std::string_view text, domain::TaskSpec& spec) { return reading(text, spec); }
Status read_json(std::string_view text, domain::WorkflowSpec& spec) { return reading(text, spec); }
Status read_json(std::string_view text, domain::PoolSpec& spec) { return reading(text, spec); }
Status read_json(std::string_view text, StringMap& map) { return reading(text, map); }
Status read_json(std::string_view text, std::vector<std::string>& list) {
  return reading(text, list);
}

}  // namespace mahavishnu::journal
