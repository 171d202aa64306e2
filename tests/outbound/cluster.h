// OpenSearch as a double, a history in memory, and what sends from one to the other.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include "outbound/opensearch.h"
#include "rpc/codec.h"
#include "support/peer.h"

namespace mahavishnu::support {

using rpc::Json;

inline base::WallTime event_time(std::int64_t seq) {
  return base::WallTime(base::Millis(1'763'000'000'000 + seq));
}

// A history whose rows a test makes, lets go of and looks at.
class HandFeed final : public domain::EventFeed {
 public:
  void add(std::int64_t count, const std::string& text = "event") {
    std::function<void()> told;
    {
      const std::lock_guard lock(mutex_);
      for (std::int64_t i = 0; i < count; ++i) {
        domain::FedEntry fed;
        fed.seq = ++newest_;
        fed.entry.time = event_time(fed.seq);
        fed.entry.kind = "log";
        fed.entry.text = text + " " + std::to_string(fed.seq);
        rows_[fed.seq] = std::move(fed);
      }
      told = told_;
    }
    if (told) told();
  }
  // The oldest leave, as the sweep lets them.
  void sweep(std::int64_t up_to) {
    const std::lock_guard lock(mutex_);
    rows_.erase(rows_.begin(), rows_.upper_bound(up_to));
  }

  base::Result<domain::FeedPlace> place() override {
    const std::lock_guard lock(mutex_);
    if (broken > 0 && --broken >= 0) return base::fail(base::ErrorCode::Internal, "no disk");
    return domain::FeedPlace{"abcdef0123456789", sent_};
  }
  base::Result<domain::FeedPage> next(std::int64_t after, int limit, std::size_t bytes) override {
    const std::lock_guard lock(mutex_);
    ++reads_;
    domain::FeedPage page;
    page.up_to = after;
    for (auto row = rows_.upper_bound(after); row != rows_.end(); ++row) {
      if (static_cast<int>(page.items.size()) == limit || bytes == 0) {
        page.more = true;
        break;
      }
      page.lost += row->first - page.up_to - 1;
      page.up_to = row->first;
      bytes -= std::min(bytes, row->second.entry.text.size());
      page.items.push_back(row->second);
    }
    if (page.items.empty() && newest_ > after) {
      page.lost = newest_ - after;
      page.up_to = newest_;
    }
    furthest_ = std::max(furthest_, page.up_to);
    return page;
  }
  std::int64_t newest() const override {
    const std::lock_guard lock(mutex_);
    return newest_;
  }
  void sent(std::int64_t up_to) override {
    const std::lock_guard lock(mutex_);
    CHECK(up_to > sent_);
    sent_ = up_to;
    moved_.notify_all();
  }
  void on_news(std::function<void()> told) override {
    const std::lock_guard lock(mutex_);
    told_ = std::move(told);
  }

  void wait_sent(std::int64_t up_to) {
    std::unique_lock lock(mutex_);
    moved_.wait(lock, [&] { return sent_ >= up_to; });
  }
  std::int64_t sent() const {
    const std::lock_guard lock(mutex_);
    return sent_;
  }
  std::int64_t furthest() const {  // that was read
    const std::lock_guard lock(mutex_);
    return furthest_;
  }
  int reads() const {
    const std::lock_guard lock(mutex_);
    return reads_;
  }

  int broken = 0;  // so many looks fail; before the start

 private:
  mutable std::mutex mutex_;
  std::condition_variable moved_;
  std::map<std::int64_t, domain::FedEntry> rows_;
  std::int64_t newest_ = 0, sent_ = 0, furthest_ = 0;
  int reads_ = 0;
  std::function<void()> told_;
};

// Takes templates and bulks as the documented API does, and answers searches with what a test says.
class Cluster {
 public:
  struct Bulk {
    std::vector<Json> actions, documents;
  };
  // What becomes of a bulk. True: answered already (or never).
  using Take = std::function<bool(Peer::Line&, const Bulk&)>;
  // The status a document gets instead of its own; 0: its own.
  using Status = std::function<int(const Json& document)>;

  Take take;      // may be empty
  Status status;  // may be empty
  std::string template_status = "200 OK";
  Json found;               // the answer to a search
  bool whole_items = true;  // with _id and all

  std::mutex mutex;
  std::condition_variable moved;
  std::vector<std::string> requests;      // heads and bodies
  std::vector<Bulk> bulks;                // that came
  std::map<std::string, Json> documents;  // by index/id
  std::vector<std::string> ids;           // in the order they were created
  std::vector<Json> templates, searches;
  int conflicts = 0;
  int at_once = 0, most_at_once = 0;

  void serve(Peer::Line& line) {
    for (std::string request = line.request(); !request.empty(); request = line.request()) {
      if (!answer(line, request)) return;
    }
  }
  // Waits until `holds`, looked at whenever a request has come or been answered.
  void until(const std::function<bool()>& holds) {
    std::unique_lock lock(mutex);
    moved.wait(lock, holds);
  }
  std::size_t count() {
    const std::lock_guard lock(mutex);
    return documents.size();
  }
  // Puts the documents of a bulk there, as when its answer is lost.
  Json put(const Bulk& bulk) {
    const std::lock_guard lock(mutex);
    return create_all(bulk);
  }

 private:
  static Bulk split(const std::string& body) {
    Bulk bulk;
    std::size_t at = 0;
    for (bool action = true; at < body.size(); action = !action) {
      const auto end = body.find('\n', at);
      REQUIRE(end != std::string::npos);
      (action ? bulk.actions : bulk.documents).push_back(Json::parse(body.substr(at, end - at)));
      at = end + 1;
    }
    REQUIRE(bulk.actions.size() == bulk.documents.size());
    return bulk;
  }
  static Json failure(const std::string& type) { return {{"type", type}, {"reason", "so it is"}}; }

  Json create_all(const Bulk& bulk) {
    Json items = Json::array();
    bool errors = false;
    for (std::size_t i = 0; i < bulk.actions.size(); ++i) {
      const Json& create = bulk.actions[i].at("create");
      const std::string id = create.at("_id");
      const std::string key = create.at("_index").get<std::string>() + "/" + id;
      Json item{{"_index", create.at("_index")}, {"_id", id}};
      const int told = status ? status(bulk.documents[i]) : 0;
      if (told != 0) {
        item["status"] = told;
        item["error"] = failure(told == 400   ? "mapper_parsing_exception"
                                : told == 429 ? "rejected_execution_exception"
                                              : "internal_server_error");
      } else if (documents.contains(key)) {
        ++conflicts;
        item["status"] = 409;
        item["error"] = failure("version_conflict_engine_exception");
      } else {
        documents[key] = bulk.documents[i];
        ids.push_back(id);
        item["status"] = 201;
        item["result"] = "created";
      }
      errors = errors || item.contains("error");
      if (!whole_items) item.erase("_id");
      items.push_back({{"create", std::move(item)}});
    }
    return {{"took", 3}, {"errors", errors}, {"items", std::move(items)}};
  }

  bool answer(Peer::Line& line, const std::string& request) {
    const std::string body = Peer::Line::body(request);
    const std::string what = request.substr(0, request.find(" HTTP/"));
    {
      const std::lock_guard lock(mutex);
      requests.push_back(request);
      moved.notify_all();
    }
    if (what.starts_with("PUT /_index_template/")) {
      {
        const std::lock_guard lock(mutex);
        templates.push_back(Json::parse(body));
      }
      return line.answer(R"({"acknowledged":true})", template_status);
    }
    if (what.ends_with("/_search")) {
      std::string text;
      {
        const std::lock_guard lock(mutex);
        searches.push_back(Json::parse(body));
        text = rpc::dump(found);
      }
      return line.answer(text);
    }
    if (!what.ends_with("/_bulk")) return line.answer("", "404 Not Found");
    const Bulk bulk = split(body);
    {
      const std::lock_guard lock(mutex);
      bulks.push_back(bulk);
      most_at_once = std::max(most_at_once, ++at_once);
      moved.notify_all();
    }
    const bool handled = take && take(line, bulk);
    std::string text;
    {
      const std::lock_guard lock(mutex);
      --at_once;
      if (!handled) text = rpc::dump(create_all(bulk));
      moved.notify_all();
    }
    return handled ? false : line.answer(text);
  }
};

// OpenSearch between the two, with short limits; the test plays the control thread.
struct Forwarding {
  explicit Forwarding(const std::string& url, outbound::OpenSearchOptions options = quick())
      : guard(io.get_executor()) {
    options.url = url;
    begin(options);
  }
  ~Forwarding() { opensearch->stop(); }

  void begin(const outbound::OpenSearchOptions& options) {
    auto made = outbound::OpenSearch::make(io.get_executor(), options, feed, board);
    REQUIRE(made);
    opensearch = std::move(*made);
  }

  static outbound::OpenSearchOptions quick() {
    outbound::OpenSearchOptions options;
    options.node = "here";
    options.http.connect = base::Millis(500);
    options.http.read = base::Millis(300);
    options.http.total = base::Millis(400);
    options.bulk.rows = 10;
    options.bulk.backoff = base::Millis(1);
    options.bulk.longest = base::Millis(20);
    options.bulk.max_tries = 3;
    options.breaker.failures = 3;
    options.breaker.cool_down = base::Millis(20);
    options.breaker.longest = base::Millis(50);
    options.gather = base::Millis(1);
    options.pause = base::Millis(1);
    options.longest_pause = base::Millis(20);
    options.search_limit = base::Millis(300);
    return options;
  }

  base::Result<domain::LogPage> search(domain::LogFilter filter = {}, domain::Page page = {}) {
    std::optional<base::Result<domain::LogPage>> answer;
    opensearch->entries(std::move(filter), std::move(page),
                        [&answer](auto found) { answer = std::move(found); });
    while (!answer) io.run_one();
    return std::move(*answer);
  }
  domain::BreakerView breaker() { return board.list().front(); }

  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> guard;
  HandFeed feed;
  outbound::BreakerBoard board;
  std::unique_ptr<outbound::OpenSearch> opensearch;
};

}  // namespace mahavishnu::support
