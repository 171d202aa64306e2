// What an operator is told of at night: news that are worth a notice, gathered, without repeats,
// and never too many.
//
// News are of two forms. Something happened (a task died): the first is told, and what happens of
// the same kind to the same subject within `repeat` is counted and told together after it.
// Something holds (the disk is full): its begin and its end are told, but one that comes and goes
// is told again after `repeat` only. Whatever waits goes out in one bundle, and a bundle needs a
// place under the hourly limit: beyond it news wait for the next one, they are not lost. Bounded:
// what has no room any more is counted under the subject "". A pure value: the moment is passed in.
// One thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domain/events.h"

namespace mahavishnu::domain {

enum class NoticeKind : std::uint8_t {
  TaskDead,     // no attempt is left to it
  MemoryDead,   // given up by the outbox
  MessageDead,  // given up by the bus
  WorkflowFailed,
  BreakerOpen,
  DiskFull,
  OutboxStuck,
};
std::string_view to_string(NoticeKind kind);  // "task_dead"
std::optional<NoticeKind> parse_notice_kind(std::string_view text);
const std::vector<NoticeKind>& notice_kinds();

struct Notice {
  NoticeKind kind = NoticeKind::TaskDead;
  std::string subject;      // what it is about: a pool, a workflow's name, a target, …
  std::string text;         // of the last time
  std::uint64_t times = 1;  // since it was told last
  bool over = false;        // what held has ended
  WallTime since{};         // of the first of these times
};

struct NoticeOptions {
  std::set<NoticeKind> kinds;  // others are not told
  Millis repeat{std::chrono::hours(1)};
  int max_per_hour = 20;  // bundles; at least 1
  int burst = 5;          // of these at once; at least 1
  std::size_t max_subjects = 1000;
};

class Notices {
 public:
  explicit Notices(NoticeOptions options);

  void happened(NoticeKind kind, const std::string& subject, std::string text, const Moment& now,
                std::uint64_t times = 1);
  // How it is at the moment; told as often as one likes. `text` says why it holds.
  void holds(NoticeKind kind, const std::string& subject, bool holds, const std::string& text,
             const Moment& now);
  // Which subjects of this kind hold, as it was told.
  std::vector<std::string> holding(NoticeKind kind) const;

  // What is due to be told, all in one; empty: nothing is, or the limit is reached.
  std::vector<Notice> take(const Moment& now);

  struct Counts {
    std::uint64_t news = 0;     // of the kinds that are told
    std::uint64_t bundles = 0;  // taken
    std::size_t waiting = 0;    // subjects with news not told yet
  };
  Counts counts() const;

 private:
  using Key = std::pair<NoticeKind, std::string>;
  struct Subject {
    std::string text;
    std::uint64_t times = 0;  // not told
    WallTime since{};
    MonoTime quiet_until = MonoTime::min();  // repeats wait for this
    bool holds = false;
    bool told_holds = false;
  };
  Subject* subject(NoticeKind kind, const std::string& name);
  static bool has_news(const Key& key, const Subject& one);
  bool due(const Key& key, const Subject& one, MonoTime now) const;
  void refill(MonoTime now);

  const NoticeOptions options_;
  std::map<Key, Subject> subjects_;
  double room_;  // bundles that may go out
  std::optional<MonoTime> refilled_;
  Counts counts_;
};

}  // namespace mahavishnu::domain
