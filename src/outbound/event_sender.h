// The thread of OpenSearch: reads the history, calls, judges, keeps the place.
//
// Everything but the public functions runs on that thread.
#pragma once

#include <atomic>
#include <mutex>
#include <random>

#include "base/task_group.h"
#include "outbound/opensearch.h"
#include "outbound/opensearch_protocol.h"
#include "outbound/own_thread.h"

namespace mahavishnu::outbound {

class OpenSearch::Sender {
 public:
  Sender(asio::any_io_executor control, OpenSearchOptions options,
         std::unique_ptr<net::HttpClient> client, domain::EventFeed& feed,
         std::shared_ptr<Fuse> fuse);

  void start();
  void stop();
  Figures figures() const;
  void search(domain::LogFilter filter, domain::Page page, Found answer);

 private:
  using Bulk = BulkBacklog::Bulk;

  void news();
  void reset();
  void pump();
  void gather();
  bool find_place();
  void read_page();
  void send(Bulk bulk, Fuse::Pass pass);
  net::HttpCall call_to(std::string path, std::string body) const;
  base::awaitable<void> put_template(Fuse::Pass pass);
  base::awaitable<void> deliver(Bulk bulk, Fuse::Pass pass);
  base::awaitable<void> do_search(domain::LogFilter filter, domain::Page page, Found answer);
  void judge(Bulk bulk, Fuse::Pass pass, const BulkVerdict& verdict);
  void took(const BulkBacklog::Counts& counts, const std::string& error);
  void worked(Fuse::Pass pass);
  void busy(Fuse::Pass pass, const BulkVerdict& verdict);
  void failed(Fuse::Pass pass, const BulkVerdict& verdict);
  void pause(base::Millis asked);
  void lost(std::int64_t count);
  std::string refusal() const;
  void note(const std::string& error);
  void tell();
  void finish();
  double dice() { return std::uniform_real_distribution<double>(0, 1)(random_); }

  Replies reply_;
  const OpenSearchOptions options_;
  const std::string authorization_;  // "": none
  domain::EventFeed& feed_;
  const std::shared_ptr<Fuse> fuse_;

  OwnThread thread_;
  std::unique_ptr<net::HttpClient> client_;  // its threads post to the thread
  BulkBacklog backlog_;
  EventSource source_;
  base::TaskGroup group_;
  base::MonoTime gathered_at_ = base::MonoTime::max();  // news are read then
  base::MonoTime pause_until_{};                        // nothing is sent before
  base::MonoTime read_again_{};                         // nothing is read before
  std::minstd_rand random_{std::random_device{}()};
  std::size_t window_;      // bulks at once, for now
  std::size_t calls_ = 0;   // bulks under way
  int failures_ = 0;        // calls in a row that were not taken
  std::int64_t kept_ = -1;  // the place handed to the feed last
  bool found_place_ = false;
  bool templated_ = false;   // since it was last away
  bool templating_ = false;  // is under way
  bool was_open_ = false;    // the breaker, since the last success
  bool stopping_ = false;
  std::uint64_t say_rejected_ = 1, say_lost_ = 1;  // from so many on it is said, then from twice

  std::atomic<bool> news_posted_{false};
  mutable std::mutex mutex_;
  Figures figures_;
};

}  // namespace mahavishnu::outbound
