// Many pools asked for how they are, by the product's own survey, with timers in place of servers.
//
// usage: aggregate POOLS IN_FLIGHT LATENCY_MS   (prints JSON: first_ms, cached_us)
//
// first_ms: all of them, none of which is known; cached_us: all of them again.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "control/pool_survey.h"
#include "control/timers.h"

namespace {

using namespace mahavishnu;
using Clock = std::chrono::steady_clock;

// Answers after a time.
class TimedRemote final : public domain::PoolRemote {
 public:
  TimedRemote(asio::io_context& io, base::Millis latency) : io_(io), latency_(latency) {}

  void ask(const domain::PoolSpec&, base::Millis, Answer answer) override {
    auto timer = std::make_shared<asio::steady_timer>(io_, latency_);
    timer->async_wait([timer, answer = std::move(answer)](std::error_code) {
      answer(domain::RemoteReading{"timer", "none", {}});
    });
  }

 private:
  asio::io_context& io_;
  base::Millis latency_;
};

std::vector<domain::PoolRecord> make_pools(int count) {
  base::UlidSource ids(1);
  std::vector<domain::PoolRecord> pools(static_cast<std::size_t>(count));
  for (auto& pool : pools) {
    pool.id = domain::PoolId{ids.next({})};
    pool.spec.settings.url = "http://pool";
  }
  return pools;
}

double ask_all(asio::io_context& io, control::PoolSurvey& survey,
               const std::vector<domain::PoolRecord>& pools) {
  std::size_t answered = 0;
  const auto begun = Clock::now();
  auto end = begun;
  asio::co_spawn(io, survey.ask(pools),
                 [&](std::exception_ptr, const control::PoolSurvey::Findings& findings) {
                   answered = findings.size();
                   end = Clock::now();
                 });
  io.restart();
  io.run();
  if (answered != pools.size()) std::abort();
  return std::chrono::duration<double, std::micro>(end - begun).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  asio::io_context io(1);
  const auto timers = control::make_system_timers(io.get_executor());
  TimedRemote remote(io, base::Millis(std::atoi(argv[3])));
  control::PoolSurvey::Options options;
  options.max_in_flight = static_cast<std::size_t>(std::atoi(argv[2]));
  options.keep = base::Millis(60'000);
  control::PoolSurvey survey(io.get_executor(), options, *timers, remote);
  const auto pools = make_pools(std::atoi(argv[1]));
  const double first = ask_all(io, survey, pools);
  const double cached = ask_all(io, survey, pools);
  survey.stop();
  std::printf("{\"first_ms\":%.3f,\"cached_us\":%.1f}\n", first / 1000, cached);
}
