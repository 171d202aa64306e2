#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>

#include "journal/spec_json.h"

namespace mahavishnu::journal {
namespace {

using base::Millis;
using domain::StringMap;

// Well-formed UTF-8 as of RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xC2 ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF5 ? 4
                                             : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0U) != 0x80) return false;
      if (k > 1) continue;
      if ((lead == 0xE0 && next < 0xA0) || (lead == 0xED && next > 0x9F) ||
          (lead == 0xF0 && next < 0x90) || (lead == 0xF4 && next > 0x8F)) {
        return false;
      }
    }
    i += length;
  }
  return true;
}

constexpr char kHex[] = "0123456789abcdef";

void write_escape(char c, std::string& out) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4U];
      out += kHex[static_cast<unsigned char>(c) & 15U];
  }
}

void write_text(std::string_view text, std::string& out) {
  const std::size_t start = out.size();
  bool ascii = true;
  out += '"';
  std::size_t written = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x80) ascii = false;
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out.append(text, written, i - written);
    write_escape(text[i], out);
    written = i + 1;
  }
  out.append(text, written);
  out += '"';
  if (ascii || is_utf8(text)) return;
  out.resize(start);
  out += "{\"hex\":\"";
  for (const char c : text) {
    out += kHex[static_cast<unsigned char>(c) >> 4U];
    out += kHex[static_cast<unsigned char>(c) & 15U];
  }
  out += "\"}";
}

void write(const domain::Limits& limits, std::string& out);
void write(const domain::Timeouts& timeouts, std::string& out);
void write(const domain::RetryPolicy& retry, std::string& out);
void write(const domain::PoolSettings& settings, std::string& out);

// Names of maps come from JSON or YAML and are UTF-8; one that is not must not spoil the document.
void write_name(std::string_view name, std::string& out) {
  if (is_utf8(name)) return write_text(name, out);
  std::string ascii(name);
  for (char& c : ascii) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  write_text(ascii, out);
}

// Writes one JSON object. Every member function leaves out what equals its default.
class Object {
 public:
  explicit Object(std::string& out) : out_(out) { out_ += '{'; }
  ~Object() { out_ += '}'; }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  std::string& key(std::string_view name) {
    if (any_) out_ += ',';
    any_ = true;
    out_ += '"';
    out_ += name;
    out_ += "\":";
    return out_;
  }
  void text(std::string_view name, std::string_view value, std::string_view standard = {}) {
    if (value != standard) write_text(value, key(name));
  }
  template <class T>
  void number(std::string_view name, T value, T standard) {
    if (value == standard) return;
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(value)) return;
    }
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    key(name).append(digits, end);
  }
  void number(std::string_view name, Millis value, Millis standard) {
    number(name, value.count(), standard.count());
  }
  void map(std::string_view name, const StringMap& value) {
    if (!value.empty()) write_json(value, key(name));
  }
  void list(std::string_view name, const std::vector<std::string>& value) {
    if (!value.empty()) write_json(value, key(name));
  }
  template <class E>
  void word(std::string_view name, E value, E standard) {
    if (value != standard) text(name, to_string(value));
  }
  // An object in the object; left out when it holds nothing but defaults.
  template <class T>
  void part(std::string_view name, const T& value) {
    const std::size_t before = out_.size();
    const bool had_any = any_;
    const std::size_t start = key(name).size();
    write(value, out_);
    if (out_.size() - start > 2) return;
    out_.resize(before);
    any_ = had_any;
  }

 private:
  std::string& out_;
  bool any_ = false;
};

void write(const domain::Limits& limits, std::string& out) {
  constexpr domain::Limits standard;
  Object object(out);
  object.number("memory_bytes", limits.memory_bytes, standard.memory_bytes);
  object.number("cpu_ms", limits.cpu_ms, standard.cpu_ms);
  object.number("output_bytes", limits.output_bytes, standard.output_bytes);
  object.number("processes", limits.processes, standard.processes);
}

void write(const domain::Timeouts& timeouts, std::string& out) {
  constexpr domain::Timeouts standard;
  Object object(out);
  object.number("queue_ms", timeouts.queue, standard.queue);
  object.number("start_ms", timeouts.start, standard.start);
  object.number("idle_ms", timeouts.idle, standard.idle);
  object.number("run_ms", timeouts.run, standard.run);
  object.number("total_ms", timeouts.total, standard.total);
}

void write(const domain::RetryPolicy& retry, std::string& out) {
  constexpr domain::RetryPolicy standard;
  Object object(out);
  object.number("max_attempts", retry.max_attempts, standard.max_attempts);
  object.number("backoff_ms", retry.backoff, standard.backoff);
  object.number("factor", retry.factor, standard.factor);
  object.number("jitter", retry.jitter, standard.jitter);
  object.number("max_backoff_ms", retry.max_backoff, standard.max_backoff);
}

void write(const domain::PoolSettings& settings, std::string& out) {
  Object object(out);
  object.text("url", settings.url);
  object.list("command", settings.command);
  object.text("token_file", settings.token_file);
  object.map("headers", settings.headers);
  object.text("ca_file", settings.ca_file);
}

// The arguments of a tool stay the text they are: nothing here looks into them.
void write_work(Object& object, const domain::Work& work) {
  object.text("command", work.command);
  object.list("argv", work.argv);
  object.text("tool", work.tool);
  object.text("arguments", work.arguments);
  object.text("cwd", work.cwd);
  object.text("stdin", work.stdin_text);
  object.map("env", work.env);
  object.text("verify", work.verify);
  object.part("limits", work.limits);
}

template <class Kind>
void write_ids(Object& object, std::string_view name, const std::vector<base::Id<Kind>>& ids) {
  if (ids.empty()) return;
  std::string& out = object.key(name);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    out += i == 0 ? "[\"" : ",\"";
    out += ids[i].str();
    out += '"';
  }
  out += ']';
}

void write_step(const domain::StepSpec& step, std::string& out) {
  const domain::StepSpec standard;
  Object object(out);
  object.text("id", step.id);
  write_work(object, step.work);
  object.list("depends_on", step.depends_on);
  object.word("when", step.when, standard.when);
  object.word("each", step.each, standard.each);
  if (step.pool) object.text("pool", step.pool->str());
  object.text("worker_type", step.worker_type, standard.worker_type);
  object.part("timeouts", step.timeouts);
  object.part("retry", step.retry);
  object.word("on_failure", step.on_failure, standard.on_failure);
}

}  // namespace

void write_json(const StringMap& map, std::string& out) {
  char separator = '{';
  if (map.empty()) out += '{';
  for (const auto& [name, value] : map) {
    out += separator;
    separator = ',';
    write_name(name, out);
    out += ':';
    write_text(value, out);
  }
  out += '}';
}

void write_json(const std::vector<std::string>& list, std::string& out) {
  char separator = '[';
  if (list.empty()) out += '[';
  for (const auto& text : list) {
    out += separator;
    separator = ',';
    write_text(text, out);
  }
  out += ']';
}

void write_json(const domain::TaskSpec& spec, std::string& out) {
  Object object(out);
  write_work(object, spec.work);
  if (spec.pool) object.text("pool", spec.pool->str());
  object.word("selector", spec.selector, domain::Selector::LeastLoaded);
  object.text("affinity_key", spec.affinity_key);
  object.text("repo_path", spec.repo_path);
  object.part("timeouts", spec.timeouts);
  object.part("retry", spec.retry);
  object.text("idempotency_key", spec.idempotency_key);
  write_ids(object, "depends_on", spec.depends_on);
  if (spec.not_before) {
    object.number("not_before", spec.not_before->time_since_epoch().count(),
                  std::numeric_limits<Millis::rep>::min());
  }
  object.number("max_per_repo", spec.max_per_repo, 1);
  if (spec.client_env) write_json(*spec.client_env, object.key("client_env"));
}

void write_json(const domain::WorkflowSpec& spec, std::string& out) {
  Object object(out);
  object.text("name", spec.name);
  char separator = '[';
  object.key("steps");
  for (const auto& step : spec.steps) {
    out += separator;
    separator = ',';
    write_step(step, out);
  }
  out += spec.steps.empty() ? "[]" : "]";
  object.key("repos");
  separator = '[';
  for (const auto& repo : spec.repos) {
    out += separator;
    separator = ',';
    Object entry(out);
    entry.text("name", repo.name);
    entry.text("path", repo.path);
  }
  out += spec.repos.empty() ? "[]" : "]";
  object.number("max_parallel", spec.max_parallel, 0);
  object.number("max_per_repo", spec.max_per_repo, 1);
  object.number("priority", static_cast<int>(spec.priority), domain::kDefaultPriority);
  object.text("idempotency_key", spec.idempotency_key);
  object.map("labels", spec.labels);
  object.text("caller", spec.caller);
  if (spec.client_env) write_json(*spec.client_env, object.key("client_env"));
}

void write_json(const domain::PoolSpec& spec, std::string& out) {
  const domain::PoolSpec standard;
  Object object(out);
  object.text("name", spec.name);
  object.text("type", spec.type, standard.type);
  object.text("worker_type", spec.worker_type, standard.worker_type);
  object.number("min_workers", spec.min_workers, standard.min_workers);
  object.number("max_workers", spec.max_workers, standard.max_workers);
  object.number("max_queue", spec.max_queue, standard.max_queue);
  object.part("settings", spec.settings);
  object.part("limits", spec.limits);
  object.part("timeouts", spec.timeouts);
  object.part("retry", spec.retry);
  object.map("env", spec.env);
  object.map("labels", spec.labels);
}

}  // namespace mahavishnu::journal
