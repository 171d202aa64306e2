#include "tools/inputs.h"

#include <algorithm>
#include <initializer_list>

#include "domain/pool_settings.h"
#include "rpc/codec.h"
#include "tools/token_estimate.h"

namespace mahavishnu::tools {
namespace {

// One argument of a process is at most 128 KiB with its NUL (Linux, MAX_ARG_STRLEN); all of them
// and the environment share 2 MiB, of which the server's allow-listed part needs some.
constexpr std::size_t kArgumentBytes = 131071;
constexpr std::size_t kAllArgumentsBytes = 1U << 20U;
constexpr std::size_t kStdinBytes = 1U << 20U;
constexpr std::size_t kToolArgumentBytes = 1U << 20U;
constexpr std::size_t kPathBytes = 4096;
constexpr std::size_t kMaxSteps = 100;
constexpr std::size_t kMaxRepos = 10000;
constexpr std::size_t kMaxDependencies = 1000;
constexpr base::Millis kLongest{2592000000};  // 30 days

// A tool of another server. The arguments stay text from here on: nothing looks into them.
void read_call(Reader& reader, domain::Work& work) {
  work.tool = reader.text("tool", kNameBytes);
  if (reader.has("tool") && work.tool.empty()) reader.wrong("tool", "a text that is not empty");
  const Json* arguments = reader.any_object("arguments");
  if (arguments == nullptr) return;
  if (!reader.has("tool")) reader.refuse("arguments go with a tool");
  work.arguments = rpc::dump(*arguments);
  if (work.arguments.size() > kToolArgumentBytes) {
    reader.refuse("arguments come to " + std::to_string(work.arguments.size()) +
                  " bytes, at most " + std::to_string(kToolArgumentBytes) + " are taken");
  }
}

domain::Work read_work(Reader& reader) {
  domain::Work work;
  reader.exactly_one({"command", "argv", "tool"});
  work.command = reader.text("command", kArgumentBytes);
  work.argv = reader.texts("argv", 4096, kArgumentBytes);
  if (reader.has("command") && work.command.empty())
    reader.wrong("command", "a text that is not empty");
  if (reader.has("argv") && (work.argv.empty() || work.argv.front().empty())) {
    reader.wrong("argv", "a program and its arguments");
  }
  read_call(reader, work);
  work.env = read_env(reader);
  work.verify = reader.text("verify", kArgumentBytes);
  std::size_t bytes = 0;
  for (const auto& argument : work.argv) bytes += argument.size() + 1;
  for (const auto& [name, value] : work.env) bytes += name.size() + value.size() + 2;
  if (bytes > kAllArgumentsBytes) {
    reader.refuse("argv and env come to " + std::to_string(bytes) + " bytes, a process takes " +
                  std::to_string(kAllArgumentsBytes) + "; give the rest by stdin or in a file");
  }
  return work;
}

// `calls`: the work is a tool, or the pool is one for them.
std::string read_worker_type(Reader& reader, bool calls) {
  const std::string usual = calls ? "mcp" : "shell";
  const std::string type = reader.text("worker_type");
  if (type.empty() && !reader.has("worker_type")) return usual;
  if (type != usual) {
    reader.wrong("worker_type", usual + (calls ? " (tools are called by such)" : ""));
  }
  return type;
}

// What a pool of type mcp calls. The domain says which of it goes together.
domain::PoolSettings read_settings(Reader& reader) {
  domain::PoolSettings settings;
  Reader fields = reader.object("settings");
  settings.url = fields.text("url", kPathBytes);
  settings.command = fields.texts("command", 256, kPathBytes);
  settings.token_file = fields.text("token_file", kPathBytes);
  settings.headers = fields.map("headers", 32, kPathBytes);
  settings.ca_file = fields.text("ca_file", kPathBytes);
  static_cast<void>(fields.finish());
  return settings;
}

// A relative cwd is the repository's, and without one the client's.
std::string read_cwd(Reader& reader, const std::string& repo, const Asker& asker) {
  std::string cwd = reader.text("cwd", kPathBytes);
  if (cwd.empty() || cwd.front() == '/' || !repo.empty()) return cwd;
  if (asker.working_directory.empty()) {
    reader.wrong("cwd", "an absolute path, or one relative to a repo");
    return cwd;
  }
  return asker.working_directory + "/" + cwd;
}

void read_placement(Reader& reader, control::Service::SubmitArgs& args) {
  args.pool = reader.text("pool");
  args.spec.selector =
      reader.choice("selector", domain::Selector::LeastLoaded, domain::parse_selector,
                    "least_loaded, round_robin, random, affinity");
  args.spec.affinity_key = reader.text("affinity_key", kKeyBytes);
  if (reader.has("pool") && reader.has("selector"))
    reader.refuse("give pool or selector, not both");
  if (reader.has("selector") && !args.spec.work.tool.empty())
    reader.refuse("selector chooses among pools of shell workers; name the pool of a tool");
  if (args.spec.selector == domain::Selector::Affinity && args.spec.affinity_key.empty()) {
    args.spec.affinity_key = args.spec.repo.empty() ? args.spec.caller : args.spec.repo;
  }
}

domain::StepSpec read_step(Reader& reader, std::string& pool) {
  domain::StepSpec step;
  step.id = reader.required_text("id", 64);
  step.work = read_work(reader);
  step.depends_on = reader.texts("depends_on", kMaxSteps, 64);
  step.when = reader.choice("when", domain::When::Succeeded, domain::parse_when,
                            "succeeded, failed, always");
  step.each = reader.choice("each", domain::Each::Repo, domain::parse_each, "repo, once");
  step.on_failure = reader.choice("on_failure", domain::OnFailure::Stop, domain::parse_on_failure,
                                  "stop, continue, stop_all");
  step.worker_type = read_worker_type(reader, !step.work.tool.empty());
  step.timeouts = read_timeouts(reader);
  step.retry = read_retry(reader);
  pool = reader.text("pool");
  return step;
}

domain::RepositoryQuery read_over(Reader& reader) {
  domain::RepositoryQuery over;
  if (!reader.has("over")) reader.wrong("over", "an object");
  Reader fields = reader.object("over");
  over.all = fields.flag("all");
  over.tag = fields.text("tag");
  over.role = fields.text("role");
  over.names = fields.texts("repos", kMaxRepos, kNameBytes);
  const bool filtered = fields.has("tag") || fields.has("role") || fields.has("repos");
  if (over.all == filtered) fields.refuse("give either all: true or filters (tag, role, repos)");
  // An empty filter meets everything to the index; to a caller it meets nothing.
  for (const char* name : {"tag", "role"}) {
    if (fields.has(name)) static_cast<void>(fields.required_text(name));
  }
  if (fields.has("repos") && over.names.empty()) fields.wrong("repos", "at least one repository");
  static_cast<void>(fields.finish());
  return over;
}

bool names_any(const Json& item, std::initializer_list<const char*> members) {
  return std::any_of(members.begin(), members.end(),
                     [&item](const char* member) { return item.contains(member); });
}

}  // namespace

base::Millis read_wait_ms(Reader& reader) {
  return reader.millis("wait_ms", base::Millis{0}, kLongestWait);
}

control::Wait read_wait(Reader& reader) {
  control::Wait wait;
  wait.limit = read_wait_ms(reader);
  const std::string until = reader.text("until");
  if (reader.has("until") && until != "done" && until != "change") {
    reader.wrong("until", "one of done, change");
  }
  wait.until_change = until == "change";
  return wait;
}

domain::Page read_page(Reader& reader) {
  domain::Page page;
  page.limit = static_cast<int>(reader.integer("limit", 50, 1, 500));
  page.cursor = reader.text("cursor", 1024);
  return page;
}

domain::StringMap read_env(Reader& reader) { return reader.map("env", 128, kArgumentBytes); }
domain::StringMap read_labels(Reader& reader) { return reader.map("labels", 32, kKeyBytes); }

domain::Timeouts read_timeouts(Reader& reader) {
  domain::Timeouts times;
  Reader fields = reader.object("timeouts");
  times.queue = fields.millis("queue_ms", times.queue, kLongest);
  times.start = fields.millis("start_ms", times.start, kLongest);
  times.idle = fields.millis("idle_ms", times.idle, kLongest);
  times.run = fields.millis("run_ms", times.run, kLongest);
  times.total = fields.millis("total_ms", times.total, kLongest);
  static_cast<void>(fields.finish());
  return times;
}

domain::RetryPolicy read_retry(Reader& reader) {
  domain::RetryPolicy retry;
  Reader fields = reader.object("retry");
  retry.max_attempts = static_cast<int>(fields.integer("max_attempts", retry.max_attempts, 1, 100));
  retry.backoff = fields.millis("backoff_ms", retry.backoff, kLongest);
  retry.factor = fields.number("factor", retry.factor, 1, 100);
  retry.jitter = fields.number("jitter", retry.jitter, 0, 1);
  // The cap is for what grows: a caller who asks for a longer first pause means it.
  retry.max_backoff = std::max(retry.max_backoff, retry.backoff);
  static_cast<void>(fields.finish());
  return retry;
}

domain::Limits read_limits(Reader& reader) {
  constexpr std::int64_t kMost = 1LL << 50U;
  domain::Limits limits;
  Reader fields = reader.object("limits");
  const auto amount = [&fields](const char* name, std::uint64_t fallback) {
    return static_cast<std::uint64_t>(
        fields.integer(name, static_cast<std::int64_t>(fallback), 0, kMost));
  };
  limits.memory_bytes = amount("memory_bytes", limits.memory_bytes);
  limits.cpu_ms = amount("cpu_ms", limits.cpu_ms);
  limits.output_bytes = amount("output_bytes", limits.output_bytes);
  limits.processes = amount("processes", limits.processes);
  static_cast<void>(fields.finish());
  return limits;
}

Label read_label(Reader& reader) {
  const std::string text = reader.text("label", 2 * kKeyBytes + 1);
  const std::size_t equals = text.find('=');
  Label label;
  label.key = text.substr(0, equals);
  if (equals != std::string::npos) label.value = text.substr(equals + 1);
  if (reader.has("label") && label.key.empty()) reader.wrong("label", "key=value or key");
  return label;
}

control::Service::SubmitArgs read_task(Reader& reader, const Asker& asker) {
  control::Service::SubmitArgs args;
  domain::TaskSpec& spec = args.spec;
  spec.caller = asker.caller;
  spec.client_env = asker.environment;
  spec.work = read_work(reader);
  spec.work.stdin_text = reader.any_text("stdin", kStdinBytes);
  spec.repo = reader.text("repo");
  spec.work.cwd = read_cwd(reader, spec.repo, asker);
  read_placement(reader, args);
  spec.worker_type = read_worker_type(reader, !spec.work.tool.empty());
  spec.priority = static_cast<std::uint8_t>(
      reader.integer("priority", domain::kDefaultPriority, 0, domain::kPriorities - 1));
  spec.timeouts = read_timeouts(reader);
  spec.retry = read_retry(reader);
  spec.idempotency_key = reader.text("idempotency_key", kKeyBytes);
  spec.labels = read_labels(reader);
  spec.not_before = reader.time("not_before");
  for (const auto& text : reader.texts("depends_on", kMaxDependencies, 64)) {
    auto id = domain::TaskId::parse(text);
    if (id) {
      spec.depends_on.push_back(*id);
    } else {
      reader.refuse("depends_on: " + id.error().message);
    }
  }
  return args;
}

control::Service::WorkflowArgs read_workflow(Reader& reader, const Asker& asker) {
  control::Service::WorkflowArgs args;
  args.spec.caller = asker.caller;
  args.spec.client_env = asker.environment;
  args.over = read_over(reader);
  args.spec.max_parallel = static_cast<int>(reader.integer("max_parallel", 0, 0, 1000000));
  args.spec.max_per_repo = static_cast<int>(reader.integer("max_per_repo", 1, 1, 1000));
  args.spec.idempotency_key = reader.text("idempotency_key", kKeyBytes);
  args.spec.labels = read_labels(reader);
  const Json* steps = reader.list("steps", kMaxSteps);
  if (steps == nullptr) {
    reader.wrong("steps", "a list of steps");
    return args;
  }
  std::optional<Error> problem;
  for (std::size_t i = 0; i < steps->size() && !problem; ++i) {
    Reader fields((*steps)[i], "steps[" + std::to_string(i) + "]", problem);
    std::string pool;
    domain::StepSpec step = read_step(fields, pool);
    if (!fields.finish()) break;
    if (!pool.empty()) args.step_pools[step.id] = pool;
    args.spec.steps.push_back(std::move(step));
  }
  if (problem) reader.refuse(problem->message);
  return args;
}

domain::PoolSpec read_pool(Reader& reader) {
  domain::PoolSpec spec;
  spec.name = reader.required_text("name", 64);
  const std::string type = reader.text("type");
  if (reader.has("type") && type != "local" && type != domain::kMcp) {
    reader.wrong("type", "one of local, mcp");
  }
  if (!type.empty()) spec.type = type;
  spec.worker_type = read_worker_type(reader, spec.type == domain::kMcp);
  spec.settings = read_settings(reader);
  spec.min_workers = static_cast<int>(reader.integer("min_workers", 0, 0, 10000));
  spec.max_workers = static_cast<int>(reader.integer("max_workers", 4, 1, 10000));
  spec.max_queue = static_cast<int>(reader.integer("max_queue", 10000, 1, 1000000));
  if (spec.min_workers > spec.max_workers) {
    reader.refuse("min_workers " + std::to_string(spec.min_workers) + " is more than max_workers " +
                  std::to_string(spec.max_workers));
  }
  spec.limits = read_limits(reader);
  spec.timeouts = read_timeouts(reader);
  spec.retry = read_retry(reader);
  spec.env = read_env(reader);
  spec.labels = read_labels(reader);
  return spec;
}

void refuse_longer(Reader& reader, const char* name, const Json& shown, std::size_t most_tokens) {
  const std::size_t tokens = estimated_tokens(rpc::dump(shown));
  if (tokens <= most_tokens) return;
  reader.refuse(std::string(name) + ": this is about " + std::to_string(tokens) +
                " tokens to a model, and at most " + std::to_string(most_tokens) +
                " fit into one answer; keep it in a file and give its path");
}

Json with_defaults(const Json& item, const Json& defaults) {
  if (!item.is_object() || !defaults.is_object()) return item;
  Json whole = item;
  const bool says_what = names_any(item, {"command", "argv", "tool"});
  const bool says_where = names_any(item, {"pool", "selector"});
  for (const auto& [key, value] : defaults.items()) {
    const bool what = key == "command" || key == "argv" || key == "tool" || key == "arguments";
    if (says_what && what) continue;
    if (says_where && (key == "pool" || key == "selector" || key == "affinity_key")) continue;
    Json& mine = whole[key];
    if (mine.is_null()) {
      mine = value;
    } else if (mine.is_object() && value.is_object()) {
      for (const auto& [name, entry] : value.items()) mine.emplace(name, entry);
    }
  }
  return whole;
}

}  // namespace mahavishnu::tools
