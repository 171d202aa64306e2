// The core's event loop and effect runner.
//
// Everything that happens (calls, port completions, the alarm) becomes an event; `feed` steps the
// core and carries its effects out in their order. It keeps the commits that are not on disk yet:
// replies, reads and notifications wait for them; an admission that could not be written is undone
// and refused, everything else is tried again every second while the core starts nothing new.
// One thread (the control thread); never re-entered: an event that comes while one is handled waits
// its turn. It knows no JSON and no coroutine but the waiting for a ticket.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/asio.h"
#include "control/alarms.h"
#include "control/clocks.h"
#include "control/one_shot.h"
#include "control/records.h"
#include "control/timers.h"
#include "control/watchers.h"
#include "domain/core.h"
#include "domain/ports.h"

namespace mahavishnu::control {

struct ServiceOptions;
using ReplyBody = decltype(domain::Reply::body);

// Notified whenever commits reached the disk: for whoever waits until all is quiet.
inline constexpr base::Ulid kProgress{0, 1};

class Shell {
 public:
  Shell(asio::any_io_executor executor, const ServiceOptions& options, Timers& timers,
        domain::Journal& journal, domain::Archive& archive,
        std::map<std::string, domain::Executor*> executors);

  // Steps the core with `event` and everything that follows from it. What executors report before
  // Restored (one has recovered while another still does) waits for it.
  void feed(domain::Event event);

  // A ticket and the waiting for its reply; feed the event that carries the ticket in between.
  using Waiting = std::shared_ptr<OneShot<domain::Result<ReplyBody>>>;
  std::pair<domain::Ticket, Waiting> open_ticket();

  // Asks every executor for the attempts of a former life.
  base::awaitable<domain::Result<std::vector<domain::Restored::Found>>> recover();

  // A live attempt of this task, for output; null when none runs.
  struct Live {
    domain::TaskId task;
    domain::PoolId pool;
    domain::Executor* executor = nullptr;  // null while the payload is read
    std::uint32_t attempt = 0;
    base::MonoTime begun{};
    base::MonoTime running_since{};  // `begun` until it is known
    base::MonoTime ended_at{};
    std::optional<domain::Reason> stop;  // asked for before the executor had it
    bool started = false;
    bool ended = false;  // kept until the end is on disk
  };
  const Live* live_of(domain::TaskId task, domain::Fence* fence) const;
  const std::unordered_map<domain::Fence, Live>& live() const { return attempts_; }
  // As the pool's settings ask for. Every change on disk does it; what was restored needs it.
  void keep_workers_ready(const domain::PoolRecord& pool);
  // Stops what runs, so that it ends as lost: for a shutdown whose grace is over.
  void stop_attempts(domain::Reason why);

  std::size_t unwritten() const { return commits_.size(); }
  bool stuck() const { return stuck_; }
  void stop();

  domain::Core& core() { return core_; }
  const domain::Core& core() const { return core_; }
  Records& records() { return records_; }
  const Records& records() const { return records_; }
  Watchers& watchers() { return watchers_; }
  Alarms& alarms() { return alarms_; }
  Clocks& clocks() { return clocks_; }
  const Clocks& clocks() const { return clocks_; }
  domain::Moment now() const { return timers_.now(); }
  const asio::any_io_executor& executor() const { return executor_; }

 private:
  struct Commit {
    domain::CommitNo number = 0;
    bool admission = false;
    enum class State { Waiting, Written, Failed, Undone } state = State::Waiting;
    bool again = false;  // it failed before
    base::MonoTime appended{};
    std::shared_ptr<const std::vector<domain::Record>> records;
    std::vector<domain::Reply> replies;
  };

  void perform(domain::Effect& effect);
  void perform(domain::Persist& effect);
  void perform(domain::Reply& effect);
  void perform(domain::StartAttempt& effect);
  void perform(domain::StopAttempt& effect);
  void perform(domain::ReleaseAttempt& effect);
  void perform(domain::WakeAt& effect);
  void perform(domain::WorkflowEnded& effect);

  void journal_done(domain::CommitNo number, domain::Status status);
  void advance();
  void retry_failed();
  void end_hold();
  bool take_newer_pools(Commit& commit);
  void deliver(domain::Reply reply);
  void show(const Commit& commit);

  void payload_read(domain::StartAttempt effect, domain::Result<TaskPtr> read);
  domain::AttemptOrder order_of(const domain::StartAttempt& effect,
                                const domain::TaskRecord& task) const;
  void never_started(domain::Fence fence, domain::Reason reason, std::string message);
  void attempt_started(domain::Fence fence);
  void attempt_ended(domain::AttemptEnded end);

  asio::any_io_executor executor_;
  const ServiceOptions& options_;
  Timers& timers_;
  domain::Journal& journal_;
  std::map<std::string, domain::Executor*> executors_;
  domain::Core core_;
  Alarms alarms_;
  Watchers watchers_;
  Records records_;
  Clocks clocks_;

  std::deque<domain::Event> events_;
  bool restored_ = false;
  bool stepping_ = false;
  bool stopped_ = false;
  bool stuck_ = false;          // a commit that may not be lost could not be written
  std::deque<Commit> commits_;  // consecutive numbers
  domain::CommitNo on_disk_ = 0;
  domain::Ticket next_ticket_ = 1;
  std::unordered_map<domain::Ticket, Waiting> tickets_;
  std::unordered_map<domain::Fence, Live> attempts_;
  std::unordered_map<domain::TaskId, domain::Fence> running_;
  std::optional<Alarms::Handle> core_alarm_;
};

}  // namespace mahavishnu::control
