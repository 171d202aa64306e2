#include "domain/notices.h"

#include <algorithm>
#include <array>

namespace mahavishnu::domain {
namespace {

constexpr std::array<std::string_view, 7> kNames{"task_dead",       "memory_dead",  "message_dead",
                                                 "workflow_failed", "breaker_open", "disk_full",
                                                 "outbox_stuck"};

bool is_condition(NoticeKind kind) {
  return kind == NoticeKind::BreakerOpen || kind == NoticeKind::DiskFull ||
         kind == NoticeKind::OutboxStuck;
}

}  // namespace

std::string_view to_string(NoticeKind kind) { return kNames[static_cast<std::size_t>(kind)]; }

const std::vector<NoticeKind>& notice_kinds() {
  static const std::vector<NoticeKind> kinds = [] {
    std::vector<NoticeKind> all;
    for (std::size_t i = 0; i < kNames.size(); ++i) all.push_back(static_cast<NoticeKind>(i));
    return all;
  }();
  return kinds;
}

std::optional<NoticeKind> parse_notice_kind(std::string_view text) {
  const auto at = std::find(kNames.begin(), kNames.end(), text);
  if (at == kNames.end()) return std::nullopt;
  return static_cast<NoticeKind>(at - kNames.begin());
}

Notices::Notices(NoticeOptions options)
    : options_(std::move(options)), room_(std::max(options_.burst, 1)) {}

// The one of that name; when there is no room for another, that which stands for all others.
Notices::Subject* Notices::subject(NoticeKind kind, const std::string& name) {
  if (!options_.kinds.contains(kind)) return nullptr;
  const auto at = subjects_.find({kind, name});
  if (at != subjects_.end()) return &at->second;
  const bool full = subjects_.size() >= options_.max_subjects;
  return &subjects_[{kind, full ? std::string() : name}];
}

void Notices::happened(NoticeKind kind, const std::string& subject, std::string text,
                       const Moment& now, std::uint64_t times) {
  Subject* one = this->subject(kind, subject);
  if (one == nullptr) return;
  if (one->times == 0) one->since = now.wall;
  one->times += times;
  one->text = std::move(text);
  counts_.news += times;
}

void Notices::holds(NoticeKind kind, const std::string& subject, bool holds,
                    const std::string& text, const Moment& now) {
  if (!holds && !subjects_.contains({kind, subject})) return;
  Subject* one = this->subject(kind, subject);
  if (one == nullptr || one->holds == holds) return;
  one->holds = holds;
  if (holds) {
    if (one->times == 0) one->since = now.wall;
    ++one->times;
    ++counts_.news;
    one->text = text;
  }
}

std::vector<std::string> Notices::holding(NoticeKind kind) const {
  std::vector<std::string> names;
  for (const auto& [key, one] : subjects_) {
    if (key.first == kind && one.holds) names.push_back(key.second);
  }
  return names;
}

// A condition that came and went untold is news only if it comes again: its times are kept.
bool Notices::has_news(const Key& key, const Subject& one) {
  return is_condition(key.first) ? one.holds != one.told_holds : one.times > 0;
}

bool Notices::due(const Key& key, const Subject& one, MonoTime now) const {
  if (!has_news(key, one)) return false;
  return (one.told_holds && !one.holds) || one.quiet_until <= now;
}

void Notices::refill(MonoTime now) {
  if (refilled_) {
    const double hours = std::chrono::duration<double, std::ratio<3600>>(now - *refilled_).count();
    room_ = std::min<double>(std::max(options_.burst, 1),
                             room_ + hours * std::max(options_.max_per_hour, 1));
  }
  refilled_ = now;
}

std::vector<Notice> Notices::take(const Moment& now) {
  refill(now.mono);
  std::vector<Notice> bundle;
  if (room_ < 1) return bundle;
  for (auto at = subjects_.begin(); at != subjects_.end();) {
    auto& [key, one] = *at;
    if (due(key, one, now.mono)) {
      const bool over = one.told_holds && !one.holds;
      bundle.push_back({key.first, key.second, one.text, std::max<std::uint64_t>(one.times, 1),
                        over, one.since});
      one.told_holds = one.holds;
      one.times = 0;
      if (!over) one.quiet_until = now.mono + options_.repeat;
    }
    const bool keep = one.holds || one.told_holds || one.quiet_until > now.mono ||
                      (one.times > 0 && !is_condition(key.first));
    at = keep ? std::next(at) : subjects_.erase(at);
  }
  if (!bundle.empty()) {
    room_ -= 1;
    ++counts_.bundles;
  }
  return bundle;
}

Notices::Counts Notices::counts() const {
  Counts counts = counts_;
  for (const auto& [key, one] : subjects_) counts.waiting += has_news(key, one) ? 1 : 0;
  return counts;
}

}  // namespace mahavishnu::domain
