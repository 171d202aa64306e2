// `serve --record FILE`: what clients say and what they are answered, in the order this process
// read and wrote it, as a transcript that tests/transcripts/run.py plays again.
//
// The lines (each may name its connection with "on"; without it is stdio):
//   {"recorded": VERSION, "args": […], "env": {…}}    first: how to start a server that is like
//   this
//   {"open": "socket 1", "args": […]}        a client came to the socket, and how it is bound
//   {"in": {…}} {"raw": "…"} {"hex": "…"}    a message; text that is none; bytes that are no text
//   {"in": {…}, "http": {"method", "path", "headers"}, "on": "http 1"}    a request
//   {"out": {…}}                             an answer (over HTTP the first with its status)
//   {"cut": "…"}                                     what is missing here
//   {"end": 0}                                       the client's input ended
// Of HTTP's headers only those that say what a request means are kept: no credential. The names of
// sessions are replaced by <session 1>, …. What stands in messages stays: whoever passes the file
// on reads it first. What goes over HTTP+SSE (2024-11-05) is not recorded. Control thread only,
// writing apart (transcript_file). Lifetime: longer than the doors.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "app/transcript_file.h"
#include "mcp/server.h"
#include "rpc/connection.h"
#include "rpc/http_exchange.h"

namespace mahavishnu::app {

class Recording {
 public:
  // `view` is what the doors of this process show. An Error: no such file can be made.
  static base::Result<std::unique_ptr<Recording>> open(const std::string& path,
                                                       const Config& config, const mcp::View& view);
  Recording(std::unique_ptr<TranscriptFile> file, const Config& config, const mcp::View& view);

  const std::string& path() const { return file_->path(); }

  // A name for the next connection: "socket 1", "http 1".
  std::string next_name(const std::string& kind);
  void opened(const std::string& on, const mcp::View& view);
  void said(const std::string& on, std::string_view text);
  void asked(const std::string& on, const rpc::HttpExchange& request, std::string body);
  void answered(const std::string& on, std::string_view text);
  void responded(const std::string& on, int status, std::string body,
                 const rpc::HeaderList& headers);
  void skipped(const std::string& on, const std::string& what);
  void ended(const std::string& on);

 private:
  std::string session_name(const std::string& id) const;
  void add(const std::string& on, TranscriptLine line);

  std::unique_ptr<TranscriptFile> file_;
  std::map<std::string, int> names_;     // the last number of each kind
  std::map<std::string, int> sessions_;  // by id, in the order they were made
};

inline constexpr const char* kStdioName = "stdio";

// Passes everything on, and records it. `rest` and `recording` outlive it.
class RecordedConnection final : public rpc::Connection {
 public:
  RecordedConnection(rpc::Connection& rest, Recording& recording, std::string on)
      : rest_(rest), recording_(recording), on_(std::move(on)) {}

  base::awaitable<base::Result<std::optional<std::string>>> read() override;
  std::optional<base::Result<std::optional<std::string>>> read_ready() override;
  base::awaitable<base::Status> write(std::string text) override;
  bool write_ready(std::string_view text) override;
  void close() override { rest_.close(); }
  std::string name() const override { return rest_.name(); }

 private:
  void note(const base::Result<std::optional<std::string>>& text);

  rpc::Connection& rest_;
  Recording& recording_;
  const std::string on_;
};

// The same for one request.
class RecordedExchange final : public rpc::HttpExchange {
 public:
  RecordedExchange(std::shared_ptr<rpc::HttpExchange> rest, Recording& recording);

  std::string_view method() const override { return rest_->method(); }
  std::string_view path() const override { return rest_->path(); }
  std::string_view query() const override { return rest_->query(); }
  std::string_view header(std::string_view name) const override { return rest_->header(name); }
  std::string take_body() override { return std::move(body_); }
  std::string_view caller() const override { return rest_->caller(); }
  void respond(int status, std::string_view content_type, std::string body,
               rpc::HeaderList headers) override;
  void start_stream(rpc::HeaderList headers, std::optional<rpc::Event> first) override {
    rest_->start_stream(std::move(headers), std::move(first));
  }
  base::awaitable<bool> send_event(rpc::Event event) override;
  void end_stream() override { rest_->end_stream(); }
  void on_gone(std::function<void()> callback) override { rest_->on_gone(std::move(callback)); }
  bool gone() const override { return rest_->gone(); }

 private:
  std::shared_ptr<rpc::HttpExchange> rest_;
  Recording& recording_;
  const std::string on_;
  std::string body_;
};

}  // namespace mahavishnu::app
