// Asks the servers behind many pools how they are: side by side, and none twice.
//
// At most `max_in_flight` questions are under way, whoever asks; the others wait in order. An
// answer is kept for `keep`, a failure as well, and those who ask for a pool that is being asked
// share its answer. One that is later than `limit` counts as failed and gives its place to the
// next, so that a pool that hangs costs the others nothing but that place. Control thread.
// Lifetime: stop() before destruction; the remote outlives it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "base/asio.h"
#include "base/cache.h"
#include "control/alarms.h"
#include "domain/core.h"
#include "domain/pool_remote.h"

namespace mahavishnu::control {

class PoolSurvey {
 public:
  struct Options {
    std::size_t max_in_flight = 20;
    base::Millis limit{2000};  // of one question, from when it is put
    base::Millis keep{5000};
    std::size_t max_kept = 10000;
  };
  struct Finding {
    domain::RemoteReading reading;
    std::optional<base::Error> error;
  };
  using Findings = std::map<domain::PoolId, Finding>;

  PoolSurvey(asio::any_io_executor executor, Options options, Timers& timers,
             domain::PoolRemote& remote);
  PoolSurvey(const PoolSurvey&) = delete;
  PoolSurvey& operator=(const PoolSurvey&) = delete;

  // Of those among them behind which a server stands.
  base::awaitable<Findings> ask(std::vector<domain::PoolRecord> pools);
  void stop();  // ends every wait

  void list_caches(base::Caches& caches) { caches.add("pool_remotes", kept_); }
  std::size_t in_flight() const { return asked_.size(); }

 private:
  using Kept = base::Cache<domain::PoolId, Finding>;
  using Done = std::function<void(base::Result<Finding>)>;
  struct Question;
  void pump();
  void put(const std::shared_ptr<Question>& question);
  void settle(const std::shared_ptr<Question>& question, Finding finding);

  asio::any_io_executor executor_;
  const Options options_;
  Timers& timers_;
  domain::PoolRemote& remote_;
  Alarms alarms_;
  Kept kept_;
  std::deque<std::shared_ptr<Question>> waiting_;
  std::set<std::shared_ptr<Question>> asked_;
  bool stopped_ = false;
  std::shared_ptr<char> life_ = std::make_shared<char>();
};

}  // namespace mahavishnu::control
