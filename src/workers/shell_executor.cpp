#include "workers/shell_executor.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"
#include "workers/kept_output.h"
#include "workers/messages.h"
#include "workers/output_chunk.h"
#include "workers/run_dir.h"
#include "workers/spares.h"

namespace mahavishnu::workers {
namespace {

using base::ErrorCode;
using base::fail;
using base::Millis;
using domain::AttemptEnded;
using domain::Fence;

constexpr std::size_t kUnderWay = 128;
constexpr std::size_t kReadsEach = 64;
constexpr Millis kClearAfter{20};
constexpr int kSends = 5;
constexpr Millis kStartWatch{1000};

// The folder it gets from a shim that has none.
std::optional<Fence> own_scratch(const domain::AttemptOrder& order) {
  return order.cwd.empty() ? std::optional(order.fence) : std::nullopt;
}

}  // namespace

ShellExecutor::ShellExecutor(asio::any_io_executor control, ShellOptions options)
    : control_(control),
      options_(std::move(options)),
      run_dir_(std::filesystem::absolute(options_.run_dir).string()),
      zygote_(control, {[this] { zygote_ready(); }, [this] { zygote_died(); }}),
      files_(control),
      recovery_limit_(control),
      restart_(control),
      start_watch_(control),
      clearing_(control),
      dismissal_(control),
      sweep_(control) {}

ShellExecutor::~ShellExecutor() { stop(); }

base::Status ShellExecutor::start_zygote() {
  for (const auto& dir : {run_dir_, attempts_dir(run_dir_), output_dir(run_dir_)}) {
    std::error_code error;
    std::filesystem::create_directories(dir, error);
    if (error || ::chmod(dir.c_str(), 0700) != 0) {
      return fail(ErrorCode::Unavailable, "cannot use the run directory " + dir + ": " +
                                              (error ? error.message() : std::strerror(errno)));
    }
  }
  if (zygote_.pid() != 0) return {};
  if (!looked_for_spares_) {
    looked_for_spares_ = true;
    for (auto& spare : find_spares(run_dir_, kSpares)) spares_.push_back(std::move(spare));
  }
  zygote_started_ = base::mono_now();
  auto started = zygote_.start(options_.executable, run_dir_);
  zygote_trouble_ = started ? "" : started.error().message;
  return started;
}

void ShellExecutor::stop() {
  if (!life_) return;
  ready_.clear();
  when_ready_.clear();
  dismiss_shims(base::MonoTime::max());
  clear_released();
  life_.reset();
  for (auto& [fence, attempt] : attempts_) {
    if (attempt.link) attempt.link->close();
  }
  zygote_.stop();
  files_.stop();
  recovery_limit_.cancel();
  restart_.cancel();
  start_watch_.cancel();
  clearing_.cancel();
  sweep_.cancel();
  attempts_.clear();
  events_ = Events{};
  recovery_ = nullptr;
}

// ── Starting ─────────────────────────────────────────────────────────────────────────────────────

void ShellExecutor::start(domain::AttemptOrder order) {
  if (!life_) return;
  const Fence fence = order.fence;
  Attempt attempt;
  if (order.timeouts.start.count() > 0) {
    attempt.start_by = base::mono_now() + order.timeouts.start;
  }
  attempt.scratch = own_scratch(order);
  attempt.order = ShimOrder{std::move(order), options_.lease, run_dir_, options_.node, ""};
  if (!attempts_.emplace(fence, std::move(attempt)).second) {
    base::log()->error("attempt {} was ordered twice; the second order is dropped",
                       fence_name(fence));
    return;
  }
  waiting_.push_back(fence);
  pump();
  watch_starts();
}

void ShellExecutor::pump() {
  while (!recovery_ && !waiting_.empty() && under_way_.size() < kUnderWay && zygote_.pid() != 0) {
    const Fence fence = waiting_.front();
    waiting_.pop_front();
    const auto found = attempts_.find(fence);
    if (found != attempts_.end()) send_order(fence, found->second);
  }
  tell_ready();
}

// The order goes to the shim's own socket; the zygote only gets its other end. One that has to be
// sent again goes to a new shim.
void ShellExecutor::send_order(Fence fence, Attempt& attempt) {
  attempt.own = true;
  under_way_.insert(fence);
  auto idle = attempt.sent++ == 0 ? idle_shim() : std::nullopt;
  if (idle && idle->released) {
    attempt.order->spare = fence_name(idle->last->fence);
    if (idle->last->scratch) attempt.scratch = idle->last->scratch;
    attempt.former = std::move(idle->last);
  } else if (attempt.spare.empty() && !spares_.empty()) {
    attempt.spare = std::move(spares_.front());
    spares_.pop_front();
    attempt.order->spare = attempt.spare;
  }
  if (idle) {
    attempt.link = std::move(idle->link);
    attempt.link->serve(fence);
    return attempt.link->send(encode_order(*attempt.order));
  }
  auto link = fork_shim(fence, encode_order(*attempt.order));
  if (!link) {
    return end_later(fence, domain::Reason::Lost, "cannot start it: " + link.error().message);
  }
  attempt.link = std::move(*link);
}

base::Result<std::shared_ptr<AttemptLink>> ShellExecutor::fork_shim(Fence fence,
                                                                    const std::string& first) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail(ErrorCode::Exhausted, std::string("no socket pair: ") + std::strerror(errno));
  }
  auto link = link_to(fence, Descriptor(ends[0]));
  if (!first.empty()) link->send(first);
  zygote_.pass(Descriptor(ends[1]));
  return link;
}

std::shared_ptr<AttemptLink> ShellExecutor::link_to(Fence fence, Descriptor socket) {
  auto link = std::make_shared<AttemptLink>(
      control_, std::move(socket), fence,
      AttemptLink::Events{[this](Fence served, const Frame& frame) { on_frame(served, frame); },
                          [this](Fence served) { on_closed(served); }});
  link->open();
  return link;
}

// An attempt that nobody starts: a zygote that hangs is ended, which settles all it was given.
void ShellExecutor::watch_starts() {
  if (watching_ || (waiting_.empty() && under_way_.empty())) return;
  watching_ = true;
  start_watch_.expires_after(kStartWatch);
  start_watch_.async_wait([this, life = std::weak_ptr<char>(life_)](asio::error_code error) {
    if (life.expired() || error) return;
    watching_ = false;
    check_starts();
    watch_starts();
  });
}

void ShellExecutor::check_starts() {
  const auto now = base::mono_now();
  std::vector<Fence> overdue;
  const auto collect = [&](Fence fence) {
    const auto found = attempts_.find(fence);
    if (found == attempts_.end() || now < found->second.start_by) return;
    found->second.start_by = base::MonoTime::max();  // once
    overdue.push_back(fence);
  };
  std::for_each(under_way_.begin(), under_way_.end(), collect);
  const bool stuck = !overdue.empty();
  std::for_each(waiting_.begin(), waiting_.end(), collect);
  for (const Fence fence : overdue) stop(fence, domain::Reason::StartTimeout);
  if (!stuck) return;
  base::log()->warn("the zygote does not start attempt {}; it is started anew",
                    fence_name(overdue.front()));
  zygote_.kill();
}

// ── What shims say ───────────────────────────────────────────────────────────────────────────────

void ShellExecutor::on_frame(Fence fence, const Frame& frame) {
  const auto found = attempts_.find(fence);
  if (found == attempts_.end()) {
    if (frame.kind == Kind::Waits) on_waiting(fence);
    return;
  }
  Attempt& attempt = found->second;
  switch (frame.kind) {
    case Kind::Waits:
      return;  // its order came in between
    case Kind::Started:
      return on_started(fence, attempt);
    case Kind::Grew:
      if (events_.output) events_.output(fence, Reader(frame.body).number());
      return;
    case Kind::Slice:
      return on_slice(attempt, frame);
    case Kind::Refused:
      attempt.sent = kSends;  // the machine has no process to give: not again
      zygote_trouble_ = frame.body;
      return;
    case Kind::Stays:
      attempt.stays = attempt.own;
      return;
    case Kind::Ended:
      if (auto ended = decode_end(frame.body)) end(std::move(*ended));
      return;
    default:
      base::log()->warn("attempt {}: a shim sent an unknown message", fence_name(fence));
  }
}

void ShellExecutor::on_started(Fence fence, Attempt& attempt) {
  if (attempt.started) return;
  attempt.started = true;
  attempt.order.reset();
  under_way_.erase(fence);
  if (events_.started) events_.started(fence);
  pump();
}

void ShellExecutor::on_slice(Attempt& attempt, const Frame& frame) {
  std::uint64_t id = 0;
  auto slice = decode_slice(frame.body, id);
  auto read = attempt.reads.extract(id);
  if (!slice || read.empty()) return;
  read.mapped().answer(make_chunk(std::move(*slice), read.mapped().offset < 0, false));
}

// The shim is gone without an end: its file knows more.
void ShellExecutor::on_closed(Fence fence) {
  watch_idle();
  if (fence.epoch == 0) return tell_ready();  // it had no order
  const auto found = attempts_.find(fence);
  if (found == attempts_.end() || found->second.result) return;
  found->second.link.reset();
  files_.must([run_dir = run_dir_, fence,
               zygote = zygote_.pid()] { return fate_of(run_dir, fence, zygote); },
              [this, fence](Fate fate) { settle(fence, std::move(fate)); });
}

void ShellExecutor::settle(Fence fence, Fate fate) {
  const auto found = attempts_.find(fence);
  if (found == attempts_.end() || found->second.result) return;
  Attempt& attempt = found->second;
  under_way_.erase(fence);
  if (attempt.former) {
    clear_later(std::move(*attempt.former));
    attempt.former.reset();
    if (!fate.claimed && attempt.order) attempt.scratch = own_scratch(attempt.order->attempt);
  }
  if (fate.claimed && fate.end) {
    fate.end->fence = fence;
    return end(std::move(*fate.end));
  }
  AttemptEnded ended;
  ended.fence = fence;
  if (attempt.stop) {
    ended.reason = *attempt.stop;
    ended.result.message = "stopped before it started";
    return end(std::move(ended));
  }
  if (attempt.sent >= kSends || !attempt.order) {
    ended.reason = domain::Reason::Lost;
    ended.result.message = "no process could be started for it" +
                           (zygote_trouble_.empty() ? std::string() : ": " + zygote_trouble_);
    return end(std::move(ended));
  }
  attempt.order->spare = attempt.spare;
  waiting_.push_front(fence);
  pump();
}

void ShellExecutor::end(AttemptEnded ended) {
  const Fence fence = ended.fence;
  const auto found = attempts_.find(fence);
  if (found == attempts_.end() || found->second.result) return;
  Attempt& attempt = found->second;
  under_way_.erase(fence);
  attempt.result = ended.result;
  attempt.order.reset();
  if (attempt.link && attempt.stays) {
    keep_shim(fence, attempt);
  } else if (attempt.link) {
    attempt.link->close();
    watch_idle();
  }
  attempt.link.reset();
  const auto reads = std::move(attempt.reads);
  attempt.reads.clear();
  for (const auto& [id, read] : reads) answer_ended(ended.result, read);
  if (attempt.released) {
    release(fence);
  } else if (events_.ended) {
    events_.ended(std::move(ended));
  }
  pump();
}

void ShellExecutor::end_later(Fence fence, domain::Reason reason, std::string message) {
  AttemptEnded ended;
  ended.fence = fence;
  ended.reason = reason;
  ended.result.message = std::move(message);
  post([this, ended = std::move(ended)] { end(ended); });
}

void ShellExecutor::stop(Fence fence, domain::Reason why) {
  const auto found = attempts_.find(fence);
  if (found == attempts_.end() || found->second.result || found->second.stop) return;
  Attempt& attempt = found->second;
  attempt.stop = why;
  const auto queued = std::find(waiting_.begin(), waiting_.end(), fence);
  if (queued != waiting_.end()) {
    waiting_.erase(queued);
    const std::string because =
        zygote_trouble_.empty() ? std::string() : " (" + zygote_trouble_ + ")";
    end_later(fence, why, "stopped before it started" + because);
  } else if (attempt.link) {
    attempt.link->send(encode_stop(why));
  }
}

void ShellExecutor::release(Fence fence) {
  if (!life_) return;
  Released released;
  released.fence = fence;
  const auto found = attempts_.find(fence);
  if (found != attempts_.end()) {
    if (!found->second.result) {  // found by recover(), and not wanted any more
      found->second.released = true;
      return;
    }
    released.given = std::move(found->second.spare);
    released.scratch = found->second.scratch;
    attempts_.erase(found);
  }
  if (!leave_with_shim(fence)) clear_later(std::move(released));
}

void ShellExecutor::clear_later(Released released) {
  released_.push_back(std::move(released));
  if (released_.size() > 1) return;
  clearing_.expires_after(kClearAfter);
  clearing_.async_wait([this, life = std::weak_ptr<char>(life_)](asio::error_code error) {
    if (!life.expired() && !error) clear_released();
  });
}

void ShellExecutor::clear_released() {
  if (released_.empty()) return;
  const std::size_t wanted = kSpares - std::min(kSpares, spares_.size());
  files_.must(
      [run_dir = run_dir_, wanted, released = std::exchange(released_, {})] {
        std::vector<std::string> spares;
        for (const Released& each : released) {
          std::string spare = clear_attempt(run_dir, each, spares.size() >= wanted);
          if (!spare.empty()) spares.push_back(std::move(spare));
        }
        return spares;
      },
      [this](std::vector<std::string> spares) { add_spares(std::move(spares)); });
}

// ── Output ───────────────────────────────────────────────────────────────────────────────────────

void ShellExecutor::read_output(Fence fence, domain::OutputStream stream, std::int64_t offset,
                                std::size_t max_bytes, Answer answer) {
  const auto found = attempts_.find(fence);
  if (found == attempts_.end()) {
    return post([answer = std::move(answer), fence] {
      answer(fail(ErrorCode::NotFound, "attempt " + fence_name(fence) + " does not run any more"));
    });
  }
  Attempt& attempt = found->second;
  PendingRead read{stream, offset, chunk_size(max_bytes), std::move(answer)};
  if (attempt.result) {
    return post([this, result = *attempt.result, read = std::move(read)]() mutable {
      answer_ended(result, std::move(read));
    });
  }
  if (attempt.reads.size() >= kReadsEach) {
    return post([answer = std::move(read.answer)] {
      answer(fail(ErrorCode::Exhausted, "too many reads of one attempt's output at a time", 200));
    });
  }
  if (!attempt.link) {  // nothing has been written yet
    return post([answer = std::move(read.answer)] { answer(domain::OutputChunk{}); });
  }
  const std::uint64_t id = next_read_++;
  attempt.link->send(encode_read({id, stream, offset, read.max_bytes}));
  attempt.reads.emplace(id, std::move(read));
}

void ShellExecutor::answer_ended(const domain::TaskResult& result, PendingRead read) {
  if (result.spool.empty()) {
    return read.answer(chunk_of(result, read.stream, read.offset, read.max_bytes));
  }
  read_spool(result.spool, read.stream, read.offset, read.max_bytes, std::move(read.answer));
}

void ShellExecutor::read_spool(std::string spool, domain::OutputStream stream, std::int64_t offset,
                               std::size_t max_bytes, Answer answer) {
  if (!life_) return;
  const auto job = [spool = std::move(spool), stream, offset,
                    max = chunk_size(max_bytes)]() -> base::Result<domain::OutputChunk> {
    auto slice = workers::read_spool(spool, stream, offset, max);
    if (!slice) return fail(slice.error());
    return make_chunk(std::move(*slice), offset < 0, true);
  };
  if (!files_.run(job, answer)) {
    post([answer = std::move(answer)] {
      answer(fail(ErrorCode::Exhausted, "too many reads of spools at a time", 200));
    });
  }
}

}  // namespace mahavishnu::workers
