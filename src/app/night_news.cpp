#include "app/night_news.h"

#include <set>
#include <utility>

#include "outbound/notice_post.h"
#include "rpc/codec.h"
#include "rpc/json.h"

namespace mahavishnu::app {
namespace {

using base::to_rfc3339;
using domain::Moment;
using domain::Notice;
using domain::NoticeKind;
using rpc::Json;

constexpr std::size_t kMostListed = 50;  // notices in one message

std::string count_of(std::uint64_t count, const std::string& one) {
  return std::to_string(count) + " " + one + (count == 1 ? "" : "s");
}

std::string line_of(const Notice& notice) {
  std::string line = notice.over ? "over: " : "";
  line += notice.text;
  if (notice.times > 1 && !notice.over) {
    line += " (" + std::to_string(notice.times) + " times since " + to_rfc3339(notice.since) +
            "; this is the last)";
  }
  return line;
}

Json json_of(const Notice& notice) {
  return Json{{"kind", to_string(notice.kind)},
              {"subject", notice.subject},
              {"text", notice.text},
              {"times", notice.times},
              {"over", notice.over},
              {"since", to_rfc3339(notice.since)}};
}

}  // namespace

void NightNews::task_dead(const domain::TaskRecord& task, const Moment& now) {
  std::string text = task.id.str() + " is dead after " + count_of(task.status.attempt, "attempt") +
                     ": " + std::string(to_string(task.status.reason));
  if (!task.pool_name.empty()) text += ", in pool \"" + task.pool_name + "\"";
  if (task.spec && !task.spec->repo.empty()) text += ", repository " + task.spec->repo;
  notices_.happened(NoticeKind::TaskDead, task.pool_name, std::move(text), now);
}

void NightNews::workflow_failed(domain::WorkflowId id, const std::string& name,
                                const domain::WorkflowStatus& status, const Moment& now) {
  std::string text = id.str() + (name.empty() ? "" : " (" + name + ")") + " is " +
                     std::string(to_string(status.state)) + ": " + std::to_string(status.failed) +
                     " of " + count_of(status.total, "task") + " failed, " +
                     std::to_string(status.completed) + " completed";
  notices_.happened(NoticeKind::WorkflowFailed, name, std::move(text), now);
}

void NightNews::look(const NightReading& reading, const Moment& now) {
  notices_.holds(NoticeKind::DiskFull, "journal", reading.disk_full,
                 "the disk is full: no new work is taken", now);
  if (reading.messages_dead > messages_dead_) {
    const std::uint64_t more = reading.messages_dead - messages_dead_;
    notices_.happened(NoticeKind::MessageDead, "messages",
                      count_of(more, "message") + " given out too often in vain", now, more);
    messages_dead_ = reading.messages_dead;
  }
  if (reading.outbox) look_at_outbox(*reading.outbox, now);
  look_at_breakers(reading.breakers, now);
}

void NightNews::look_at_outbox(const NightReading::Outbox& outbox, const Moment& now) {
  if (outbox.dead > memories_dead_) {
    const std::uint64_t more = outbox.dead - memories_dead_;
    notices_.happened(NoticeKind::MemoryDead, "outbox",
                      std::to_string(more) + (more == 1 ? " memory was" : " memories were") +
                          " refused too often and given up; see memory_sync",
                      now, more);
    memories_dead_ = outbox.dead;
  }
  const bool moves = outbox.waiting == 0 || !moved_ || outbox.accepted != outbox_.accepted ||
                     outbox.dead != outbox_.dead;
  if (moves) {
    moved_ = now.mono;
    outbox_ = outbox;
  }
  notices_.holds(NoticeKind::OutboxStuck, "outbox", now.mono - *moved_ >= options_.stuck_after,
                 std::to_string(outbox.waiting) +
                     " memories wait for the memory server, and none is taken; see memory_sync",
                 now);
}

// One that is gone from the list holds no longer.
void NightNews::look_at_breakers(const std::vector<domain::BreakerView>& breakers,
                                 const Moment& now) {
  std::set<std::string> open;
  for (const auto& breaker : breakers) {
    if (breaker.state == domain::BreakerState::Closed) continue;
    if (breaker.target.starts_with(outbound::NoticePost::kTarget)) continue;
    open.insert(breaker.target);
    std::string text = "the breaker of " + breaker.target + " is open";
    if (!breaker.last_error.empty()) text += ": " + breaker.last_error;
    notices_.holds(NoticeKind::BreakerOpen, breaker.target, true, text, now);
  }
  for (const std::string& target : notices_.holding(NoticeKind::BreakerOpen)) {
    if (!open.contains(target)) notices_.holds(NoticeKind::BreakerOpen, target, false, "", now);
  }
}

std::string NightNews::due(const Moment& now) {
  const std::vector<Notice> told = notices_.take(now);
  if (told.empty()) return {};
  std::string text;
  Json list = Json::array();
  for (const Notice& notice : told) {
    if (list.size() >= kMostListed) break;
    text += (text.empty() ? "" : "\n") + line_of(notice);
    list.push_back(json_of(notice));
  }
  const std::size_t more = told.size() - list.size();
  if (more > 0) text += "\nand " + std::to_string(more) + " more";
  Json notice{{"server", options_.server},
              {"time", to_rfc3339(now.wall)},
              {"text", "mahavishnu on " + options_.server + ": " + text},
              {"notices", std::move(list)}};
  if (more > 0) notice["more"] = more;
  return rpc::dump(notice);
}

}  // namespace mahavishnu::app
