// OpenSearch that does not work, in every way: nothing is lost, nothing doubled, nothing hangs.
#include <atomic>
#include <future>

#include "base/log.h"
#include "cluster.h"

using namespace mahavishnu;
using base::Millis;
using domain::BreakerState;
using rpc::Json;
using support::Cluster;
using support::Forwarding;
using support::Peer;

namespace {

// A server whose bulks go wrong in some way, for so many of them.
struct Hospital {
  explicit Hospital(std::function<void(Peer::Line&)> ill, int days = 5,
                    outbound::OpenSearchOptions options = Forwarding::quick())
      : left(days),
        peer([this](Peer::Line& line) { cluster.serve(line); }),
        forwarding(peer.url(), std::move(options)) {
    cluster.take = [this, ill = std::move(ill)](Peer::Line& line, const Cluster::Bulk&) {
      if (left <= 0) return false;
      --left;
      ill(line);
      return true;
    };
    forwarding.opensearch->start();
  }
  outbound::OpenSearch::Figures figures() { return forwarding.opensearch->figures(); }
  // All that is in the history now is dealt with.
  void settle() { forwarding.feed.wait_sent(forwarding.feed.newest()); }

  Cluster cluster;
  std::atomic<int> left;
  Peer peer;
  Forwarding forwarding;
};

void check_recovers(std::function<void(Peer::Line&)> ill) {
  Hospital world(std::move(ill));
  world.forwarding.feed.add(30);
  world.settle();
  CHECK(world.left == 0);
  CHECK(world.cluster.count() == 30);
  CHECK(world.cluster.conflicts == 0);
  CHECK(world.forwarding.breaker().counts.opened >= 1);
  CHECK(world.forwarding.breaker().state == BreakerState::Closed);
  const auto figures = world.figures();
  CHECK(figures.indexed == 30);
  CHECK(figures.retried > 0);
  CHECK(figures.rejected == 0);
  CHECK_FALSE(figures.last_error.empty());
}

int seq_of(const Json& document) { return document.at("seq"); }

// The lines of the log while it lives.
class Lines final : public base::LogFollower {
 public:
  Lines() {
    REQUIRE(base::start_log({}));
    base::follow_log(this);
  }
  ~Lines() override {
    base::follow_log(nullptr);
    base::stop_log();
  }
  void line(const base::LogLine& line) override {
    const std::lock_guard lock(mutex_);
    lines_.emplace_back(line.text);
    if (told) told();
  }
  int with(const std::string& text) {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(std::count_if(lines_.begin(), lines_.end(), [&](const auto& line) {
      return line.find(text) != line.npos;
    }));
  }
  std::function<void()> told;  // before the first line

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace

TEST_SUITE("opensearch, bad days") {
  TEST_CASE("a server that answers 500") {
    check_recovers([](Peer::Line& line) { line.answer("oops", "500 Internal Server Error"); });
  }
  TEST_CASE("a server that closes in the middle of an answer") {
    check_recovers([](Peer::Line& line) {
      line.write("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"items\":[");
    });
  }
  TEST_CASE("a server that closes without an answer") {
    check_recovers([](Peer::Line&) {});
  }
  TEST_CASE("a server that hangs") {
    check_recovers([](Peer::Line& line) { line.hang(); });
  }
  TEST_CASE("a server that drips") {
    check_recovers([](Peer::Line& line) {
      line.drip("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + std::string(99999, ' '));
    });
  }
  TEST_CASE("a server that speaks garbage") {
    check_recovers([](Peer::Line& line) { line.answer("\xFF\xFE not JSON"); });
  }
  TEST_CASE("a server that answers 200 and no items") {
    check_recovers(
        [](Peer::Line& line) { line.answer(R"({"took":1,"errors":false,"items":[]})"); });
  }
  TEST_CASE("a server that redirects is not followed") {
    check_recovers([](Peer::Line& line) {
      line.answer("", "302 Found", "Location: http://127.0.0.1:1/\r\n");
    });
  }
  TEST_CASE("a server that lies about its length") {
    check_recovers([](Peer::Line& line) {
      line.write("HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n{}");
    });
  }
  TEST_CASE("a server that does not know who calls") {
    check_recovers([](Peer::Line& line) { line.answer("", "401 Unauthorized"); });
  }

  TEST_CASE("a server that is not there, for as long as that lasts") {
    const support::ClosedPort closed;
    Forwarding forwarding(closed.url());
    forwarding.feed.add(5000);
    forwarding.opensearch->start();
    while (forwarding.breaker().counts.opened < 3) forwarding.search();
    CHECK(forwarding.feed.sent() == 0);
    CHECK(forwarding.feed.furthest() <= 60);  // what is in memory is bounded
    const auto figures = forwarding.opensearch->figures();
    CHECK(figures.indexed == 0);
    CHECK(figures.behind == 5000);
    CHECK(figures.last_error.find("takes no connection") != std::string::npos);
  }

  TEST_CASE("of a bulk that half went wrong only the failed are sent again") {
    Hospital world([](Peer::Line&) {}, 0);
    std::map<int, int> tries;  // under the cluster's lock
    world.cluster.status = [&tries](const Json& document) {
      const int seq = seq_of(document);
      const int times = ++tries[seq];
      if (seq % 3 == 0 && times <= 2) return seq % 2 == 0 ? 429 : 503;
      return 0;
    };
    world.forwarding.feed.add(30);
    world.settle();
    CHECK(world.cluster.count() == 30);
    CHECK(world.cluster.conflicts == 0);
    for (const auto& [seq, times] : tries) CHECK_MESSAGE(times == (seq % 3 == 0 ? 3 : 1), seq);
    const auto figures = world.figures();
    CHECK(figures.indexed == 30);
    CHECK(figures.retried == 20);
    CHECK(figures.sent == 50);
    // Bulks are in order, and the rest in the order of the history.
    std::vector<std::string> at_once;
    for (const auto& id : world.cluster.ids) {
      const int seq = std::stoi(id.substr(id.find('-') + 1));
      if (seq % 3 != 0) at_once.push_back(id);
    }
    CHECK(at_once.size() == 20);
    CHECK(world.forwarding.breaker().counts.opened == 0);
  }

  TEST_CASE("documents that will never be taken are counted and passed over") {
    Hospital world([](Peer::Line&) {}, 0);
    world.cluster.status = [](const Json& document) { return seq_of(document) % 5 == 0 ? 400 : 0; };
    world.forwarding.feed.add(30);
    world.settle();
    const auto figures = world.figures();
    CHECK(figures.indexed == 24);
    CHECK(figures.rejected == 6);
    CHECK(figures.retried == 0);
    CHECK(figures.behind == 0);
    CHECK(figures.last_error == "400 mapper_parsing_exception: so it is");
  }

  TEST_CASE("its lines about what is rejected do not feed themselves") {
    Lines lines;
    Hospital world([](Peer::Line&) {}, 0);
    world.cluster.status = [](const Json&) { return 400; };
    lines.told = [&world] { world.forwarding.feed.add(1); };  // each line is an event
    world.forwarding.feed.add(1);
    // 1 is said, 2 is said, 4 is not reached: the third event is the last.
    world.forwarding.feed.wait_sent(3);
    CHECK_FALSE(world.forwarding.search({}, {10, "bad"}));
    CHECK(world.figures().rejected == 3);
    CHECK(world.forwarding.feed.newest() == 3);
    CHECK(lines.with("has rejected") == 2);
  }

  TEST_CASE("an outage is two lines, however long it is") {
    Lines lines;
    Hospital world([](Peer::Line& line) { line.answer("", "500 Internal Server Error"); }, 12);
    lines.told = [&world] { world.forwarding.feed.add(1); };
    world.forwarding.feed.add(30);
    world.forwarding.feed.wait_sent(32);
    CHECK(world.cluster.count() == 32);
    CHECK(lines.with("is not called for now") == 1);
    CHECK(lines.with("is called again") == 1);
    CHECK(world.forwarding.feed.newest() == 32);
  }

  TEST_CASE("429 with Retry-After is waited for, and opens no breaker") {
    auto options = Forwarding::quick();
    std::atomic<int> asked{0};
    std::chrono::steady_clock::time_point first, second;
    Hospital world([](Peer::Line&) {}, 0, options);
    world.cluster.take = [&](Peer::Line& line, const Cluster::Bulk&) {
      if (++asked == 1) {
        first = std::chrono::steady_clock::now();
        line.answer("", "429 Too Many Requests", "Retry-After: 1\r\n");
        return true;
      }
      if (asked == 2) second = std::chrono::steady_clock::now();
      return false;
    };
    world.forwarding.feed.add(10);
    world.settle();
    CHECK(second - first >= std::chrono::seconds(1));
    CHECK(asked == 2);
    CHECK(world.forwarding.breaker().counts.opened == 0);
    CHECK(world.forwarding.breaker().counts.failed == 0);
    CHECK(world.figures().retried == 10);
  }

  TEST_CASE(
      "a bulk that is too long is halved until it is taken, one document too long passed over") {
    auto options = Forwarding::quick();
    options.bulk.rows = 1000;
    Hospital world([](Peer::Line&) {}, 0, options);
    world.cluster.take = [](Peer::Line& line, const Cluster::Bulk& bulk) {
      std::size_t bytes = 0;
      for (const auto& document : bulk.documents) bytes += document.dump().size();
      if (bytes <= 2000) return false;
      line.answer("", "413 Payload Too Large");
      return true;
    };
    world.forwarding.feed.add(40);
    world.settle();
    CHECK(world.cluster.count() == 40);
    CHECK(world.figures().rejected == 0);
    world.forwarding.feed.add(1, std::string(5000, 'x'));
    world.forwarding.feed.add(10);
    world.settle();
    CHECK(world.cluster.count() == 50);
    CHECK(world.figures().rejected == 1);
    CHECK(world.forwarding.breaker().counts.opened == 0);
  }

  TEST_CASE("documents whose answer was lost are not doubled") {
    Hospital world([](Peer::Line&) {}, 0);
    std::atomic<int> asked{0};
    world.cluster.take = [&](Peer::Line&, const Cluster::Bulk& bulk) {
      if (++asked != 1) return false;
      world.cluster.put(bulk);
      return true;  // closes without a word
    };
    world.forwarding.feed.add(30);
    world.settle();
    CHECK(world.cluster.count() == 30);
    CHECK(world.cluster.ids.size() == 30);
    CHECK(world.cluster.conflicts == 10);
    CHECK(world.figures().known == 10);
    CHECK(world.figures().indexed == 20);
  }

  TEST_CASE("a restart in the middle loses nothing and doubles nothing") {
    auto options = Forwarding::quick();
    options.http.read = options.http.total = Millis(600'000);
    options.connections = 2;
    Hospital world([](Peer::Line&) {}, 0, options);
    std::atomic<int> asked{0};
    std::promise<void> hung;
    world.cluster.take = [&](Peer::Line& line, const Cluster::Bulk& bulk) {
      if (++asked != 3) return false;
      world.cluster.put(bulk);  // it is there, and nobody hears of it
      hung.set_value();
      line.hang();
      return true;
    };
    world.forwarding.feed.add(100);
    hung.get_future().wait();
    world.forwarding.opensearch->stop();
    CHECK(world.forwarding.feed.sent() < 100);
    options.url = world.peer.url();
    world.forwarding.begin(options);
    world.forwarding.opensearch->start();
    world.settle();
    CHECK(world.cluster.count() == 100);
    CHECK(world.cluster.ids.size() == 100);
    CHECK(world.cluster.conflicts >= 10);
    CHECK(world.figures().dropped == 0);
  }

  TEST_CASE("what the sweep takes before it is sent is counted and said") {
    Lines lines;
    const support::ClosedPort closed;
    auto options = Forwarding::quick();
    Cluster cluster;
    Peer peer([&cluster](Peer::Line& line) { cluster.serve(line); });
    Forwarding forwarding(peer.url(), options);
    forwarding.feed.add(100);
    forwarding.feed.sent(10);
    forwarding.feed.sweep(60);
    forwarding.opensearch->start();
    forwarding.feed.wait_sent(100);
    CHECK(cluster.count() == 40);
    CHECK(forwarding.opensearch->figures().dropped == 50);
    CHECK(lines.with("50 events left the history") == 1);
  }

  TEST_CASE("after an outage bulks come back one by one, and the template first") {
    Hospital world([](Peer::Line& line) { line.answer("", "500 Internal Server Error"); }, 6);
    world.forwarding.feed.add(200);
    world.settle();
    CHECK(world.cluster.count() == 200);
    const auto& requests = world.cluster.requests;
    const auto is_template = [](const std::string& request) { return request.starts_with("PUT "); };
    CHECK(std::count_if(requests.begin(), requests.end(), is_template) >= 2);
    // The first bulk that is taken is alone: the ill ones before it were as well.
    CHECK(world.cluster.most_at_once <= 4);
  }

  TEST_CASE("while the breaker is open only probes go out, and a reset sends one at once") {
    auto options = Forwarding::quick();
    options.breaker.cool_down = options.breaker.longest = Millis(600'000);
    options.connections = 1;  // nothing is under way when it opens
    Hospital world([](Peer::Line& line) { line.answer("", "500 Internal Server Error"); }, 1000,
                   options);
    world.forwarding.feed.add(50);
    while (world.forwarding.breaker().state != BreakerState::Open)
      world.forwarding.search({}, {10, "bad"});
    const auto said = world.cluster.bulks.size();
    world.forwarding.feed.add(50);
    CHECK_FALSE(world.forwarding.search());
    CHECK(world.cluster.bulks.size() == said);
    CHECK(world.cluster.searches.empty());
    world.left = 0;
    REQUIRE(world.forwarding.board.reset(world.forwarding.breaker().target));
    world.settle();
    CHECK(world.cluster.count() == 100);
  }

  TEST_CASE("a search while it is away fails at once and says what state it is in") {
    const support::ClosedPort closed;
    auto options = Forwarding::quick();
    options.breaker.cool_down = options.breaker.longest = Millis(600'000);
    Forwarding forwarding(closed.url(), options);
    forwarding.opensearch->start();
    auto found = forwarding.search();
    REQUIRE_FALSE(found);
    CHECK(found.error().message.find("its breaker is closed") != std::string::npos);
    while (forwarding.breaker().state != BreakerState::Open) forwarding.search();
    found = forwarding.search();
    REQUIRE_FALSE(found);
    CHECK(found.error().code == base::ErrorCode::Unavailable);
    CHECK(found.error().message.find("its breaker is open, the next try is in") !=
          std::string::npos);
    CHECK(found.error().message.find("takes no connection") != std::string::npos);
    CHECK(found.error().retry_after_ms > 0);
  }

  TEST_CASE("a search that is not answered ends at its limit") {
    Hospital world([](Peer::Line& line) { line.hang(); });
    world.cluster.template_status = "200 OK";
    Peer silent([](Peer::Line& line) { line.hang(); });
    auto options = Forwarding::quick();
    options.http.read = options.http.total = Millis(600'000);
    options.search_limit = Millis(1);
    Forwarding forwarding(silent.url(), options);
    forwarding.opensearch->start();
    const auto found = forwarding.search();
    REQUIRE_FALSE(found);
    CHECK(found.error().code == base::ErrorCode::Deadline);
  }

  TEST_CASE("a hung server does not keep it from being stopped, nor a search from being answered") {
    auto options = Forwarding::quick();
    options.http.read = options.http.total = Millis(600'000);
    std::promise<void> hung;
    std::atomic<bool> told{false};
    Hospital world(
        [&](Peer::Line& line) {
          if (!told.exchange(true)) hung.set_value();
          line.hang();
        },
        1000, options);
    world.cluster.found = {{"hits", {{"hits", Json::array()}}}};
    world.forwarding.feed.add(50);
    hung.get_future().wait();
    CHECK(world.forwarding.search());  // has a connection of its own
    world.forwarding.opensearch->stop();
    CHECK(world.forwarding.feed.sent() == 0);
  }
}
