// The thread of SessionBuddy: takes from the outbox, calls, judges, writes outcomes.
//
// Everything but the public functions runs on that thread.
#pragma once

#include <atomic>
#include <mutex>
#include <random>
#include <set>
#include <vector>

#include "base/task_group.h"
#include "outbound/own_thread.h"
#include "outbound/session_buddy.h"

namespace mahavishnu::outbound {

class SessionBuddy::Courier {
 public:
  Courier(asio::any_io_executor control, SessionBuddyOptions options,
          std::unique_ptr<net::HttpClient> client, domain::Outbox& outbox,
          std::shared_ptr<Fuse> fuse);

  void start();
  void stop();
  Figures figures() const;
  void sync(domain::SyncRequest request, Answer<domain::SyncStatus> answer);
  void search(std::string words, int limit, Answer<std::vector<domain::RemoteHit>> answer);

 private:
  void news();
  void wake_at(base::MonoTime when);
  void pump();
  std::size_t most_under_way() const;
  bool may_rest() const;
  std::int64_t calls_at_once() const;
  void read_ahead();
  bool read_page();
  void send_one(Fuse::Pass pass);
  void pace(base::MonoTime now);
  void connect();
  base::awaitable<void> do_connect(Fuse::Pass pass);
  base::awaitable<void> deliver(Backlog::Next next, Fuse::Pass pass);
  base::awaitable<void> look(domain::SyncRequest request, Answer<domain::SyncStatus> answer);
  base::awaitable<void> do_search(std::string words, int limit,
                                  Answer<std::vector<domain::RemoteHit>> answer);
  void judge(std::int64_t seq, Fuse::Pass pass, const Verdict& verdict, std::uint64_t began);
  void failed(Fuse::Pass pass, const std::string& error);
  void note(std::string error);
  void keep(domain::OutboxOutcome outcome);
  void settle();
  void settled(std::vector<domain::OutboxOutcome> outcomes, const base::Status& status);
  void look_again(bool now);
  void changed();
  base::awaitable<void> wait_for_change(base::MonoTime until);
  void finish();
  domain::SyncStatus status() const;
  bool quiet() const;
  double dice() { return std::uniform_real_distribution<double>(0, 1)(random_); }

  Replies reply_;
  const SessionBuddyOptions options_;
  domain::Outbox& outbox_;
  const std::shared_ptr<Fuse> fuse_;

  OwnThread thread_;
  std::unique_ptr<net::HttpClient> client_;  // its threads post to the thread
  BuddySession session_;
  Backlog backlog_;
  Pacer pacer_;
  base::TaskGroup group_;
  asio::steady_timer settle_;
  std::set<asio::steady_timer*> waiters_;  // for any change
  base::MonoTime retry_connect_{};
  base::MonoTime looked_{};
  base::MonoTime read_again_{};  // not before
  base::MonoTime send_again_{};  // not before, but for who waits
  std::minstd_rand random_{std::random_device{}()};
  std::vector<domain::OutboxOutcome> outcomes_;  // not handed to the outbox yet
  std::size_t window_;                           // calls at once, for now
  int connects_failed_ = 0;
  int settling_ = 0;  // commits under way
  int awaited_ = 0;   // by so many that asked for all to be sent: no pauses meanwhile
  bool settle_armed_ = false;
  bool connecting_ = false;
  bool reading_ahead_ = false;  // is posted
  bool was_open_ = false;       // the breaker, since the last success
  bool stopping_ = false;
  std::string last_error_;
  base::WallTime last_error_at_{};

  std::atomic<bool> news_posted_{false};
  mutable std::mutex mutex_;
  Figures figures_;
};

}  // namespace mahavishnu::outbound
