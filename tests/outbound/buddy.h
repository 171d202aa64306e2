// Session Buddy as a double, an outbox in memory, and what sends from one to the other.
#pragma once

#include <doctest/doctest.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include "outbound/session_buddy.h"
#include "rpc/codec.h"
#include "support/peer.h"

namespace mahavishnu::support {

using rpc::Json;

// An outbox whose rows a test makes and looks at.
class HandOutbox final : public domain::Outbox {
 public:
  void add(std::int64_t count, const std::string& text = "done") {
    std::function<void()> told;
    {
      const std::lock_guard lock(mutex_);
      for (std::int64_t i = 0; i < count; ++i) {
        domain::OutboxItem item;
        item.seq = ++last_;
        item.memory.id = domain::MemoryId{{0, static_cast<std::uint64_t>(item.seq)}};
        item.memory.time = base::wall_now();
        item.memory.text = text + " " + std::to_string(item.seq);
        rows_[item.seq] = {std::move(item), false};
      }
      told = told_;
    }
    if (told) told();
  }

  base::Result<std::vector<domain::OutboxItem>> next(std::int64_t after, int limit) override {
    const std::lock_guard lock(mutex_);
    ++reads;
    std::vector<domain::OutboxItem> items;
    for (auto row = rows_.upper_bound(after); row != rows_.end(); ++row) {
      if (!row->second.dead) items.push_back(row->second.item);
      if (static_cast<int>(items.size()) == limit) break;
    }
    longest_page = std::max(longest_page, items.size());
    return items;
  }
  base::Result<std::optional<domain::OutboxItem>> find(std::int64_t seq) override {
    const std::lock_guard lock(mutex_);
    const auto row = rows_.find(seq);
    if (row == rows_.end()) return std::nullopt;
    return row->second.item;
  }
  base::Result<domain::OutboxCounts> counts() override {
    const std::lock_guard lock(mutex_);
    domain::OutboxCounts counts;
    for (const auto& [seq, row] : rows_) ++(row.dead ? counts.dead : counts.waiting);
    return counts;
  }
  void settle(std::vector<domain::OutboxOutcome> outcomes,
              std::function<void(base::Status)> done) override {
    using Kind = domain::OutboxOutcome::Kind;
    base::Status status;
    {
      const std::lock_guard lock(mutex_);
      if (full > 0) {
        --full;
        status = base::fail(base::ErrorCode::Exhausted, "the disk is full");
      } else {
        for (const auto& outcome : outcomes) {
          if (outcome.kind == Kind::Accepted) {
            rows_.erase(outcome.seq);
          } else if (rows_.contains(outcome.seq)) {
            rows_[outcome.seq].item.tries = outcome.tries;
            rows_[outcome.seq].dead = outcome.kind == Kind::Dead;
          }
        }
      }
    }
    done(std::move(status));
  }
  void revive(std::function<void(base::Status)> done) override {
    {
      const std::lock_guard lock(mutex_);
      for (auto& [seq, row] : rows_) {
        if (row.dead) row = {std::move(row.item), false};
        row.item.tries = row.dead ? row.item.tries : 0;
      }
    }
    done({});
  }
  void on_grew(std::function<void()> told) override {
    const std::lock_guard lock(mutex_);
    told_ = std::move(told);
  }

  int full = 0;  // so many writes fail
  int reads = 0;
  std::size_t longest_page = 0;

 private:
  struct Row {
    domain::OutboxItem item;
    bool dead = false;
  };
  std::mutex mutex_;
  std::map<std::int64_t, Row> rows_;
  std::int64_t last_ = 0;
  std::function<void()> told_;
};

// Speaks MCP as the contract says: a session, answers as one event, tools by its start.
class Buddy {
 public:
  // What becomes of a store; the line is the connection it came over. True: answered already.
  using Store = std::function<bool(Peer::Line&, const Json& arguments)>;

  std::vector<std::string> tools{"ping", "store_reflection", "fingerprint_search"};
  bool modern = false;
  bool rest = false;  // nothing but POST …/tools/call
  bool sessions = true;
  bool events = true;                      // answers are streams
  std::string text = "Reflection stored";  // of a store
  Store store;                             // may be empty

  std::mutex mutex;
  std::condition_variable moved;
  std::vector<Json> stored;  // arguments, in the order they came
  std::map<std::string, int> methods;
  std::vector<std::string> requests;
  std::set<std::string> known;  // sessions
  int at_once = 0, most_at_once = 0;

  void serve(Peer::Line& line) {
    for (std::string request = line.request(); !request.empty(); request = line.request()) {
      if (!answer(line, request)) return;
    }
  }
  void expire() {
    const std::lock_guard lock(mutex);
    known.clear();
  }
  std::size_t count() {
    const std::lock_guard lock(mutex);
    return stored.size();
  }
  int asked(const std::string& method) {
    const std::lock_guard lock(mutex);
    return methods[method];
  }

 private:
  static std::string header(const std::string& request, const std::string& name) {
    const auto at = request.find("\r\n" + name + ": ");
    if (at == std::string::npos) return "";
    const auto start = at + name.size() + 4;
    return request.substr(start, request.find("\r\n", start) - start);
  }
  bool say(Peer::Line& line, const Json& id, const Json& result, const std::string& headers = "") {
    const std::string body = rpc::dump({{"jsonrpc", "2.0"}, {"id", id}, {"result", result}});
    if (!events) return line.answer(body, "200 OK", headers);
    const std::string event = "event: message\r\ndata: " + body + "\r\n\r\n";
    return line.write("HTTP/1.1 200 OK\r\n" + headers +
                      "Content-Type: text/event-stream\r\nContent-Length: " +
                      std::to_string(event.size()) + "\r\n\r\n" + event);
  }
  static Json as_text(const std::string& text) {
    return {{"content", {{{"type", "text"}, {"text", text}}}}, {"isError", false}};
  }

  bool answer(Peer::Line& line, const std::string& request) {
    const Json body = Json::parse(Peer::Line::body(request), nullptr, false);
    const bool plain = request.starts_with("POST /mcp/tools/call ");
    {
      const std::lock_guard lock(mutex);
      requests.push_back(request);
      ++methods[plain ? "POST tools/call" : body.value("method", "")];
    }
    if (rest != plain) return line.answer("", "404 Not Found");
    if (plain) return take(line, body, Json());
    const std::string method = body["method"];
    const Json id = body.value("id", Json());
    if (method == "server/discover") {
      if (modern) return say(line, id, {{"supportedVersions", {"2026-07-28"}}});
      return line.answer(R"({"error":"no session ID"})", "400 Bad Request");
    }
    if (method == "initialize") {
      std::string name;
      if (sessions) {
        const std::lock_guard lock(mutex);
        name = "s" + std::to_string(methods["initialize"]);
        known.insert(name);
      }
      return say(line, id, {{"protocolVersion", "2025-06-18"}},
                 sessions ? "Mcp-Session-Id: " + name + "\r\n" : "");
    }
    if (sessions && !modern) {
      const std::string name = header(request, "Mcp-Session-Id");
      bool here = false;
      {
        const std::lock_guard lock(mutex);
        here = known.contains(name);
      }
      if (!here) {
        return line.answer("", name.empty() ? "400 Bad Request" : "404 Not Found");
      }
    }
    if (method.starts_with("notifications/")) return line.answer("", "202 Accepted");
    if (method == "tools/list") {
      Json list = Json::array();
      for (const auto& name : tools) list.push_back({{"name", name}});
      return say(line, id, {{"tools", list}});
    }
    return take(line, body["params"], id);
  }

  bool take(Peer::Line& line, const Json& call, const Json& id) {
    if (call["name"] == "fingerprint_search") {
      Json result = as_text("1 found");
      result["structuredContent"] = {
          {"success", true},
          {"results",
           {{{"id", "r1"}, {"content", call["arguments"]["query"]}, {"similarity", 0.8}}}}};
      return say(line, id, result);
    }
    {
      const std::lock_guard lock(mutex);
      most_at_once = std::max(most_at_once, ++at_once);
    }
    const bool handled = store && store(line, call["arguments"]);
    {
      const std::lock_guard lock(mutex);
      --at_once;
      if (!handled) stored.push_back(call["arguments"]);
      moved.notify_all();
    }
    if (handled) return false;
    return rest ? line.answer(rpc::dump(as_text(text))) : say(line, id, as_text(text));
  }
};

// SessionBuddy between the two, with short limits; the test plays the control thread.
struct Sending {
  explicit Sending(const std::string& url, outbound::SessionBuddyOptions options = quick())
      : guard(io.get_executor()) {
    options.url = url;
    auto made = outbound::SessionBuddy::make(io.get_executor(), options, outbox, board);
    REQUIRE(made);
    buddy = std::move(*made);
  }
  ~Sending() { buddy->stop(); }

  static outbound::SessionBuddyOptions quick() {
    outbound::SessionBuddyOptions options;
    options.http.connect = base::Millis(500);
    options.http.read = base::Millis(300);
    options.http.total = base::Millis(400);
    options.backlog.backoff = base::Millis(1);
    options.backlog.longest = base::Millis(20);
    options.backlog.max_tries = 3;
    options.breaker.failures = 3;
    options.breaker.cool_down = base::Millis(20);
    options.breaker.longest = base::Millis(50);
    options.gather = base::Millis(1);
    options.settle = base::Millis(1);
    options.run_times = [] { return std::nullopt; };  // this machine's cores are not the matter
    return options;
  }

  // Until all is sent, or so long.
  domain::SyncStatus sync(base::Millis wait = base::Millis(20'000), bool retry_dead = false) {
    std::optional<base::Result<domain::SyncStatus>> answer;
    buddy->sync({retry_dead, wait}, [&answer](auto status) { answer = std::move(status); });
    while (!answer) io.run_one();
    REQUIRE(answer->has_value());
    return **answer;
  }
  domain::SyncStatus look() { return sync(base::Millis(0)); }
  base::Result<std::vector<domain::RemoteHit>> search(const std::string& words) {
    std::optional<base::Result<std::vector<domain::RemoteHit>>> answer;
    buddy->search(words, 5, [&answer](auto hits) { answer = std::move(hits); });
    while (!answer) io.run_one();
    return std::move(*answer);
  }
  // Until a look shows it.
  template <class Holds>
  domain::SyncStatus until(Holds holds) {
    for (;;) {
      const auto status = sync(base::Millis(20));
      if (holds(status)) return status;
    }
  }

  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> guard;
  HandOutbox outbox;
  outbound::BreakerBoard board;
  std::unique_ptr<outbound::SessionBuddy> buddy;
};

}  // namespace mahavishnu::support
