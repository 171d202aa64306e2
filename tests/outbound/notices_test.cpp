// Notices on their way to an operator: over HTTP, and the queue before any way.
#include <doctest/doctest.h>

#include <future>
#include <mutex>

#include "outbound/notice_post.h"
#include "outbound/notice_sender.h"
#include "support/peer.h"

using namespace mahavishnu;
using base::ErrorCode;
using base::Millis;
using base::Status;
using outbound::BreakerBoard;
using outbound::NoticePost;
using outbound::NoticePostOptions;
using outbound::NoticeSender;
using outbound::NoticeWay;
using support::ClosedPort;
using support::Peer;

namespace {

NoticePostOptions to(const std::string& url) {
  NoticePostOptions options;
  options.url = url;
  options.http.total = Millis(2000);
  return options;
}

Status post_to(const std::string& url, const std::string& notice = "{}") {
  BreakerBoard breakers;
  auto post = NoticePost::make(to(url), breakers);
  if (!post) return base::fail(post.error());
  const Status outcome = (*post)->carry(notice);
  (*post)->cut();
  return outcome;
}

Status answered(const std::string& status) {
  Peer peer([&](Peer::Line& line) {
    line.request();
    line.answer("whatever", status);
  });
  return post_to(peer.url());
}

// Does as it is told, and tells when it was asked.
struct Way {
  class Carrier final : public NoticeWay {
   public:
    explicit Carrier(Way& way) : way_(way) {}
    std::string name() const override { return "test"; }
    Status carry(const std::string& notice) override { return way_.carry(notice); }
    void cut() override { way_.cut(); }

   private:
    Way& way_;
  };

  Status carry(const std::string& notice) {
    std::unique_lock lock(mutex);
    tried.push_back(notice);
    changed.notify_all();
    changed.wait(lock, [this] { return !held || is_cut; });
    if (is_cut) return base::fail(ErrorCode::Cancelled, "cut");
    if (failures > 0) {
      --failures;
      return base::fail(error, "not now");
    }
    arrived.push_back(notice);
    changed.notify_all();
    return {};
  }
  void cut() {
    const std::lock_guard lock(mutex);
    is_cut = true;
    changed.notify_all();
  }
  void let_go() {
    const std::lock_guard lock(mutex);
    held = false;
    changed.notify_all();
  }
  template <class Condition>
  void until(Condition condition) {
    std::unique_lock lock(mutex);
    changed.wait(lock, condition);
  }
  std::unique_ptr<NoticeWay> carrier() { return std::make_unique<Carrier>(*this); }

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> tried, arrived;
  int failures = 0;
  ErrorCode error = ErrorCode::Unavailable;
  bool held = false, is_cut = false;
};

NoticeSender::Options quick() {
  NoticeSender::Options options;
  options.pause = Millis(1);
  options.longest = Millis(2);
  return options;
}

}  // namespace

TEST_SUITE_BEGIN("a notice over HTTP");

TEST_CASE("is a POST of JSON to the path and query of the url, with the token") {
  std::promise<std::string> seen;
  Peer peer([&](Peer::Line& line) {
    seen.set_value(line.request());
    line.answer("ok", "204 No Content");
  });
  NoticePostOptions options = to(peer.url("/hook/T1?key=k"));
  options.token = "secret";
  BreakerBoard breakers;
  auto post = NoticePost::make(std::move(options), breakers);
  REQUIRE(post);
  CHECK((*post)->carry(R"({"text":"x"})"));
  (*post)->cut();
  const std::string request = seen.get_future().get();
  CHECK(request.starts_with("POST /hook/T1?key=k HTTP/1.1\r\n"));
  CHECK(request.find("\r\nAuthorization: Bearer secret\r\n") != std::string::npos);
  CHECK(request.find("\r\nContent-Type: application/json\r\n") != std::string::npos);
  CHECK(Peer::Line::body(request) == R"({"text":"x"})");
  CHECK((*post)->name().find("hook") == std::string::npos);
  REQUIRE(breakers.list().size() == 1);
  CHECK(breakers.list()[0].target.starts_with(NoticePost::kTarget));
}

TEST_CASE("is taken by any 2xx, tried again after 429 and 5xx, and refused for good by the rest") {
  CHECK(answered("202 Accepted"));
  CHECK(answered("429 Too Many Requests").error().code == ErrorCode::Unavailable);
  CHECK(answered("503 Service Unavailable").error().code == ErrorCode::Unavailable);
  CHECK(answered("404 Not Found").error().code == ErrorCode::InvalidArgument);
  CHECK(answered("302 Found").error().code == ErrorCode::InvalidArgument);
}

TEST_CASE("is worth another try where nobody listens or nobody answers") {
  CHECK(post_to(ClosedPort().url()).error().code == ErrorCode::Unavailable);
  Peer closes([](Peer::Line& line) { line.request(); });
  CHECK(post_to(closes.url()).error().code == ErrorCode::Unavailable);
}

TEST_CASE("a url that is none is refused at once") {
  CHECK(post_to("hooks.example").error().code == ErrorCode::InvalidArgument);
}

TEST_CASE("cut() ends a try that hangs") {
  std::promise<void> asked;
  Peer peer([&](Peer::Line& line) {
    line.request();
    asked.set_value();
    line.hang();
  });
  BreakerBoard breakers;
  NoticePostOptions options = to(peer.url());
  options.http.total = std::chrono::hours(1);
  options.http.read = std::chrono::hours(1);
  auto post = NoticePost::make(std::move(options), breakers);
  auto outcome = std::async(std::launch::async, [&] { return (*post)->carry("{}"); });
  asked.get_future().wait();
  (*post)->cut();
  CHECK_FALSE(outcome.get());
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("notice sender");

TEST_CASE("what fails is tried again, before what came later") {
  Way way;
  way.failures = 3;
  NoticeSender sender(way.carrier(), quick());
  sender.send("one");
  sender.send("two");
  way.until([&] { return way.arrived.size() == 2; });
  CHECK(way.arrived == std::vector<std::string>{"one", "two"});
  CHECK(way.tried.size() == 5);
  sender.stop(Millis(0));
  CHECK(sender.counts().sent == 2);
  CHECK(sender.counts().failed == 3);
}

TEST_CASE("what is refused for good is not tried again") {
  Way way;
  way.failures = 1;
  way.error = ErrorCode::InvalidArgument;
  NoticeSender sender(way.carrier(), quick());
  sender.send("bad");
  sender.send("good");
  way.until([&] { return way.arrived.size() == 1; });
  CHECK(way.tried == std::vector<std::string>{"bad", "good"});
  CHECK(sender.counts().dropped == 1);
}

TEST_CASE("what is too old is given up") {
  Way way;
  way.failures = 1000;
  auto options = quick();
  options.give_up = Millis(0);
  NoticeSender sender(way.carrier(), options);
  sender.send("old");
  sender.send("older");
  way.until([&] { return way.tried.size() == 2; });
  sender.stop(Millis(0));
  CHECK(sender.counts().dropped == 2);
}

TEST_CASE("behind a way that hangs the queue stays bounded, and the newest are kept") {
  Way way;
  way.held = true;
  auto options = quick();
  options.max_queued = 2;
  NoticeSender sender(way.carrier(), options);
  sender.send("first");
  way.until([&] { return way.tried.size() == 1; });
  for (const char* text : {"a", "b", "c", "d"}) sender.send(text);
  CHECK(sender.counts().queued == 3);
  CHECK(sender.counts().dropped == 2);
  way.let_go();
  way.until([&] { return way.arrived.size() == 3; });
  CHECK(way.arrived == std::vector<std::string>{"first", "c", "d"});
}

TEST_CASE("stop() lets what is queued go out") {
  Way way;
  way.held = true;
  NoticeSender sender(way.carrier(), quick());
  sender.send("one");
  sender.send("two");
  way.until([&] { return way.tried.size() == 1; });
  way.let_go();
  sender.stop(Millis(60'000));
  CHECK(way.arrived.size() == 2);
  sender.send("late");
  CHECK(sender.counts().dropped == 1);
}

TEST_CASE("stop() does not wait for a way that hangs") {
  Way way;
  way.held = true;
  NoticeSender sender(way.carrier(), quick());
  sender.send("one");
  sender.send("two");
  way.until([&] { return way.tried.size() == 1; });
  sender.stop(Millis(10));
  CHECK(way.arrived.empty());
  CHECK(sender.counts().dropped == 2);
}

TEST_SUITE_END();
