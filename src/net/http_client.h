// Calls to one HTTP server outside: connections kept alive on a bounded set of threads.
//
// Each connection has a thread of its own, made when it is needed (or asked for by `warm`) and gone
// when it was idle for long: a server that hangs holds the threads of its own client and of nobody
// else. Nothing is held longer than a call's total limit, counted from `send`: a guard closes the
// connection then, whatever it is doing (connecting, a TLS handshake, a head that drips in). A call
// is sent once, unless its caller lets it be repeated, and no redirect is followed. It knows HTTP,
// and nothing of what is said in it. Any thread. Lifetime: stop() before destruction; it answers
// what is left with Cancelled. SIGPIPE: the process must ignore it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "net/host_lookup.h"

namespace mahavishnu::net {

// "http://host:port/path" taken apart.
struct Origin {
  bool tls = false;
  std::string host;
  int port = 0;
  std::string path;         // "" or "/…", without a slash at its end
  std::string str() const;  // without the path
};
// InvalidArgument: it is none, or has a user, a query or a fragment.
base::Result<Origin> parse_origin(const std::string& url);

struct HttpCall {
  std::string method = "POST";
  std::string path = "/";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string content_type = "application/json";
  base::Millis total{0};  // 0: the client's
  // When a kept connection turns out to be gone before a byte of an answer, it may be sent again
  // over a new one: the server may have had it the first time.
  bool repeatable = false;
  // Looked at whenever the body has grown, on the client's thread; true: nothing more is needed,
  // the rest has a moment to come and is not waited for. May be empty.
  std::function<bool(std::string_view body)> enough = {};
};

struct HttpReply {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  // "" when there is none. `name` in lower case.
  const std::string& header(std::string_view name) const;
};

struct HttpClientOptions {
  std::size_t connections = 20;  // at most, and threads
  base::Millis connect{3000};    // to one address, and for the name service
  base::Millis read{15'000};     // without a byte
  base::Millis total{30'000};
  base::Millis idle{30'000};         // a connection nobody uses is closed
  std::size_t max_body = 4U << 20U;  // of an answer, unpacked
  std::size_t gzip_from = 4096;      // bodies longer than this, when the server said it takes it
  std::size_t max_queue = 1000;      // calls that wait for a connection
  bool when_idle = false;            // its threads run on what others leave of the cores
  std::string ca_file;               // "": the system's authorities
};

class HttpClient {
 public:
  // On one of the client's threads, or inside stop() or withdraw(); exactly once. Deadline: a limit
  // has passed; Unavailable: no connection, or it broke; Exhausted: too many calls wait; Cancelled:
  // stopped or withdrawn.
  // An answer of any status is an answer.
  using Answer = std::function<void(base::Result<HttpReply>)>;
  struct Stats {
    std::uint64_t calls = 0;        // that went out
    std::uint64_t connections = 0;  // made
    std::uint64_t reused = 0;       // calls on a connection that had been used
    std::uint64_t failures = 0;     // calls without an answer
    std::uint64_t connect_us = 0;   // making connections, altogether (with their TLS handshakes)
    std::uint64_t slowest_connect_us = 0;
    std::uint64_t recoveries = 0;   // times it answered again after it had not
    base::Millis last_recovery{0};  // how long it had not
    std::size_t open = 0;           // threads, each with a connection or about to make one
    std::size_t waiting = 0;        // calls
  };

  static base::Result<std::unique_ptr<HttpClient>> make(const std::string& url,
                                                        HttpClientOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  void send(HttpCall call, Answer answer);
  // So many connections are about to be needed: they are made now, in parallel (with TLS only when
  // a call comes). At most the bound; no call is sent.
  void warm(std::size_t connections);
  // Calls that wait for a connection are answered with Cancelled; those under way go on.
  void withdraw();
  const Origin& origin() const { return origin_; }
  Stats stats() const;
  void stop();  // idempotent

 private:
  struct Job {
    HttpCall call;
    Answer answer;
    base::MonoTime deadline;
  };
  struct Worker;

  HttpClient(Origin origin, HttpClientOptions options);
  void hire();
  void run(Worker& worker);
  void perform(Worker& worker, Job job);
  base::Result<HttpReply> call_over(Worker& worker, const Job& job);
  void settle(bool answered);
  void watch(Worker& worker, base::MonoTime until);
  void guard();
  void bury();
  void cancel(std::deque<Job> jobs, const char* why);

  const Origin origin_;
  const HttpClientOptions options_;
  HostLookup lookup_;

  mutable std::mutex mutex_;
  std::condition_variable work_, guard_wake_;
  std::deque<Job> queue_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::size_t free_ = 0;  // workers without a call
  base::MonoTime guard_at_ = base::MonoTime::max();
  base::MonoTime failing_since_{};
  bool takes_gzip_ = false;
  bool stopping_ = false;
  bool over_ = false;  // all workers have ended
  Stats stats_;
  std::thread guard_thread_;  // made with the first worker
};

}  // namespace mahavishnu::net
