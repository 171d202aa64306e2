// What of the server's life is news for an operator, in words, and when it is told.
//
// Fed with what was committed and with readings of the server taken now and then; answers the text
// of a notice when one is due. Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/breakers.h"
#include "domain/notices.h"
#include "domain/records.h"

namespace mahavishnu::app {

struct NightReading {
  bool disk_full = false;
  std::uint64_t messages_dead = 0;  // since the start
  struct Outbox {
    std::int64_t waiting = 0;
    std::uint64_t accepted = 0, dead = 0;  // since the start
  };
  std::optional<Outbox> outbox;  // of a memory server that is configured
  std::vector<domain::BreakerView> breakers;
};

class NightNews {
 public:
  struct Options {
    domain::NoticeOptions notices;
    base::Millis stuck_after{std::chrono::minutes(15)};  // an outbox of which nothing is accepted
    std::string server;                                  // who tells
  };
  explicit NightNews(Options options) : options_(std::move(options)), notices_(options_.notices) {}

  void task_dead(const domain::TaskRecord& task, const domain::Moment& now);
  // It failed altogether, or in part. `name`: "" where it is not known.
  void workflow_failed(domain::WorkflowId id, const std::string& name,
                       const domain::WorkflowStatus& status, const domain::Moment& now);
  void look(const NightReading& reading, const domain::Moment& now);

  // The notice that is due, as JSON (docs/operations.md says what is in it); "": none.
  std::string due(const domain::Moment& now);
  domain::Notices::Counts counts() const { return notices_.counts(); }

 private:
  void look_at_outbox(const NightReading::Outbox& outbox, const domain::Moment& now);
  void look_at_breakers(const std::vector<domain::BreakerView>& breakers,
                        const domain::Moment& now);

  const Options options_;
  domain::Notices notices_;
  NightReading::Outbox outbox_;          // as it was when something last moved …
  std::optional<base::MonoTime> moved_;  // … and when that was
  std::uint64_t messages_dead_ = 0, memories_dead_ = 0;
};

}  // namespace mahavishnu::app
