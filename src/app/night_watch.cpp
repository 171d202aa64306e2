#include "app/night_watch.h"

#include <utility>

#include "app/notice_command.h"
#include "app/secrets.h"
#include "outbound/notice_post.h"

namespace mahavishnu::app {
namespace {

using base::fail;
using base::Result;
using outbound::NoticeSender;

constexpr std::size_t kMostLookups = 100;  // of workflows, in one look; the others have no name
constexpr base::Millis kStopGrace{2000};

// One that has no name is known by its steps: so it is the same one next time.
std::string name_of(const domain::WorkflowSpec& spec) {
  if (!spec.name.empty()) return spec.name;
  std::string steps;
  for (const auto& step : spec.steps) steps += (steps.empty() ? "" : ", ") + step.id;
  return steps;
}

domain::Moment moment() { return {base::wall_now(), base::mono_now()}; }

Result<std::unique_ptr<outbound::NoticeWay>> way_by_url(const Config& config,
                                                        outbound::BreakerBoard& breakers) {
  outbound::NoticePostOptions options;
  options.url = config.text("notify.url");
  options.http.ca_file = config.text("notify.ca_file");
  options.http.total = config.duration("notify.total_ms");
  options.http.when_idle = true;
  if (const auto& file = config.text("notify.token_file"); !file.empty()) {
    auto token = read_secret(file);
    if (!token) return fail(token.error().code, "notify.token_file: " + token.error().message);
    options.token = std::move(*token);
  }
  auto post = outbound::NoticePost::make(std::move(options), breakers);
  if (!post) return fail(post.error().code, "notify.url: " + post.error().message);
  return std::unique_ptr<outbound::NoticeWay>(std::move(*post));
}

std::unique_ptr<outbound::NoticeWay> way_by_command(const Config& config) {
  Environment environment;
  for (const auto& name : config.list("work.env_allow")) {
    const auto at = config.environment().find(name);
    if (at != config.environment().end()) environment.insert(*at);
  }
  return std::make_unique<NoticeCommand>(config.text("notify.command"), std::move(environment),
                                         config.duration("notify.total_ms"));
}

Result<NightNews::Options> news_options(const Config& config, const std::string& node) {
  NightNews::Options options;
  options.server = node;
  options.stuck_after = config.duration("notify.stuck_after");
  options.notices.repeat = config.duration("notify.repeat");
  options.notices.max_per_hour = static_cast<int>(config.number("notify.max_per_hour"));
  for (const auto& name : config.list("notify.on")) {
    const auto kind = domain::parse_notice_kind(name);
    if (!kind) {
      std::string known;
      for (const auto one : domain::notice_kinds()) {
        known += (known.empty() ? "" : ", ") + std::string(to_string(one));
      }
      return fail(base::ErrorCode::InvalidArgument,
                  "notify.on: there is no \"" + name + "\"; there are " + known);
    }
    options.notices.kinds.insert(*kind);
  }
  return options;
}

}  // namespace

Result<std::unique_ptr<NightWatch>> NightWatch::make(asio::any_io_executor control,
                                                     const Config& config, const std::string& node,
                                                     outbound::BreakerBoard& breakers,
                                                     Reader reader) {
  auto options = news_options(config, node);
  if (!options) return fail(std::move(options.error()));
  Senders senders;
  if (!config.text("notify.url").empty()) {
    auto way = way_by_url(config, breakers);
    if (!way) return fail(std::move(way.error()));
    senders.push_back(std::make_unique<NoticeSender>(std::move(*way)));
  }
  if (!config.text("notify.command").empty()) {
    senders.push_back(std::make_unique<NoticeSender>(way_by_command(config)));
  }
  if (senders.empty()) return std::unique_ptr<NightWatch>();
  return std::make_unique<NightWatch>(std::move(control), std::move(*options), std::move(senders),
                                      std::move(reader));
}

NightWatch::NightWatch(asio::any_io_executor control, NightNews::Options options, Senders senders,
                       Reader reader)
    : news_(std::move(options)),
      senders_(std::move(senders)),
      reader_(std::move(reader)),
      timer_(control),
      group_(control, "night watch") {}

void NightWatch::start(control::Service& service) {
  service_ = &service;
  group_.spawn(run());
}

void NightWatch::committed(const std::vector<domain::Record>& records) {
  for (const auto& record : records) {
    if (const auto* task = std::get_if<domain::TaskChanged>(&record)) {
      if (task->status.state != domain::TaskState::Dead) continue;
      const auto known = service_ != nullptr ? service_->cached_task(task->task) : nullptr;
      domain::TaskRecord told = known ? *known : domain::TaskRecord{};
      told.id = task->task;
      told.status = task->status;
      news_.task_dead(told, moment());
    } else if (const auto* flow = std::get_if<domain::WorkflowChanged>(&record)) {
      const auto state = flow->status.state;
      if (state != domain::WorkflowState::Failed && state != domain::WorkflowState::Partial) {
        continue;
      }
      if (failed_.size() < kMostLookups) {
        failed_.push_back({flow->workflow, flow->status});
      } else {
        news_.workflow_failed(flow->workflow, "", flow->status, moment());
      }
    }
  }
}

base::awaitable<void> NightWatch::run() {
  while (true) {
    timer_.expires_after(kEvery);
    const auto [cancelled] = co_await timer_.async_wait(base::as_result);
    if (cancelled) co_return;
    co_await name_workflows();
    tell();
  }
}

base::awaitable<void> NightWatch::name_workflows() {
  while (!failed_.empty()) {
    const Ended ended = failed_.front();
    failed_.pop_front();
    const auto known = co_await service_->workflow(ended.workflow);
    news_.workflow_failed(ended.workflow, known ? name_of(*(*known)->spec) : "", ended.status,
                          moment());
  }
}

void NightWatch::tell() {
  news_.look(reader_(), moment());
  const std::string notice = news_.due(moment());
  if (notice.empty()) return;
  for (const auto& sender : senders_) sender->send(notice);
}

base::awaitable<void> NightWatch::stop() {
  group_.cancel();
  timer_.cancel();
  co_await group_.join();
  for (const Ended& ended : std::exchange(failed_, {})) {
    news_.workflow_failed(ended.workflow, "", ended.status, moment());
  }
  if (service_ != nullptr) tell();
  co_await end_senders();
}

// All at once and beside the control thread: who hangs may take the whole grace.
base::awaitable<void> NightWatch::end_senders() {
  asio::thread_pool aside(senders_.size());
  asio::steady_timer ended(timer_.get_executor(), asio::steady_timer::time_point::max());
  std::size_t left = senders_.size();
  for (const auto& sender : senders_) {
    asio::post(aside, [&, ending = sender.get()] {
      ending->stop(kStopGrace);
      asio::post(ended.get_executor(), [&] {
        if (--left == 0) ended.cancel();
      });
    });
  }
  while (left > 0) co_await ended.async_wait(base::as_result);
  aside.join();
}

void NightWatch::add_metrics(control::Metrics& metrics) const {
  const auto counts = news_.counts();
  metrics.counters["notices_news"] = counts.news;
  metrics.gauges["notices_waiting"] = static_cast<std::int64_t>(counts.waiting);
  outbound::NoticeSender::Counts all;
  for (const auto& sender : senders_) {
    const auto one = sender->counts();
    all.sent += one.sent;
    all.failed += one.failed;
    all.dropped += one.dropped;
    all.queued += one.queued;
  }
  metrics.counters["notices_sent"] = all.sent;
  metrics.counters["notices_failed"] = all.failed;
  metrics.counters["notices_dropped"] = all.dropped;
  metrics.gauges["notices_queued"] = static_cast<std::int64_t>(all.queued);
}

}  // namespace mahavishnu::app
