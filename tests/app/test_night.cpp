// What an operator is told, and the command it is told with.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

#include "app/night_news.h"
#include "app/night_watch.h"
#include "app/notice_command.h"
#include "rpc/json.h"
#include "scratch.h"

using namespace mahavishnu;
using app::NightNews;
using app::NightReading;
using app::NoticeCommand;
using base::ErrorCode;
using base::Millis;
using domain::NoticeKind;
using rpc::Json;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

struct Night {
  Night() : news(options()) {}
  static NightNews::Options options() {
    NightNews::Options options;
    options.server = "host";
    options.notices.kinds = {domain::notice_kinds().begin(), domain::notice_kinds().end()};
    return options;
  }
  // The notices that are due.
  Json told() {
    const std::string notice = news.due(now);
    return notice.empty() ? Json::array() : Json::parse(notice)["notices"];
  }
  void look(Millis later = Millis(0)) {
    now.mono += later;
    now.wall += later;
    news.look(reading, now);
  }
  NightNews news;
  NightReading reading;
  domain::Moment now{base::WallTime{seconds(1'700'000'000)}, base::MonoTime{seconds(5)}};
};

std::string content(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

// Not gone, nor waiting for whoever is to notice its end.
bool runs(int process) {
  const std::string facts = content("/proc/" + std::to_string(process) + "/stat");
  const auto name_ends = facts.rfind(')');
  return name_ends != std::string::npos && facts.compare(name_ends, 3, ") Z") != 0;
}

NoticeCommand command(const std::string& text, Millis limit = Millis(60'000)) {
  return {text, {{"PATH", "/usr/bin:/bin"}}, limit};
}

}  // namespace

TEST_SUITE_BEGIN("night news");

TEST_CASE("a dead task is told with its pool, its repository and why") {
  Night night;
  auto spec = std::make_shared<domain::TaskSpec>();
  spec->repo = "api";
  domain::TaskRecord task;
  task.pool_name = "gpu";
  task.spec = spec;
  task.status.attempt = 3;
  task.status.reason = domain::Reason::TimedOut;
  night.news.task_dead(task, night.now);
  const Json notice = Json::parse(night.news.due(night.now));
  CHECK(notice["server"] == "host");
  CHECK(notice["time"] == "2023-11-14T22:13:20.000Z");
  REQUIRE(notice["notices"].size() == 1);
  CHECK(notice["notices"][0]["kind"] == "task_dead");
  CHECK(notice["notices"][0]["subject"] == "gpu");
  CHECK(notice["text"] == "mahavishnu on host: " + task.id.str() +
                              " is dead after 3 attempts: timed_out, in pool \"gpu\", "
                              "repository api");
}

TEST_CASE("a failed workflow is told by its name") {
  Night night;
  domain::WorkflowStatus status;
  status.state = domain::WorkflowState::Partial;
  status.total = 3;
  status.failed = 1;
  status.completed = 2;
  night.news.workflow_failed({}, "nightly", status, night.now);
  const Json told = night.told();
  REQUIRE(told.size() == 1);
  CHECK(told[0]["kind"] == "workflow_failed");
  CHECK(told[0]["subject"] == "nightly");
  CHECK(told[0]["text"].get<std::string>().ends_with(
      "(nightly) is partial: 1 of 3 tasks failed, 2 completed"));
}

TEST_CASE("a full disk is told, and that it is over") {
  Night night;
  night.look();
  CHECK(night.told().empty());
  night.reading.disk_full = true;
  night.look();
  CHECK(night.told()[0]["kind"] == "disk_full");
  night.reading.disk_full = false;
  night.look(seconds(10));
  const Json told = night.told();
  REQUIRE(told.size() == 1);
  CHECK(told[0]["over"] == true);
}

TEST_CASE("an open breaker is told with its target, but not that of a notice's own way") {
  Night night;
  domain::BreakerView buddy, own;
  buddy.target = "session_buddy http://b";
  buddy.state = domain::BreakerState::Open;
  buddy.last_error = "refused";
  own.target = "notify https://hooks";
  own.state = domain::BreakerState::Open;
  night.reading.breakers = {buddy, own};
  night.look();
  Json told = night.told();
  REQUIRE(told.size() == 1);
  CHECK(told[0]["subject"] == "session_buddy http://b");
  CHECK(told[0]["text"] == "the breaker of session_buddy http://b is open: refused");
  night.reading.breakers[0].state = domain::BreakerState::HalfOpen;
  night.look(seconds(2));
  CHECK(night.told().empty());
  night.reading.breakers[0].state = domain::BreakerState::Closed;
  night.look(seconds(2));
  told = night.told();
  REQUIRE(told.size() == 1);
  CHECK(told[0]["over"] == true);
}

TEST_CASE("an outbox is stuck when it holds something and nothing was accepted for a time") {
  Night night;
  night.reading.outbox = {{0, 0, 0}};
  night.look(minutes(600));
  CHECK(night.told().empty());
  night.reading.outbox = {{7, 0, 0}};
  night.look(minutes(1));
  night.reading.outbox = {{7, 1, 0}};
  night.look(minutes(14));
  night.look(minutes(14));
  CHECK(night.told().empty());
  night.look(minutes(1));
  Json told = night.told();
  REQUIRE(told.size() == 1);
  CHECK(told[0]["kind"] == "outbox_stuck");
  CHECK(told[0]["text"].get<std::string>().starts_with("7 memories wait"));
  night.reading.outbox = {{6, 2, 0}};
  night.look(minutes(1));
  told = night.told();
  REQUIRE(told.size() == 1);
  CHECK(told[0]["over"] == true);
}

TEST_CASE("memories and messages that are given up are counted") {
  Night night;
  night.reading.messages_dead = 2;
  night.reading.outbox = {{0, 0, 5}};
  night.look();
  const Json told = night.told();
  REQUIRE(told.size() == 2);
  CHECK(told[0]["kind"] == "memory_dead");
  CHECK(told[0]["times"] == 5);
  CHECK(told[1]["kind"] == "message_dead");
  CHECK(told[1]["times"] == 2);
  night.look(minutes(61));
  CHECK(night.told().empty());
}

TEST_CASE("a long night is cut in its list, and says how much more there was") {
  Night night;
  for (int i = 0; i < 60; ++i) {
    domain::TaskRecord task;
    task.pool_name = "p" + std::to_string(i);
    night.news.task_dead(task, night.now);
  }
  const Json notice = Json::parse(night.news.due(night.now));
  CHECK(notice["notices"].size() == 50);
  CHECK(notice["more"] == 10);
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("night watch");

namespace {

// Carries once the control thread has had a turn.
struct WaitingWay final : outbound::NoticeWay {
  explicit WaitingWay(std::shared_future<void> turned) : turn(std::move(turned)) {}
  std::string name() const override { return "test"; }
  base::Status carry(const std::string&) override {
    turn.wait();
    return {};
  }
  void cut() override {}
  std::shared_future<void> turn;
};

}  // namespace

TEST_CASE("the control thread goes on while the last notices go out") {
  asio::io_context control;
  std::promise<void> turned;
  const auto turn = turned.get_future().share();
  app::NightWatch::Senders senders;
  for (int i = 0; i < 2; ++i) {
    senders.push_back(std::make_unique<outbound::NoticeSender>(std::make_unique<WaitingWay>(turn)));
    senders.back()->send("the last one");
  }
  app::NightWatch watch(control.get_executor(), Night::options(), std::move(senders), nullptr);
  asio::co_spawn(control, watch.stop(), asio::detached);
  asio::post(control, [&] { turned.set_value(); });
  control.run();
  control::Metrics metrics;
  watch.add_metrics(metrics);
  CHECK(metrics.counters["notices_sent"] == 2);
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("notice command");

TEST_CASE("it gets the notice on stdin and its text in a variable") {
  const app::Scratch scratch;
  const auto file = scratch.path() + "/told";
  auto way = command("cat > " + file + "; printf '|%s' \"$MAHAVISHNU_NOTICE\" >> " + file);
  CHECK(way.carry(R"({"text":"wake up"})"));
  CHECK(content(file) == R"({"text":"wake up"}|wake up)");
}

TEST_CASE("what it exits with and what it said is told") {
  auto way = command("echo no mailer >&2; exit 3");
  const auto outcome = way.carry("{}");
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == ErrorCode::Unavailable);
  CHECK(outcome.error().message == "it exited with 3 and said: no mailer");
}

TEST_CASE("one that does not end is ended, with what it started") {
  const app::Scratch scratch;
  const auto file = scratch.path() + "/child";
  auto way = command("sleep 1000 & echo $! > " + file + "; wait", Millis(500));
  const auto outcome = way.carry("{}");
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().code == ErrorCode::Deadline);
  const int child = std::stoi(content(file));
  while (runs(child)) std::this_thread::yield();  // or the test hangs
}

TEST_CASE("cut() ends it, and the next does not run") {
  const app::Scratch scratch;
  const auto fifo = scratch.path() + "/fifo";
  auto way = command("echo > " + fifo + "; sleep 1000");
  REQUIRE(std::system(("mkfifo " + fifo).c_str()) == 0);
  auto outcome = std::async(std::launch::async, [&] { return way.carry("{}"); });
  content(fifo);  // it runs
  way.cut();
  const auto first = outcome.get();
  REQUIRE_FALSE(first);
  CHECK(first.error().code == ErrorCode::Cancelled);
  CHECK_FALSE(way.carry("{}"));
}

TEST_CASE("a command that is not there says so") {
  auto way = command("no-such-command-at-all");
  const auto outcome = way.carry("{}");
  REQUIRE_FALSE(outcome);
  CHECK(outcome.error().message.find("not found") != std::string::npos);
}

TEST_SUITE_END();
