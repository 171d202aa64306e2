#include "workers/shim.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "workers/process_tree.h"
#include "workers/run_dir.h"
#include "workers/spares.h"

namespace mahavishnu::workers {
namespace {

using base::Millis;
using base::MonoTime;

constexpr Millis kLeftoverGrace{500};  // for what a command that ended by itself left running
constexpr Millis kKillAgain{20};
constexpr int kMostKills = 500;  // rounds, 10 s of them: what is left hangs in the kernel
constexpr Millis kTellStart{4};  // an attempt shorter than that tells its start with its end
constexpr Millis kFirstGrowth{50};
constexpr Millis kGrowthEvery{200};
constexpr Millis kFlush{2000};

volatile sig_atomic_t told_to_end = 0;
volatile sig_atomic_t child_changed = 0;
sigset_t while_waiting;

void on_signal(int signal) { (signal == SIGTERM ? told_to_end : child_changed) = 1; }

// SIGCHLD and SIGTERM come only while the loop waits, so that none is missed.
void take_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigaction(SIGCHLD, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
  // A shim that is stopped while its zygote ends is woken by the kernel with a SIGHUP before it.
  ::sigaction(SIGHUP, &action, nullptr);
  sigset_t held;
  sigemptyset(&held);
  sigaddset(&held, SIGCHLD);
  sigaddset(&held, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &held, &while_waiting);
}

std::string millis_text(Millis millis) { return std::to_string(millis.count()) + " ms"; }

std::string signal_text(int signal) {
  return "ended by signal " + std::to_string(signal) + " (" + ::strsignal(signal) + ")";
}

}  // namespace

Shim::Shim(ShimOrder order, ServerLink& link, AttemptFile& file, StartLock& lock, Scratch& scratch)
    : order_(std::move(order)),
      link_(link),
      file_(file),
      lock_(lock),
      scratch_(scratch),
      output_(spool_path(order_.run_dir,
                         attempt_mark(attempt().task, attempt().attempt, attempt().fence)),
              attempt().work.limits.output_bytes) {
  end_.fence = attempt().fence;
}

bool Shim::run() {
  if (start()) {
    while (!over()) turn();
  }
  return finish();
}

bool Shim::start() {
  link_.listen_at(order_.run_dir, attempt().fence);
  on_frames(link_.take_now());
  if (decided_ || !enter_directory()) return false;
  limit();
  if (auto made = streams_.open(std::move(order_.attempt.work.stdin_text)); !made) {
    refuse(Reason::Lost, made.error().message);
    return false;
  }
  const domain::Work& work = attempt().work;
  for (const auto& [name, value] : work.env) {
    if (name != "MAHAVISHNU_ATTEMPT") plan_.env.push_back(name + "=" + value);
  }
  plan_.env.push_back("MAHAVISHNU_ATTEMPT=" +
                      attempt_mark(attempt().task, attempt().attempt, attempt().fence));
  if (attempt().calls_tool) report_ = make_report();
  plan_.report = report_.get();
  auto launched = launch_command(
      work.command.empty() ? work.argv : std::vector<std::string>{"/bin/sh", "-c", work.command});
  if (!launched) {
    const bool ours = launched.error().code == base::ErrorCode::Unavailable;
    refuse(ours ? Reason::Lost : Reason::Rejected, launched.error().message);
    return false;
  }
  started_ = true;
  started_at_ = last_output_ = base::mono_now();
  next_growth_ = started_at_ + kFirstGrowth;
  return true;
}

bool Shim::enter_directory() {
  const std::string& dir = attempt().cwd;
  if (dir.empty()) return enter_scratch();
  if (::chdir(dir.c_str()) == 0) return true;
  const bool missing = errno == ENOENT || errno == ENOTDIR;
  refuse(Reason::Rejected,
         missing ? "the directory " + dir + " does not exist (was the repository deleted?)"
                 : "cannot enter the directory " + dir + ": " + std::strerror(errno));
  return false;
}

bool Shim::enter_scratch() {
  const std::string& spare = order_.spare;
  if (scratch_.enter(spare.empty() ? "" : spare_scratch_path(order_.run_dir, spare))) return true;
  refuse(Reason::Lost, "cannot make a scratch folder in " + attempts_dir(order_.run_dir) + ": " +
                           std::strerror(errno));
  return false;
}

// Sets up what this machine can enforce, and says what it cannot.
void Shim::limit() {
  const domain::Limits& limits = attempt().work.limits;
  auto& unenforced = end_.result.unenforced;
  if (limits.memory_bytes > 0 || limits.processes > 0) {
    const std::string name =
        "mahavishnu-" + fence_name(attempt().fence) + "-" + std::to_string(::getpid());
    cgroup_ = Cgroup(name, limits.memory_bytes, limits.processes);
    plan_.cgroup_entries = cgroup_.entries();
  }
  if (limits.memory_bytes > 0 && !cgroup_.limits_memory()) {
    plan_.address_space = limits.memory_bytes;
    unenforced.emplace_back("memory_bytes (per process, not for the whole task)");
  }
  if (limits.processes > 0 && !cgroup_.limits_processes()) {
    unenforced.emplace_back("processes (no writable control group with the pids controller)");
  }
  if (limits.cpu_ms > 0) {
    plan_.cpu_seconds = (limits.cpu_ms + 999) / 1000;
    unenforced.emplace_back("cpu_ms (per process and in whole seconds, not for the whole task)");
  }
}

base::Status Shim::launch_command(std::vector<std::string> argv) {
  plan_.argv = std::move(argv);
  plan_.in = streams_.child_in();
  plan_.out = streams_.child_out();
  plan_.err = streams_.child_err();
  const auto launched = launch(plan_);
  streams_.handed_over();
  if (!launched) return base::fail(launched.error());
  main_ = launched->pid;
  childless_ = false;
  if (!launched->entered) {
    end_.result.unenforced.emplace_back("memory_bytes, processes (control group not entered)");
  }
  return {};
}

void Shim::refuse(Reason reason, std::string message) {
  end_.reason = reason;
  end_.result.message = std::move(message);
  decided_ = true;
}

// One wait, and what came of it.
void Shim::turn() {
  std::vector<pollfd> polls;
  link_.add_polls(polls);
  streams_.add_polls(polls);
  const int wait = wait_ms(base::mono_now());
  const timespec limit{wait / 1000, static_cast<long>(wait % 1000) * 1000000};
  const int ready =
      ::ppoll(polls.data(), polls.size(), wait < 0 ? nullptr : &limit, &while_waiting);
  if (ready > 0) {
    bool adopted = false;
    on_frames(link_.take(polls, adopted));
    if (adopted) start_told_ = false;
    if (streams_.take(polls, output_)) {
      last_output_ = base::mono_now();
      dirty_ = true;
    }
  }
  if (child_changed != 0) reap();
  if (told_to_end != 0) stop(Reason::Lost, "the attempt's shim was told to end (SIGTERM)");
  const MonoTime now = base::mono_now();
  watch_time(now);
  tell_start(now);
  tell_growth(now);
}

// Until the next thing that is due; -1: nothing is.
int Shim::wait_ms(MonoTime now) const {
  auto due = MonoTime::max();
  const auto by = [&due](MonoTime at) { due = std::min(due, at); };
  const domain::Timeouts& timeouts = attempt().timeouts;
  if (!decided_) {
    if (timeouts.run.count() > 0) by(started_at_ + timeouts.run);
    if (attempt().total_left.count() > 0) by(started_at_ + attempt().total_left);
    if (timeouts.idle.count() > 0) by(last_output_ + timeouts.idle);
    if (link_.alone_since()) by(*link_.alone_since() + order_.lease);
  }
  if (kill_at_) by(std::max(*kill_at_, next_kill_));
  if (!start_told_ && link_.connected()) by(started_at_ + kTellStart);
  if (dirty_ && link_.connected()) by(next_growth_);
  if (due == MonoTime::max()) return -1;
  const auto left = std::chrono::ceil<Millis>(due - now).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60000));
}

void Shim::on_frames(const std::vector<Frame>& frames) {
  for (const auto& frame : frames) {
    if (frame.kind == Kind::Stop) {
      stop(static_cast<Reason>(Reader(frame.body).number()), "stopped on request");
    } else if (frame.kind == Kind::Read) {
      if (const auto request = decode_read(frame.body)) {
        const auto slice = output_.read(request->view, request->offset, request->max);
        link_.send(encode_slice(request->id, slice));
      }
    }
  }
}

void Shim::reap() {
  child_changed = 0;
  int status = 0;
  pid_t pid = 0;
  while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid == main_) main_ended(status);
  }
  childless_ = pid < 0;
  const bool left = main_ == 0 && !childless_;
  if (left && !kill_at_) begin_ending(kLeftoverGrace);
}

void Shim::main_ended(int status) {
  main_ = 0;
  if (!decided_ && status == 0 && verify()) return;
  decide(status);
}

// Starts the second command, once, after the first one did well.
bool Shim::verify() {
  if (verifying_ || attempt().work.verify.empty()) return false;
  verifying_ = true;
  streams_.drain(output_);
  plan_.report = -1;
  const auto launched = launch_command({"/bin/sh", "-c", attempt().work.verify});
  if (!launched) refuse(Reason::VerifyFailed, launched.error().message);
  return static_cast<bool>(launched);
}

void Shim::decide(int status) {
  if (WIFEXITED(status)) end_.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) end_.signal = WTERMSIG(status);
  if (decided_) return;
  decided_ = true;
  if (status == 0) {
    end_.reason = Reason::Ok;
    return;
  }
  end_.reason = end_.signal ? Reason::Signal : Reason::ExitCode;
  std::string& message = end_.result.message;
  message = end_.signal ? signal_text(*end_.signal)
                        : "ended with exit code " + std::to_string(*end_.exit_code);
  if (verifying_) {
    end_.reason = Reason::VerifyFailed;
    message = "verify " + message;
  }
  if (cgroup_.out_of_memory()) {
    end_.reason = Reason::OutOfMemory;
    message += ": out of memory (limits.memory_bytes " +
               std::to_string(attempt().work.limits.memory_bytes) + ")";
  } else if (end_.signal == SIGXCPU) {
    message += ": used more than limits.cpu_ms " + std::to_string(attempt().work.limits.cpu_ms);
  }
}

void Shim::watch_time(MonoTime now) {
  const domain::Timeouts& limits = attempt().timeouts;
  const auto past = [now](MonoTime since, Millis limit) {
    return limit.count() > 0 && now >= since + limit;
  };
  if (past(started_at_, limits.run)) {
    stop(Reason::TimedOut, "ran longer than timeouts.run, " + millis_text(limits.run));
  } else if (past(started_at_, attempt().total_left)) {
    stop(Reason::TotalTimeout, "the time for all attempts together (timeouts.total) is over");
  } else if (past(last_output_, limits.idle)) {
    stop(Reason::IdleTimeout, "no output for timeouts.idle, " + millis_text(limits.idle));
  } else if (link_.alone_since() && now >= *link_.alone_since() + order_.lease) {
    stop(Reason::Lost, "no server for " + millis_text(order_.lease) + ": ended by its lease");
  }
  end_what_is_left(now);
}

void Shim::tell_start(MonoTime now) {
  if (start_told_ || !link_.connected() || now < started_at_ + kTellStart) return;
  start_told_ = true;
  link_.send(encode(Kind::Started, {}));
}

void Shim::tell_growth(MonoTime now) {
  if (!dirty_ || !link_.connected() || now < next_growth_) return;
  link_.send(encode(Kind::Grew, Writer().number(output_.produced()).take()));
  dirty_ = false;
  next_growth_ = now + kGrowthEvery;
}

void Shim::stop(Reason why, std::string message) {
  if (decided_) return;
  refuse(why, std::move(message));
  if (started_) begin_ending(attempt().grace);
}

// Who calls a tool tells its server first, and then ends it; what it leaves is ended as of others.
void Shim::begin_ending(Millis grace) {
  kill_at_ = base::mono_now() + grace;
  if (attempt().calls_tool && main_ != 0 && !verifying_) {
    ::kill(main_, SIGTERM);
  } else {
    signal_descendants(SIGTERM);
  }
}

void Shim::end_what_is_left(MonoTime now) {
  if (!kill_at_ || now < *kill_at_ || now < next_kill_) return;
  signal_descendants(SIGKILL);
  next_kill_ = now + kKillAgain;
  // Not by time: a shim that was stopped meanwhile would give up after its first KILL.
  if (++kills_ < kMostKills) return;
  gave_up_ = true;
  main_ = 0;
}

void Shim::signal_descendants(int signal) {
  for (const pid_t pid : descendants_of(::getpid())) ::kill(pid, signal);
}

// What the program says of its end is more than its exit code, unless it was ended.
void Shim::take_report() {
  if (!report_) return;
  auto report = read_report(report_.get());
  if (!report) return;
  const bool by_itself = end_.reason == Reason::Ok || end_.reason == Reason::ExitCode;
  if (by_itself && !report->message.empty()) end_.result.message = std::move(report->message);
  end_.result.structured = std::move(report->structured);
}

bool Shim::finish() {
  streams_.drain(output_);
  take_report();
  end_.processes_left = childless_ ? 0 : static_cast<int>(descendants_of(::getpid()).size());
  if (end_.processes_left > 0) {
    end_.result.message +=
        "; " + std::to_string(end_.processes_left) + " processes cannot be ended";
  }
  cgroup_.remove();
  if (end_.processes_left > 0) {
    scratch_.remove();
  } else if (attempt().cwd.empty()) {
    scratch_.clear();
  }
  output_.finish(end_.result);
  // A record that cannot be written (full disk) is still told: the server is the better keeper.
  [[maybe_unused]] const auto written = file_.write_end(end_);
  file_.unlock();
  const bool stays = may_stay();
  if (!stays) scratch_.remove();
  std::string told;
  if (started_ && !start_told_) told += encode(Kind::Started, {});
  if (stays) told += encode(Kind::Stays, {});
  link_.send(told + encode_end(end_));
  link_.flush(kFlush);
  link_.rest();
  return stays && link_.connected();
}

// Only what came to a clean end, under the server it was born with, whose zygote is still the one.
// The lock comes before the server hears of it: from then on an order may be on its way.
bool Shim::may_stay() {
  return childless_ && !gave_up_ && told_to_end == 0 && link_.connected() && !link_.adopted() &&
         ::chdir("/") == 0 && lock_.take(order_.run_dir);
}

namespace {

bool asked_to_end() {
  sigset_t pending;
  ::sigpending(&pending);
  return told_to_end != 0 || sigismember(&pending, SIGTERM) == 1;
}

// Ends the process when no order comes any more.
ShimOrder next_order(ServerLink& link, bool is_new) {
  for (;;) {
    auto order = link.take_order();
    if (!link.connected() || asked_to_end()) ::_exit(0);  // what is not claimed is sent again
    if (order) return std::move(*order);
    if (std::exchange(is_new, false)) link.send(encode(Kind::Waits, {}));
    pollfd poll{};
    link.add_poll(poll);
    ::ppoll(&poll, 1, nullptr, &while_waiting);
  }
}

// What the attempt before left to the next one, once the server names it as a spare.
struct Former {
  Fence fence;
  AttemptFile file;
};

base::Result<AttemptFile> claim(const ShimOrder& order, std::optional<Former>& former) {
  AttemptHeader header;
  header.task = order.attempt.task;
  header.attempt = order.attempt.attempt;
  header.fence = order.attempt.fence;
  header.shim = ::getpid();
  header.node = order.node;
  if (former && former->file.claim_next(order.run_dir, former->fence, header)) {
    return std::move(former->file);
  }
  return AttemptFile::claim(order.run_dir, header, order.spare);
}

}  // namespace

void run_shim(int socket, int lock) {
  ::prctl(PR_SET_NAME, "mahavishnu-shim");
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::setpgid(0, 0);  // the session is the zygote's: a new one costs a scheduler group, 20 us
  take_signals();
  StartLock starting{Descriptor(lock)};
  ServerLink link{Descriptor(socket)};
  std::optional<Former> former;
  std::optional<Scratch> scratch;
  for (bool stays = true; stays;) {
    ShimOrder order = next_order(link, !scratch);
    // What the order does not name is left to the server.
    if (!former || fence_name(former->fence) != order.spare) {
      former.reset();
      scratch.emplace();
      const bool unwanted = !order.spare.empty() && !order.attempt.cwd.empty();
      if (unwanted) ::rmdir(spare_scratch_path(order.run_dir, order.spare).c_str());
    }
    if (order.attempt.cwd.empty()) {
      scratch->name(scratch_path(order.run_dir, order.attempt.fence));
    }
    auto file = claim(order, former);
    if (!file) {
      AttemptEnded end;
      end.fence = order.attempt.fence;
      end.reason = Reason::Lost;
      end.result.message = file.error().message;
      link.send(encode_end(end));
      scratch->remove();
      ::_exit(0);
    }
    starting.give_up();
    const Fence fence = order.attempt.fence;
    Shim shim(std::move(order), link, *file, starting, *scratch);
    stays = shim.run();
    former.emplace(Former{fence, std::move(*file)});
  }
  ::_exit(0);
}

}  // namespace mahavishnu::workers
