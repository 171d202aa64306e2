#include "control/pool_survey.h"

#include <limits>
#include <utility>

#include "control/one_shot.h"

namespace mahavishnu::control {

using base::awaitable;
using base::ErrorCode;
using base::Result;

struct PoolSurvey::Question {
  domain::PoolId id;
  domain::PoolSpec pool;
  Done done;  // empty: settled
  Alarms::Handle alarm{};
};

namespace {

using Findings = PoolSurvey::Findings;

// What one caller waits for: all answers.
struct Gathering {
  explicit Gathering(const asio::any_io_executor& executor)
      : whole(std::make_shared<OneShot<Result<Findings>>>(executor)) {}

  Findings findings;
  std::size_t open = 1;  // the one that asks counts until it has asked for all
  std::shared_ptr<OneShot<Result<Findings>>> whole;

  void one_less() {
    if (--open == 0) whole->set(std::move(findings));
  }
};

}  // namespace

PoolSurvey::PoolSurvey(asio::any_io_executor executor, Options options, Timers& timers,
                       domain::PoolRemote& remote)
    : executor_(std::move(executor)),
      options_(options),
      timers_(timers),
      remote_(remote),
      alarms_(timers),
      kept_({options.max_kept, std::numeric_limits<std::size_t>::max(), options.keep}, {},
            [&timers] { return timers.now().mono; }) {}

awaitable<PoolSurvey::Findings> PoolSurvey::ask(std::vector<domain::PoolRecord> pools) {
  auto gathering = std::make_shared<Gathering>(executor_);
  for (auto& pool : pools) {
    if (pool.spec.settings.url.empty()) continue;
    ++gathering->open;
    const domain::PoolId id = pool.id;
    auto load = [this, id, spec = std::move(pool.spec)](Done done) {
      waiting_.push_back(std::make_shared<Question>(Question{id, spec, std::move(done), {}}));
      pump();
    };
    kept_.get(id, std::move(load), [gathering, id](const Result<Finding>& finding) {
      gathering->findings[id] = finding ? *finding : Finding{{}, finding.error()};
      gathering->one_less();
    });
  }
  gathering->one_less();
  auto whole = co_await OneShot<Result<Findings>>::wait(gathering->whole);
  co_return whole ? std::move(*whole) : Findings{};
}

void PoolSurvey::pump() {
  while (!stopped_ && asked_.size() < options_.max_in_flight && !waiting_.empty()) {
    const auto question = std::move(waiting_.front());
    waiting_.pop_front();
    put(question);
  }
}

void PoolSurvey::put(const std::shared_ptr<Question>& question) {
  asked_.insert(question);
  question->alarm = alarms_.at(timers_.now().mono + options_.limit, [this, question] {
    settle(question, {{},
                      base::Error{ErrorCode::Deadline,
                                  question->pool.settings.url + " did not answer within " +
                                      std::to_string(options_.limit.count()) + " ms",
                                  0}});
  });
  remote_.ask(question->pool, options_.limit,
              [this, question, life = std::weak_ptr<char>(life_)](auto answer) {
                if (life.expired()) return;
                settle(question, answer ? Finding{std::move(*answer), std::nullopt}
                                        : Finding{{}, answer.error()});
              });
}

void PoolSurvey::settle(const std::shared_ptr<Question>& question, Finding finding) {
  if (!question->done) return;
  alarms_.cancel(question->alarm);
  asked_.erase(question);
  kept_.put(question->id, finding);  // so that its age counts from now, not from when it was asked
  std::exchange(question->done, nullptr)(std::move(finding));
  pump();
}

void PoolSurvey::stop() {
  stopped_ = true;
  life_.reset();
  auto left = std::exchange(waiting_, {});
  left.insert(left.end(), asked_.begin(), asked_.end());
  const base::Error ends{ErrorCode::Unavailable, "the server is shutting down", 0};
  for (const auto& question : left) settle(question, {{}, ends});
}

}  // namespace mahavishnu::control
