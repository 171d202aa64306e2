// One HTTP exchange without HTTP: the request is given, the answer is kept for the test to look at.
//
// Asserts what the contract demands: one end, no event outside a stream. Shared like a real one.
#pragma once

#include <cassert>
#include <string>
#include <vector>

#include "rpc/http_exchange.h"
#include "rpc/json.h"

namespace mahavishnu::support {

class MemoryExchange final : public rpc::HttpExchange {
 public:
  MemoryExchange(std::string method, std::string path, rpc::HeaderList headers, std::string body)
      : method_(std::move(method)),
        path_(path.substr(0, path.find('?'))),
        query_(path.find('?') == path.npos ? std::string() : path.substr(path.find('?') + 1)),
        headers_(std::move(headers)),
        body_(std::move(body)) {}

  // What came back.
  int status = 0;  // 0: no answer yet
  std::string content_type;
  std::string answer;
  rpc::HeaderList answer_headers;
  bool streaming = false;
  bool ended = false;
  std::vector<std::string> events;  // the data of those that have some
  std::vector<rpc::Event> sent;     // all of them

  rpc::Json json() const { return rpc::Json::parse(answer); }
  std::string answer_header(std::string_view name) const {
    for (const auto& [key, value] : answer_headers) {
      if (key == name) return value;
    }
    return "";
  }

  // The peer hangs up.
  void vanish() {
    gone_ = true;
    if (!ended && on_gone_) on_gone_();
  }

  std::string caller_name = "local";

  std::string_view method() const override { return method_; }
  std::string_view path() const override { return path_; }
  std::string_view query() const override { return query_; }
  std::string_view header(std::string_view name) const override {
    for (const auto& [key, value] : headers_) {
      if (same(key, name)) return value;
    }
    return {};
  }
  std::string take_body() override { return std::move(body_); }
  std::string_view caller() const override { return caller_name; }

  void respond(int code, std::string_view type, std::string body,
               rpc::HeaderList headers) override {
    if (gone_) return;
    assert(!ended && !streaming && "a second answer");
    ended = true;
    status = code;
    content_type = type;
    answer = std::move(body);
    answer_headers = std::move(headers);
  }
  void start_stream(rpc::HeaderList headers, std::optional<rpc::Event> first) override {
    if (gone_) return;
    assert(!ended && !streaming && "a second answer");
    streaming = true;
    status = 200;
    content_type = "text/event-stream";
    answer_headers = std::move(headers);
    if (first) keep(std::move(*first));
  }
  base::awaitable<bool> send_event(rpc::Event event) override {
    if (gone_) co_return false;
    assert(streaming && !ended && "an event outside a stream");
    keep(std::move(event));
    co_return true;
  }
  void end_stream() override {
    if (gone_) return;
    assert(streaming && !ended && "the end of no stream");
    ended = true;
  }
  void on_gone(std::function<void()> callback) override { on_gone_ = std::move(callback); }
  bool gone() const override { return gone_; }

 private:
  void keep(rpc::Event event) {
    if (!event.data.empty()) events.push_back(event.data);
    sent.push_back(std::move(event));
  }

  static bool same(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if ((a[i] | 0x20) != (b[i] | 0x20)) return false;
    }
    return true;
  }

  std::string method_;
  std::string path_;
  std::string query_;
  rpc::HeaderList headers_;
  std::string body_;
  std::function<void()> on_gone_;
  bool gone_ = false;
};

}  // namespace mahavishnu::support
