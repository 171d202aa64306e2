#include "workers/survivors.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "workers/cgroup.h"
#include "workers/kept_output.h"
#include "workers/process_tree.h"
#include "workers/result_text.h"
#include "workers/run_dir.h"
#include "workers/socket_path.h"

namespace mahavishnu::workers {
namespace {

using base::Millis;

constexpr Millis kReach{5000};
constexpr Millis kKill{2000};

// An attempt file's name is a fence: digits, '-', digits.
bool is_fence(const std::string& name) {
  return name.find('-') != std::string::npos &&
         name.find_first_not_of("0123456789-") == std::string::npos;
}

std::vector<std::string> attempt_files(const std::string& run_dir) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(attempts_dir(run_dir), error)) {
    if (is_fence(entry.path().filename().string())) paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

Descriptor connect_to(const std::string& run_dir, Fence fence) {
  const Descriptor folder(::open(attempts_dir(run_dir).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const SocketPath path(folder.get(), socket_name(fence));
  if (!socket || ::connect(socket.get(), path.address(), path.size()) != 0) return {};
  return socket;
}

int end_leftovers(const AttemptState& state, pid_t zygote) {
  const AttemptHeader& header = state.header;
  // With the lock gone the number may be someone else's by now.
  if (state.alive && header.shim > 1) ::kill(header.shim, SIGKILL);
  const int left = kill_leftovers(header.mark(), zygote, kKill);
  remove_cgroups("mahavishnu-" + fence_name(header.fence) + "-" + std::to_string(header.shim));
  return left;
}

AttemptEnded lost(const std::string& run_dir, const AttemptHeader& header, std::string message,
                  int processes_left) {
  AttemptEnded end;
  end.fence = header.fence;
  end.reason = Reason::Lost;
  end.processes_left = processes_left;
  end.result.message = std::move(message);
  const std::string spool = spool_path(run_dir, header.mark());
  if (const auto slice = read_spool(spool, OutputStream::All, -1, kTextBytes)) {
    set_text(end.result, slice->raw, slice->runs);
    end.result.spool = spool;
    end.result.truncated = true;
    end.result.output_bytes = slice->begin + slice->raw.size();
  }
  return end;
}

std::string shim_of(const AttemptHeader& header) {
  return "the attempt's shim (process " + std::to_string(header.shim) + ")";
}

// Why nobody can speak with a shim that has told no end.
std::string unreachable(const AttemptState& state) {
  const std::string shim = shim_of(state.header);
  if (!state.alive) return shim + " was killed; what it had started was ended with it";
  return shim +
         (state.header.protocol == kProtocol
              ? " did not answer the server that took over, and was ended with what it had started"
              : " is of a version this server cannot speak with, and was ended with what it had "
                "started");
}

// One look. True: `found` is final (none: its processes are not on this machine).
bool settle(const std::string& run_dir, const std::string& node, const AttemptState& state,
            bool last_look, std::optional<Survivor>& found) {
  const AttemptHeader& header = state.header;
  if (header.node != node) return true;  // of a machine whose processes are not here
  if (state.end && !state.alive) {
    found = Survivor{header, state.end, {}};
    return true;
  }
  const bool known = header.protocol == kProtocol;
  if (state.alive && known) {
    if (Descriptor socket = connect_to(run_dir, header.fence)) {
      found = Survivor{header, std::nullopt, std::move(socket)};
      return true;
    }
  }
  if (state.alive && known && !last_look) return false;
  const int left = end_leftovers(state, 0);
  found = Survivor{header, lost(run_dir, header, unreachable(state), left), {}};
  return true;
}

}  // namespace

std::vector<Survivor> find_survivors(const std::string& run_dir, const std::string& node) {
  const auto until = std::chrono::steady_clock::now() + kReach;
  std::vector<Survivor> survivors;
  for (const auto& path : attempt_files(run_dir)) {
    for (;;) {
      const bool last_look = std::chrono::steady_clock::now() >= until;
      const auto state = read_attempt(path);
      if (!state) {
        if (state.error().code != base::ErrorCode::NotFound) ::unlink(path.c_str());
        break;
      }
      if (fence_name(state->header.fence) != std::filesystem::path(path).filename()) {
        ::unlink(path.c_str());  // its shim died while it made it the next attempt's
        break;
      }
      std::optional<Survivor> found;
      if (settle(run_dir, node, *state, last_look, found)) {
        if (found) survivors.push_back(std::move(*found));
        break;
      }
      ::poll(nullptr, 0, 5);  // the shim has yet to see that its server is gone, or is just ending
    }
  }
  return survivors;
}

Fate fate_of(const std::string& run_dir, Fence fence, pid_t zygote) {
  const auto state = read_attempt(attempt_path(run_dir, fence));
  if (!state) {
    remove_attempt(run_dir, fence);  // at most a claim cut short: nothing was started by it
    return {};
  }
  if (state->end) return {true, state->end};
  const int left = end_leftovers(*state, zygote);
  std::string message =
      shim_of(state->header) + " was killed; what it had started was ended with it";
  return {true, lost(run_dir, state->header, std::move(message), left)};
}

void remove_scratch(const std::string& run_dir, Fence fence) {
  std::error_code ignored;
  std::filesystem::remove_all(scratch_path(run_dir, fence), ignored);
}

void remove_attempt(const std::string& run_dir, Fence fence) {
  const std::string path = attempt_path(run_dir, fence);
  ::unlink(path.c_str());
  std::error_code ignored;
  std::filesystem::remove(path + ".sock", ignored);
  remove_scratch(run_dir, fence);
}

}  // namespace mahavishnu::workers
