#include "app/engine.h"

#include "app/access_options.h"
#include "app/bus_events.h"
#include "app/bus_options.h"
#include "app/loop_lag.h"
#include "app/machine.h"
#include "app/mcp_options.h"
#include "app/night_watch.h"
#include "app/oauth_options.h"
#include "app/outbound_options.h"
#include "app/parts_metrics.h"
#include "app/resource_news.h"
#include "app/secrets.h"
#include "app/side_thread.h"
#include "base/log.h"
#include "control/timers.h"
#include "journal/sqlite_journal.h"
#include "outbound/breaker_board.h"
#include "outbound/pool_remotes.h"
#include "tools/durable_tasks.h"
#include "tools/offer.h"
#include "tools/registry.h"
#include "workers/git_facts.h"
#include "workers/mcp_executor.h"
#include "workers/shell_executor.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::fail;
using base::Status;

// Executed anew: also when another has taken its place on the disk.
constexpr const char* kThisProgram = "/proc/self/exe";

using BuddyPtr = std::unique_ptr<outbound::SessionBuddy>;
using OpenSearchPtr = std::unique_ptr<outbound::OpenSearch>;

control::ServiceOptions service_options(const Config& config, const std::string& node,
                                        const journal::SqliteJournal& journal,
                                        const outbound::BreakerBoard& breakers,
                                        const control::MessageBus& bus, const BuddyPtr& buddy) {
  control::ServiceOptions options;
  options.core.max_running = static_cast<int>(config.number("server.max_running"));
  options.core.max_live_tasks = static_cast<int>(config.number("server.max_live_tasks"));
  options.core.aging = config.duration("scheduler.aging_ms");
  options.env_allow = config.list("work.env_allow");
  options.allowed_paths = config.list("allowed_paths");
  options.server_env = {config.environment().begin(), config.environment().end()};
  options.node = node;
  options.more_metrics = [&journal, &breakers, &bus, &buddy](control::Metrics& metrics) {
    add_metrics(bus, metrics);
    if (buddy) add_metrics(buddy->figures(), metrics);
    add_metrics(journal, metrics);
    add_metrics(breakers, metrics);
  };
  return options;
}

NightReading reading_of(const journal::SqliteJournal& journal, const control::MessageBus& bus,
                        const BuddyPtr& buddy, const outbound::BreakerBoard& breakers) {
  NightReading reading;
  reading.disk_full = journal.stats().disk_full;
  reading.messages_dead = bus.bus().counts().dead;
  reading.breakers = breakers.list();
  if (buddy) {
    const auto figures = buddy->figures();
    reading.outbox = {figures.outbox, figures.accepted, figures.died};
  }
  return reading;
}

base::Result<journal::MemoryOptions> memory_options(const Config& config) {
  journal::MemoryOptions options;
  options.enabled = config.text("memory.enabled") == "true";
  options.outbox = options.enabled && !config.text("session_buddy.url").empty();
  options.output_bytes = static_cast<std::size_t>(config.number("memory.max_bytes"));
  options.keep = config.duration("memory.keep");
  options.max_count = config.number("memory.max_count");
  auto redactor = base::Redactor::make(config.list("memory.redact"));
  if (!redactor) return fail(std::move(redactor.error()));
  options.redactor = std::move(*redactor);
  return options;
}

control::PoolSurvey::Options survey_options(const Config& config) {
  control::PoolSurvey::Options options;
  options.max_in_flight = static_cast<std::size_t>(config.number("pools.max_asked"));
  options.limit = config.duration("pools.ask_ms");
  return options;
}

net::HttpClientOptions remote_http(const Config& config) {
  net::HttpClientOptions options;
  options.connections = static_cast<std::size_t>(config.number("pools.max_asked"));
  options.max_body = 256U << 10U;
  return options;
}

workers::ShellOptions shell_options(const Config& config, const DataDirectory& directory,
                                    const std::string& node) {
  workers::ShellOptions options;
  options.run_dir = directory.run_folder();
  options.executable = kThisProgram;
  options.node = node;
  options.lease = config.duration("work.lease_ms");
  options.output.keep = config.duration("output.keep");
  options.output.max_bytes = static_cast<std::uint64_t>(config.number("output.max_bytes"));
  return options;
}

mcp::Observer observer_of(control::Service& service, const Config& config) {
  mcp::Observer observer;
  if (config.text("metrics.calls") == "off") return observer;
  observer.call = [&service, name = std::string()](
                      std::string_view tool, std::chrono::microseconds took, bool ok) mutable {
    name.assign("tools/call ").append(tool);  // keeps its room from call to call
    service.clocked(name, took, ok);
  };
  observer.stage = [&service](mcp::Stage stage, std::chrono::microseconds took) {
    service.clocked(stage == mcp::Stage::Schema ? control::Stage::Schema : control::Stage::Reply,
                    took);
  };
  return observer;
}

// Puts the step in front of what went wrong with it.
Status in_step(const char* step, const base::Error& error) {
  return fail(error.code, std::string(step) + ": " + error.message, error.retry_after_ms);
}

}  // namespace

// In the order they are made; destroyed in reverse.
struct Engine::Parts {
  Parts(asio::any_io_executor executor, const Setup& given, std::string around)
      : control(std::move(executor)), setup(given), folder(std::move(around)) {}

  asio::any_io_executor control;
  Setup setup;
  std::string folder;
  std::string node = host_name();
  Repositories repositories;
  std::optional<DataDirectory> directory;
  SideThread aside;  // what writes small files
  std::unique_ptr<Access> access;
  std::unique_ptr<TokenWatch> tokens;
  std::optional<TokenIssuer::Options> oauth;
  std::unique_ptr<outbound::IssuerKeys> issuer_keys;
  SideThread key_fetches;  // waits for the issuer
  std::unique_ptr<TokenIssuer> issuer;
  std::unique_ptr<workers::ShellExecutor> shell;
  std::unique_ptr<workers::McpExecutor> mcp;
  std::unique_ptr<journal::SqliteJournal> journal;
  std::unique_ptr<workers::GitFacts> git;
  outbound::BreakerBoard breakers;
  BuddyPtr buddy;
  outbound::NoMemoryServer no_memory_server{control};
  std::unique_ptr<control::Timers> survey_timers;
  std::unique_ptr<outbound::PoolRemotes> remotes;
  std::unique_ptr<control::PoolSurvey> survey;
  OpenSearchPtr opensearch;
  outbound::NoOpenSearch no_opensearch{control};
  std::unique_ptr<control::Timers> timers;
  std::unique_ptr<control::Timers> bus_timers;  // the service's have one alarm only
  std::unique_ptr<control::MessageBus> bus;
  std::unique_ptr<NightWatch> night;
  std::unique_ptr<control::Service> service;
  std::unique_ptr<RepositoryWatch> watch;
  base::Caches caches;
  std::unique_ptr<tools::Context> context;
  std::unique_ptr<tools::DurableTasks> tasks;
  std::vector<std::string> tool_names;
  std::unique_ptr<Audit> audit;
  SideThread decoder;
  std::unique_ptr<mcp::Server> server;
  std::unique_ptr<LoopLag> lag;
  bool draining = false;
  bool owned_by_another = false;
};

Engine::Engine(asio::any_io_executor control, const Setup& setup, std::string folder)
    : parts_(std::make_unique<Parts>(control, setup, std::move(folder))) {}

Engine::~Engine() = default;

awaitable<Status> Engine::start() {
  auto started = co_await start_parts();
  if (!started) co_await stop();
  co_return started;
}

awaitable<Status> Engine::start_parts() {
  Parts& p = *parts_;
  const Config& config = p.setup.config;
  auto repositories = load_repositories(p.setup, p.folder);
  if (!repositories) co_return in_step("repositories", repositories.error());
  p.repositories = std::move(*repositories);

  auto directory = DataDirectory::prepare(p.setup.data, config.environment());
  if (!directory) co_return in_step("data directory", directory.error());
  p.directory.emplace(std::move(*directory));
  if (auto locked = p.directory->lock(); !locked) {
    p.owned_by_another = locked.error().code == base::ErrorCode::Conflict;
    co_return fail(locked.error());
  }

  auto limits = access_limits(config);
  if (!limits) co_return in_step("limits.tools", limits.error());
  p.access = std::make_unique<Access>(
      std::move(*limits), [&p](const std::string& caller, const mcp::Tool& tool,
                               const mcp::Json& arguments, const base::Status& decision) {
        if (p.audit) p.audit->decided(caller, tool, arguments, decision);
      });
  p.tokens = std::make_unique<TokenWatch>(
      p.control, tokens_file(p.directory->path()), *p.access,
      [&p](std::function<void()> work) { p.aside.run(std::move(work)); });
  p.tokens->start();
  if (auto oauth = make_issuer(); !oauth) co_return in_step("oauth", oauth.error());

  // First of all: its process comes up while the journal is opened.
  p.shell = std::make_unique<workers::ShellExecutor>(p.control,
                                                     shell_options(config, *p.directory, p.node));
  if (auto zygote = p.shell->start_zygote(); !zygote) co_return in_step("workers", zygote.error());

  p.mcp = std::make_unique<workers::McpExecutor>(*p.shell, kThisProgram);

  journal::JournalOptions journal_options;
  journal_options.directory = p.directory->path();
  journal_options.ballast_bytes =
      static_cast<std::uint64_t>(config.number("journal.ballast_bytes"));
  journal_options.read_limit = config.duration("journal.read_ms");
  auto memory = memory_options(config);
  if (!memory) co_return in_step("configuration", memory.error());
  journal_options.memory = std::move(*memory);
  journal_options.history_keep = config.duration("log.keep");
  journal_options.history_bytes = config.number("log.max_bytes");
  journal_options.on_control_wait = [&p](std::chrono::microseconds waited) {
    if (p.service) p.service->clocked(control::Stage::ControlWait, waited);
  };
  auto journal = journal::SqliteJournal::open(p.control, journal_options);
  if (!journal) co_return in_step("journal", journal.error());
  p.journal = std::move(*journal);
  base::follow_log(&p.journal->follower());
  auto snapshot = p.journal->load();
  if (!snapshot) co_return in_step("journal", snapshot.error());

  p.git = std::make_unique<workers::GitFacts>(p.control);

  auto messages = p.journal->load_messages();
  if (!messages) co_return in_step("messages", messages.error());
  auto bus_options = message_bus_options(config);
  if (!bus_options) co_return in_step("configuration", bus_options.error());
  p.bus_timers = control::make_system_timers(p.control);
  p.bus = std::make_unique<control::MessageBus>(p.control, std::move(*bus_options), *p.bus_timers,
                                                p.journal->messages());
  p.bus->start(std::move(*messages));

  auto night = NightWatch::make(p.control, config, p.node, p.breakers, [&p] {
    return reading_of(*p.journal, *p.bus, p.buddy, p.breakers);
  });
  if (!night) co_return in_step("notify", night.error());
  p.night = std::move(*night);

  p.timers = control::make_system_timers(p.control);
  auto service_settings = service_options(config, p.node, *p.journal, p.breakers, *p.bus, p.buddy);
  service_settings.more_metrics =
      [&p, more = std::move(service_settings.more_metrics)](control::Metrics& metrics) {
        more(metrics);
        add_metrics(p.caches, metrics);
        if (p.server) add_metrics(p.server->replay_figures(), metrics);
        if (p.night) p.night->add_metrics(metrics);
        if (p.opensearch) add_metrics(p.opensearch->figures(), metrics);
      };
  service_settings.bounds_of = [&p](const std::string& caller) { return p.access->bounds(caller); };
  service_settings.committed = [&p](const std::vector<domain::Record>& records) {
    if (p.bus->wants_events()) tell_events(*p.bus, *p.service, records);
    if (p.night) p.night->committed(records);
    if (p.server) tell_updates(*p.server, *p.service, records);
  };
  service_settings.output_grew = [&p](domain::TaskId task) {
    if (p.server && p.server->is_watched()) p.server->updated(tools::output_uri(task));
  };
  p.service = std::make_unique<control::Service>(
      p.control, std::move(service_settings), *p.timers, *p.journal, *p.journal,
      std::map<std::string, domain::Executor*>{{"mcp", p.mcp.get()}, {"shell", p.shell.get()}});
  p.service->set_repositories(p.repositories.index);
  const auto workers = static_cast<int>(config.number("pools.default.max_workers"));
  domain::Snapshot state = std::move(*snapshot);
  if (auto started = co_await p.service->start(std::move(state), workers > 0 ? workers : cores());
      !started) {
    co_return in_step("work of the last run", started.error());
  }
  if (p.night) p.night->start(*p.service);

  RepositoryWatch::Options watch{p.setup.repos_file, config.environment(), base::Millis(1000)};
  p.watch = std::make_unique<RepositoryWatch>(
      p.control, std::move(watch), [&p](RepositoryIndexPtr index) {
        p.repositories = {index, {}, ""};  // from now on the file rules
        p.service->set_repositories(std::move(index));
      });
  p.watch->start(p.repositories.index, p.repositories.version);

  if (journal_options.memory.outbox) {
    auto options = buddy_options(config);
    if (!options) co_return in_step("session_buddy", options.error());
    auto buddy = outbound::SessionBuddy::make(p.control, std::move(*options), p.journal->outbox(),
                                              p.breakers);
    if (!buddy) co_return in_step("session_buddy.url", buddy.error());
    p.buddy = std::move(*buddy);
    p.buddy->start();
  }

  if (!config.text("opensearch.url").empty()) {
    auto options = opensearch_options(config, p.node);
    if (!options) co_return in_step("opensearch", options.error());
    auto opensearch =
        outbound::OpenSearch::make(p.control, std::move(*options), p.journal->feed(), p.breakers);
    if (!opensearch) co_return in_step("opensearch", opensearch.error());
    p.opensearch = std::move(*opensearch);
    p.opensearch->start();
  }

  p.remotes = std::make_unique<outbound::PoolRemotes>(
      p.control, p.breakers, outbound::PoolRemotes::Options{remote_http(config), read_secret});
  p.survey_timers = control::make_system_timers(p.control);
  p.survey = std::make_unique<control::PoolSurvey>(p.control, survey_options(config),
                                                   *p.survey_timers, *p.remotes);

  domain::MemorySync& sync =
      p.buddy ? static_cast<domain::MemorySync&>(*p.buddy) : p.no_memory_server;
  domain::LogArchive& remote_log =
      p.opensearch ? static_cast<domain::LogArchive&>(*p.opensearch) : p.no_opensearch;
  p.context.reset(new tools::Context{*p.service, *p.git, p.journal->memories(), *p.timers,
                                     *p.journal, remote_log, p.breakers, *p.bus, sync, *p.survey,
                                     p.caches, p.journal->audit()});
  auto key = load_or_make_token(p.directory->handles_key());
  if (!key) co_return in_step("handles.key", key.error());
  tools::DurableTasks::Options tasks_options;
  tasks_options.key = key->text;
  tasks_options.keep = config.duration("tasks.keep");
  p.tasks = std::make_unique<tools::DurableTasks>(*p.context, std::move(tasks_options));
  p.context->tasks = p.tasks.get();
  p.service->list_caches(p.caches);
  p.survey->list_caches(p.caches);
  auto tools = tools::all(*p.context);
  if (config.number("audit.max_rows") > 0) {
    p.audit = std::make_unique<Audit>(p.control, p.journal->audit(), audit_options(config));
    if (auto audit = p.audit->start(); !audit) co_return in_step("audit", audit.error());
    tools = p.audit->followed(std::move(tools));
  }
  for (const auto& tool : tools) p.tool_names.push_back(tool.name);
  if (auto known = p.access->check_limits(p.tool_names); !known) {
    co_return in_step("limits.tools", known.error());
  }
  auto options = server_options(config);
  options.state_key = key->text;
  options.offload = [&p](std::function<void()> work) { p.decoder.run(std::move(work)); };
  auto offer = tools::offer(*p.context, tools);
  if (p.audit) offer = p.audit->followed(std::move(offer));
  auto server = mcp::Server::create(p.control, std::move(options), std::move(tools),
                                    observer_of(*p.service, config), std::move(offer));
  if (!server) co_return in_step("tools", server.error());
  p.server = std::move(*server);
  p.lag = std::make_unique<LoopLag>(p.control, [&p](std::chrono::microseconds late) {
    p.service->clocked(control::Stage::LoopLag, late);
  });
  p.lag->start();
  co_return Status{};
}

Status Engine::make_issuer() {
  Parts& p = *parts_;
  auto options = oauth_options(p.setup.config);
  if (!options) return fail(options.error());
  if (!*options) return {};
  auto keys = outbound::IssuerKeys::make(std::move((*options)->keys));
  if (!keys) return fail(keys.error());
  p.issuer_keys = std::move(*keys);
  p.oauth = std::move((*options)->issuer);
  p.access->set_challenges(scope_challenges(*p.oauth));
  p.issuer = std::make_unique<TokenIssuer>(
      p.control, *p.oauth, *p.issuer_keys, *p.access,
      [&p](std::function<void()> work) { p.key_fetches.run(std::move(work)); });
  p.issuer->list_caches(p.caches);
  return {};
}

awaitable<void> Engine::drain(base::Millis grace) {
  parts_->draining = true;
  co_await parts_->service->drain(grace);
}

awaitable<void> Engine::end_calls() {
  if (parts_->server) co_await parts_->server->stop();
}

awaitable<void> Engine::stop() {
  Parts& p = *parts_;
  co_await end_calls();
  p.decoder.stop();
  if (p.tokens) co_await p.tokens->stop();
  if (p.issuer) co_await p.issuer->stop();
  p.key_fetches.finish();
  p.aside.finish();
  if (p.audit) co_await p.audit->stop();
  if (p.lag) co_await p.lag->stop();
  if (p.watch) co_await p.watch->stop();
  if (p.night) co_await p.night->stop();
  if (p.survey) p.survey->stop();
  if (p.remotes) co_await p.remotes->stop();
  if (p.bus) p.bus->stop();
  if (p.service) p.service->stop();
  if (p.buddy) p.buddy->stop();
  if (p.opensearch) p.opensearch->stop();
  if (p.git) p.git->stop();
  if (p.shell) p.shell->stop();
  base::follow_log(nullptr);
  if (p.journal) p.journal->stop();
  p.lag.reset();
  p.server.reset();
  p.audit.reset();
  p.tasks.reset();
  p.context.reset();
  p.watch.reset();
  p.service.reset();
  p.survey.reset();
  p.remotes.reset();
  p.survey_timers.reset();
  p.night.reset();
  p.buddy.reset();
  p.opensearch.reset();
  p.timers.reset();
  p.bus.reset();
  p.bus_timers.reset();
  p.git.reset();
  p.shell.reset();
  p.journal.reset();
  p.issuer.reset();
  p.issuer_keys.reset();
  p.tokens.reset();
  p.access.reset();
  p.directory.reset();
}

bool Engine::owned_by_another() const { return parts_->owned_by_another; }
mcp::Server& Engine::server() { return *parts_->server; }
const std::vector<std::string>& Engine::tool_names() const { return parts_->tool_names; }
control::Service& Engine::service() { return *parts_->service; }
const DataDirectory& Engine::directory() const { return *parts_->directory; }
Access& Engine::access() { return *parts_->access; }
const TokenWatch::Status& Engine::tokens() const { return parts_->tokens->status(); }
void Engine::turned_away(std::string_view caller, int status) {
  if (parts_->audit) parts_->audit->turned_away(caller, status);
}

TokenIssuer* Engine::issuer() { return parts_->issuer.get(); }
const TokenIssuer* Engine::issuer() const { return parts_->issuer.get(); }
const TokenIssuer::Options* Engine::oauth() const {
  return parts_->oauth ? &*parts_->oauth : nullptr;
}
const std::string& Engine::note() const { return parts_->repositories.note; }
std::string Engine::serve_around(const std::string& folder) {
  Parts& p = *parts_;
  if (p.repositories.note.empty() || folder.empty()) return {};
  if (auto added = with_checkout(*p.repositories.index, folder)) {
    p.repositories.index = std::move(*added);
    p.service->set_repositories(p.repositories.index);
    p.watch->served(p.repositories.index->all().size());
  }
  return note_without_file(p.setup.repos_file, folder);
}

RepositoryWatch::Status Engine::repositories() const { return parts_->watch->status(); }

bool Engine::idle() const {
  if (!parts_->service->idle()) return false;
  return !parts_->buddy || parts_->buddy->figures().outbox == 0;
}

std::string Engine::not_ready() const {
  if (!parts_->server) return "starting";
  if (parts_->draining) return "draining: no new work is taken";
  return parts_->journal->stats().disk_full ? "the disk is full: no new work is taken" : "";
}

}  // namespace mahavishnu::app
