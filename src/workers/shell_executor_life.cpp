// How an executor comes to life: its zygote, and the attempts of the one before it.
#include <algorithm>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "workers/attempt_file.h"
#include "workers/pool_check.h"
#include "workers/process_tree.h"
#include "workers/run_dir.h"
#include "workers/scratch.h"
#include "workers/shell_executor.h"

namespace mahavishnu::workers {
namespace {

using base::ErrorCode;
using base::fail;
using base::Millis;
using domain::AttemptEnded;
using domain::Fence;

constexpr Millis kRecovery{10000};
constexpr Millis kQuickDeath{1000};
constexpr Millis kRestartAfter{200};
constexpr Millis kNextPass{1000};        // others use the files' thread meanwhile
constexpr std::size_t kIdle = 128;       // shims
constexpr std::size_t kIdleEnough = 96;  // with so many it need not be one with a released file

}  // namespace

// ── The zygote ───────────────────────────────────────────────────────────────────────────────────

void ShellExecutor::zygote_ready() {
  look_for_survivors();
  make_ready();
}

// Attempts that run are under their shims, not its business any more. Orders that were in it show
// by their connections being closed.
void ShellExecutor::zygote_died() {
  base::log()->warn("the zygote ended; it is started anew");
  // The new one waits for those that may still get an order.
  dismiss_shims(base::MonoTime::max());
  for (auto& [fence, attempt] : attempts_) attempt.own = attempt.stays = false;
  const bool quick = base::mono_now() - zygote_started_ < kQuickDeath;
  if (!quick) return restart_zygote();
  restart_.expires_after(kRestartAfter);
  restart_.async_wait([this, life = std::weak_ptr<char>(life_)](asio::error_code error) {
    if (!life.expired() && !error) restart_zygote();
  });
}

void ShellExecutor::restart_zygote() {
  if (start_zygote()) return pump();
  base::log()->error("{}", zygote_trouble_);
  restart_.expires_after(kQuickDeath);
  restart_.async_wait([this, life = std::weak_ptr<char>(life_)](asio::error_code error) {
    if (!life.expired() && !error) restart_zygote();
  });
}

// ── Shims that wait for another attempt ──────────────────────────────────────────────────────────

void ShellExecutor::keep_shim(Fence fence, Attempt& attempt) {
  attempt.former.reset();  // it has been taken along
  Idle idle;
  idle.link = std::move(attempt.link);
  idle.last.emplace();
  idle.last->fence = fence;
  idle.last->scratch = attempt.scratch;
  idle.since = base::mono_now();
  if (idle_.size() >= kIdle) return dismiss(idle);
  idle.link->serve({});
  idle_.push_back(std::move(idle));
  watch_idle();
}

// The one used last among those that are new or whose attempt is released: its memory is warm, it
// takes the attempt's file along, and those that are not needed leave. There are soon as many as
// attempts end while the journal writes.
std::optional<ShellExecutor::Idle> ShellExecutor::idle_shim() {
  for (std::size_t at = idle_.size(); at-- > 0;) {
    const bool here = idle_[at].link->is_open();
    const bool holds = idle_[at].last && !idle_[at].released;
    if (here && holds && (at > 0 || idle_.size() < kIdleEnough)) continue;
    Idle idle = std::move(idle_[at]);
    idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(at));
    if (here) return idle;
    dismiss(idle);
  }
  return std::nullopt;
}

// What its last attempt left is the waiting shim's. False: there is none, it has to be cleared.
bool ShellExecutor::leave_with_shim(Fence fence) {
  for (auto idle = idle_.rbegin(); idle != idle_.rend(); ++idle) {
    if (idle->last && idle->last->fence == fence) return idle->released = true;
  }
  return false;
}

void ShellExecutor::dismiss(const Idle& idle) {
  idle.link->close();
  if (idle.released) clear_later(*idle.last);
}

void ShellExecutor::dismiss_shims(base::MonoTime unused_since, std::size_t keep) {
  while (idle_.size() > keep && idle_.front().since <= unused_since) {
    dismiss(idle_.front());
    idle_.pop_front();
  }
}

void ShellExecutor::watch_idle() {
  if (watching_idle_) return;
  watching_idle_ = true;
  dismissal_.expires_after(options_.idle);
  dismissal_.async_wait([this, life = std::weak_ptr<char>(life_)](asio::error_code error) {
    if (life.expired() || error) return;
    watching_idle_ = false;
    make_ready();
    const std::size_t wanted = idle_wanted();
    dismiss_shims(base::mono_now() - options_.idle, wanted);
    if (idle_.size() != wanted) watch_idle();
  });
}

void ShellExecutor::keep_ready(domain::PoolId pool, int workers) {
  if (!life_) return;
  if (workers > 0) {
    ready_[pool] = workers;
  } else if (ready_.erase(pool) == 0) {
    return;
  }
  make_ready();
  watch_idle();
}

// Beside those that serve an attempt.
std::size_t ShellExecutor::idle_wanted() const {
  std::size_t wanted = 0;
  for (const auto& [pool, workers] : ready_) wanted += static_cast<std::size_t>(workers);
  if (wanted == 0) return 0;
  const auto serving = std::count_if(attempts_.begin(), attempts_.end(), [](const auto& each) {
    return each.second.own && each.second.link;
  });
  wanted = std::min(wanted, kIdle);
  return wanted - std::min(wanted, static_cast<std::size_t>(serving));
}

// A machine that has no process to give is asked again after the time a shim waits.
void ShellExecutor::make_ready() {
  for (std::size_t at = idle_.size(); at-- > 0;) {
    if (idle_[at].link->is_open()) continue;
    dismiss(idle_[at]);
    idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  const std::size_t wanted = idle_wanted();
  std::size_t made = 0;
  for (; idle_.size() < wanted && zygote_.ready(); ++made) {
    auto link = fork_shim({0, next_new_++}, "");
    if (!link) break;
    idle_.push_back({std::move(*link), std::nullopt, false, false, base::mono_now()});
  }
  give_files(2 * made);  // the next attempt often begins before the journal lets the first one go
}

void ShellExecutor::on_waiting(Fence name) {
  for (Idle& idle : idle_) {
    if (!idle.up && idle.link->served() == name) idle.up = true;
  }
  tell_ready();
}

void ShellExecutor::when_ready(std::function<void()> then) {
  if (!life_) return;
  when_ready_.push_back(std::move(then));
  tell_ready();
}

void ShellExecutor::tell_ready() {
  if (when_ready_.empty() || giving_files_ > 0) return;
  const auto up = std::count_if(idle_.begin(), idle_.end(),
                                [](const Idle& idle) { return idle.up && idle.link->is_open(); });
  if (static_cast<std::size_t>(up) < idle_wanted()) return;
  post([all = std::exchange(when_ready_, {})] {
    for (const auto& then : all) then();
  });
}

void ShellExecutor::give_files(std::size_t count) {
  if (count <= spares_.size()) return;
  const std::size_t missing = count - spares_.size();
  const bool taken =
      files_.run([run_dir = run_dir_, first = std::exchange(next_spare_, next_spare_ + missing),
                  missing] { return make_spares(run_dir, first, missing); },
                 [this](std::vector<std::string> spares) {
                   --giving_files_;
                   add_spares(std::move(spares));
                   tell_ready();
                 });
  if (taken) ++giving_files_;
}

void ShellExecutor::add_spares(std::vector<std::string> spares) {
  std::move(spares.begin(), spares.end(), std::back_inserter(spares_));
}

// ── Recovery ─────────────────────────────────────────────────────────────────────────────────────

// A zygote that is ready holds the lock: nothing of a former life can start any more.
void ShellExecutor::recover(
    std::function<void(base::Result<std::vector<domain::Restored::Found>>)> answer) {
  recovery_ = std::move(answer);
  if (auto started = start_zygote(); !started) {
    return post([this, error = started.error()] { answer_recovery(fail(error)); });
  }
  recovery_limit_.expires_after(kRecovery);
  recovery_limit_.async_wait([this, life = std::weak_ptr<char>(life_)](asio::error_code error) {
    if (life.expired() || error) return;
    answer_recovery(fail(ErrorCode::Unavailable,
                         "a process of a former server still holds " + zygote_lock(run_dir_) +
                             "; find it with `fuser " + zygote_lock(run_dir_) + "` and end it"));
  });
  if (zygote_.ready()) look_for_survivors();
}

void ShellExecutor::look_for_survivors() {
  zygote_trouble_.clear();
  if (!recovery_ || scanning_) return;
  scanning_ = true;
  recovery_limit_.cancel();
  files_.must(
      [run_dir = run_dir_, node = options_.node] {
        auto found = find_survivors(run_dir, node);
        remove_left_scratch(run_dir);
        return found;
      },
      [this](std::vector<Survivor> found) { adopt(std::move(found)); });
}

void ShellExecutor::adopt(std::vector<Survivor> survivors) {
  std::vector<domain::Restored::Found> found;
  std::vector<AttemptEnded> ended;
  for (auto& survivor : survivors) {
    const Fence fence = survivor.header.fence;
    found.push_back({survivor.header.task, survivor.header.attempt, fence});
    Attempt& attempt = attempts_[fence];
    attempt.scratch = fence;  // perhaps: its shim could not tell any more
    if (survivor.end) {
      survivor.end->fence = fence;
      attempt.started = true;
      ended.push_back(std::move(*survivor.end));
    } else {
      attempt.link = link_to(fence, std::move(survivor.socket));
    }
  }
  answer_recovery(std::move(found));
  post([this, ended = std::move(ended)] {
    for (const auto& each : ended) end(each);
  });
}

void ShellExecutor::answer_recovery(base::Result<std::vector<domain::Restored::Found>> found) {
  const auto answer = std::move(recovery_);
  recovery_ = nullptr;
  const bool recovered = found.has_value();
  if (answer) answer(std::move(found));
  pump();  // what was ordered meanwhile
  if (recovered) sweep();
}

// ── Memory ───────────────────────────────────────────────────────────────────────────────────────

// What an attempt started is below its shim, which its file names; a shim is the subreaper of all.
void ShellExecutor::resident(std::vector<Fence> fences,
                             std::function<void(base::Result<std::vector<std::int64_t>>)> answer) {
  if (!life_) return;
  const auto job = [run_dir = run_dir_,
                    fences = std::move(fences)]() -> base::Result<std::vector<std::int64_t>> {
    std::vector<pid_t> shims;
    for (const Fence fence : fences) {
      const auto state = read_attempt(attempt_path(run_dir, fence));
      shims.push_back(state && state->alive ? state->header.shim : 0);
    }
    return resident_below(shims);
  };
  if (!files_.run(job, answer)) {
    post([answer = std::move(answer)] {
      answer(fail(ErrorCode::Unavailable, "too much file work is waiting", 200));
    });
  }
}

void ShellExecutor::examine(domain::PoolSpec pool, domain::StringMap env,
                            std::function<void(base::Result<std::string>)> answer) {
  if (!life_) return;
  const auto job = [pool = std::move(pool), env = std::move(env)]() -> base::Result<std::string> {
    return missing_for(pool, env);
  };
  if (!files_.run(job, answer)) {
    post([answer = std::move(answer)] {
      answer(fail(ErrorCode::Unavailable, "too much file work is waiting", 200));
    });
  }
}

// ── Output of ended attempts ─────────────────────────────────────────────────────────────────────

void ShellExecutor::sweep() {
  const bool taken = files_.run(
      [run_dir = run_dir_, keeping = options_.output] {
        return sweep_output(run_dir, keeping, base::wall_now());
      },
      [this](const Swept& swept) {
        if (swept.files > 0) {
          base::log()->info(
              "output of ended attempts: removed {} files, {} bytes, kept long enough", swept.files,
              swept.bytes);
        }
        if (swept.failed > 0) {
          base::log()->warn("{} files in {} could not be removed", swept.failed,
                            output_dir(run_dir_));
        }
        sweep_after(swept.more && swept.files > 0 ? kNextPass : options_.sweep);
      });
  if (!taken) sweep_after(options_.sweep);
}

void ShellExecutor::sweep_after(Millis time) {
  sweep_.expires_after(time);
  sweep_.async_wait([this, life = std::weak_ptr<char>(life_)](asio::error_code error) {
    if (!life.expired() && !error) sweep();
  });
}

}  // namespace mahavishnu::workers
