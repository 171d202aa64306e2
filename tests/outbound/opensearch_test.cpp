// From the history to OpenSearch, when all is well.
#include "outbound/opensearch.h"

#include <atomic>

#include "cluster.h"

using namespace mahavishnu;
using base::Millis;
using rpc::Json;
using support::Cluster;
using support::Forwarding;
using support::Peer;

namespace {

struct World {
  explicit World(outbound::OpenSearchOptions options = patient())
      : peer([this](Peer::Line& line) { cluster.serve(line); }),
        forwarding(peer.url(), std::move(options)) {}

  static outbound::OpenSearchOptions patient() {
    auto options = Forwarding::quick();
    options.http.read = options.http.total = Millis(20'000);
    return options;
  }
  // All up to here is sent, and known to be.
  void send(std::int64_t count) {
    forwarding.feed.add(count);
    forwarding.feed.wait_sent(forwarding.feed.newest());
  }
  outbound::OpenSearch& start() {
    forwarding.opensearch->start();
    return *forwarding.opensearch;
  }

  Cluster cluster;
  Peer peer;
  Forwarding forwarding;
};

std::string first_line(const std::string& request) {
  return request.substr(0, request.find("\r\n"));
}

}  // namespace

TEST_SUITE("opensearch") {
  TEST_CASE("what the history has when it starts is sent, template first, each event once") {
    World world;
    world.forwarding.feed.add(25);
    auto& opensearch = world.start();
    world.forwarding.feed.wait_sent(25);
    CHECK(world.cluster.documents.size() == 25);
    CHECK(world.cluster.conflicts == 0);
    CHECK(world.cluster.templates.size() == 1);
    CHECK(first_line(world.cluster.requests.at(0)) ==
          "PUT /_index_template/mahavishnu-events HTTP/1.1");
    CHECK(first_line(world.cluster.requests.at(1)) == "POST /_bulk HTTP/1.1");
    CHECK(world.cluster.requests.at(1).find("application/x-ndjson") != std::string::npos);
    const auto& first = *world.cluster.documents.begin();
    CHECK(first.first.starts_with("mahavishnu-events-2025.11.13/abcdef0123456789-"));
    CHECK(first.second["node"] == "here");
    const auto figures = opensearch.figures();
    CHECK(figures.indexed == 25);
    CHECK(figures.sent == 25);
    CHECK(figures.behind == 0);
    CHECK(figures.last_error == "");
  }

  TEST_CASE("with nothing new nobody is called, and with all sent nobody again") {
    World world;
    auto& opensearch = world.start();
    CHECK_FALSE(world.forwarding.search({}, {10, "bad"}));  // it has run, and asked nobody
    CHECK(world.peer.connections() == 0);
    world.send(1);
    const auto said = world.cluster.requests.size();
    CHECK(said == 2);
    const int reads = world.forwarding.feed.reads();
    CHECK_FALSE(world.forwarding.search({}, {10, "bad"}));
    CHECK_FALSE(world.forwarding.search({}, {10, "bad"}));
    CHECK(world.cluster.requests.size() == said);
    CHECK(world.forwarding.feed.reads() == reads);
    CHECK(opensearch.figures().bulks == 1);
  }

  TEST_CASE("news are gathered: a trickle is one bulk") {
    auto options = World::patient();
    options.gather = Millis(60'000);
    options.bulk.rows = 1000;
    World world(options);
    world.start();
    CHECK_FALSE(world.forwarding.search({}, {10, "bad"}));
    for (int i = 0; i < 50; ++i) world.forwarding.feed.add(1);
    CHECK_FALSE(world.forwarding.search({}, {10, "bad"}));
    CHECK(world.cluster.bulks.empty());
    world.forwarding.opensearch->stop();
    options.gather = Millis(30);
    options.url = world.peer.url();
    world.forwarding.begin(options);
    world.start();  // what there is at a start is not waited with
    world.forwarding.feed.wait_sent(50);
    CHECK(world.cluster.bulks.size() == 1);
    for (int i = 0; i < 50; ++i) world.forwarding.feed.add(1);
    world.forwarding.feed.wait_sent(100);
    CHECK(world.cluster.bulks.size() <= 3);
  }

  TEST_CASE("many are sent in order over at most so many connections, in bounded bulks") {
    auto options = World::patient();
    options.connections = 3;
    World world(options);
    std::atomic<std::int64_t> largest{0};
    world.cluster.take = [&](Peer::Line&, const Cluster::Bulk& bulk) {
      largest = std::max<std::int64_t>(largest, static_cast<std::int64_t>(bulk.actions.size()));
      return false;
    };
    world.start();
    world.send(500);
    CHECK(world.cluster.documents.size() == 500);
    CHECK(largest == 10);
    CHECK(world.cluster.bulks.size() == 50);
    CHECK(world.cluster.most_at_once <= 3);
    CHECK(world.cluster.templates.size() == 1);
    for (const auto& bulk : world.cluster.bulks) {
      for (std::size_t i = 1; i < bulk.documents.size(); ++i) {
        CHECK(bulk.documents[i]["seq"] > bulk.documents[i - 1]["seq"]);
      }
    }
  }

  TEST_CASE("bulks are bounded by their bytes as well") {
    auto options = World::patient();
    options.bulk.rows = 1000;
    options.bulk.bytes = 20'000;
    World world(options);
    world.start();
    world.forwarding.feed.add(40, std::string(3000, 'x'));
    world.forwarding.feed.wait_sent(40);
    for (const auto& request : world.cluster.requests) {
      CHECK(Peer::Line::body(request).size() <= 20'000);
    }
    CHECK(world.cluster.documents.size() == 40);
  }

  TEST_CASE("while bulks hang, no more is read than bounded memory holds") {
    auto options = World::patient();
    options.connections = 2;
    options.bulk.most_bulks = 4;
    World world(options);
    world.cluster.take = [](Peer::Line& line, const Cluster::Bulk&) {
      line.hang();
      return true;
    };
    world.start();
    world.forwarding.feed.add(1000);
    world.cluster.until([&] { return world.cluster.bulks.size() == 2; });
    CHECK(world.forwarding.feed.furthest() <= 40);
  }

  TEST_CASE("a user and a password go with every call") {
    auto options = World::patient();
    options.user = "writer";
    options.password = "pass word";
    World world(options);
    world.cluster.found = {{"hits", {{"hits", Json::array()}}}};
    world.start();
    world.send(1);
    CHECK(world.forwarding.search());
    REQUIRE(world.cluster.requests.size() == 3);
    for (const auto& request : world.cluster.requests) {
      CHECK(request.find("Authorization: Basic d3JpdGVyOnBhc3Mgd29yZA==\r\n") != std::string::npos);
    }
  }

  TEST_CASE("the url's path and the index's name are kept to") {
    auto options = World::patient();
    options.index = "logs";
    World world(options);
    options.url = world.peer.url("/search/");
    world.forwarding.begin(options);
    world.cluster.found = {{"hits", {{"hits", Json::array()}}}};
    world.start();
    world.send(1);
    CHECK(world.forwarding.search());
    CHECK(first_line(world.cluster.requests.at(0)) == "PUT /search/_index_template/logs HTTP/1.1");
    CHECK(first_line(world.cluster.requests.at(1)) == "POST /search/_bulk HTTP/1.1");
    CHECK(first_line(world.cluster.requests.at(2)) == "POST /search/logs-*/_search HTTP/1.1");
  }

  TEST_CASE("an answer without ids is an answer") {
    World world;
    world.cluster.whole_items = false;
    world.start();
    world.send(3);
    CHECK(world.forwarding.opensearch->figures().indexed == 3);
  }

  TEST_CASE("a server that takes no templates is sent to without") {
    World world;
    world.cluster.template_status = "403 Forbidden";
    world.start();
    world.send(1);
    world.send(1);
    CHECK(world.cluster.documents.size() == 2);
    CHECK(world.cluster.templates.size() == 1);
    CHECK(world.forwarding.opensearch->figures().last_error.find("403") != std::string::npos);
  }

  TEST_CASE("a search is answered with what it finds, and where that happened") {
    World world;
    world.cluster.found = {{"hits",
                            {{"hits",
                              {{{"_source",
                                 {{"@timestamp", "2025-11-13T02:13:20.000Z"},
                                  {"seq", 5},
                                  {"history", "h"},
                                  {"node", "there"},
                                  {"kind", "log"},
                                  {"message", "found"}}}}}}}}};
    world.start();
    domain::LogFilter filter;
    filter.repo = "api";
    const auto page = world.forwarding.search(filter, {20, ""});
    REQUIRE(page);
    REQUIRE(page->items.size() == 1);
    CHECK(page->items[0].text == "found");
    CHECK(page->items[0].node == "there");
    CHECK(world.cluster.searches.at(0)["query"]["bool"]["filter"][0]["term"]["repo"] == "api");
    CHECK(world.cluster.searches.at(0)["size"] == 21);
    CHECK(world.cluster.templates.empty());  // a search needs none
  }

  TEST_CASE("a history that cannot be read at first is read later") {
    World world;
    world.forwarding.feed.broken = 1;
    world.forwarding.feed.add(3);
    world.start();
    world.forwarding.feed.wait_sent(3);
    CHECK(world.cluster.documents.size() == 3);
    CHECK(world.forwarding.opensearch->figures().last_error == "no disk");
  }

  TEST_CASE("what cannot be the url or the index is refused before anything starts") {
    asio::io_context io;
    support::HandFeed feed;
    outbound::BreakerBoard board;
    outbound::OpenSearchOptions options;
    options.url = "ftp://x";
    CHECK_FALSE(outbound::OpenSearch::make(io.get_executor(), options, feed, board));
    options.url = "http://127.0.0.1:9200";
    options.index = "Upper";
    CHECK_FALSE(outbound::OpenSearch::make(io.get_executor(), options, feed, board));
  }

  TEST_CASE("with none configured a search says how to have one") {
    asio::io_context io;
    outbound::NoOpenSearch none(io.get_executor());
    std::optional<base::Result<domain::LogPage>> answer;
    none.entries({}, {}, [&answer](auto found) { answer = std::move(found); });
    io.run();
    REQUIRE(answer);
    REQUIRE_FALSE(*answer);
    CHECK(answer->error().code == base::ErrorCode::Unavailable);
    CHECK(answer->error().message.find("opensearch.url") != std::string::npos);
  }
}
