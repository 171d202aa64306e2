#include "workers/git_facts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>

namespace mahavishnu::workers {
namespace {

using domain::GitState;

constexpr std::size_t kMaxSmall = 4096;         // HEAD, one reference, a pointer to a folder
constexpr std::size_t kMaxPacked = 64U << 20U;  // packed-refs
constexpr int kMaxIndirections = 5;             // as git: symbolic references to references

bool is_directory(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode);
}

bool is_file(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode);
}

// The file's content, or nothing when it is no readable regular file of at most `most` bytes.
// Opened without blocking, so that a FIFO in its place holds nobody.
std::optional<std::string> read_small(const std::string& path, std::size_t most) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return std::nullopt;
  std::optional<std::string> content;
  struct stat facts {};
  if (::fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) &&
      static_cast<std::size_t>(facts.st_size) <= most) {
    content.emplace(static_cast<std::size_t>(facts.st_size), '\0');
    std::size_t got = 0;
    while (got < content->size()) {
      const ssize_t n = ::read(fd, content->data() + got, content->size() - got);
      if (n <= 0) break;
      got += static_cast<std::size_t>(n);
    }
    content->resize(got);
  }
  ::close(fd);
  return content;
}

std::string_view first_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  while (!text.empty() && (text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  return text;
}

std::string join(const std::string& folder, std::string_view path) {
  return path.starts_with('/') ? std::string(path) : folder + "/" + std::string(path);
}

bool is_commit(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_safe_reference(std::string_view name) {
  return name.starts_with("refs/") && name.find("..") == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

// Where HEAD is; empty when `path` is no repository.
std::string git_folder(const std::string& path) {
  const std::string dot_git = path + "/.git";
  if (is_directory(dot_git)) return dot_git;
  if (const auto pointer = read_small(dot_git, kMaxSmall)) {
    constexpr std::string_view kPrefix = "gitdir: ";
    const std::string_view line = first_line(*pointer);
    return line.starts_with(kPrefix) ? join(path, line.substr(kPrefix.size())) : "";
  }
  return is_file(path + "/HEAD") && is_directory(path + "/objects") ? path : "";
}

// A linked worktree keeps its own HEAD and shares everything else with the folder named here.
std::string common_folder(const std::string& git) {
  const auto pointer = read_small(git + "/commondir", kMaxSmall);
  return pointer ? join(git, first_line(*pointer)) : git;
}

std::string packed_commit(const std::string& common, std::string_view reference) {
  const auto packed = read_small(common + "/packed-refs", kMaxPacked);
  if (!packed) return "";
  // Lines are "<commit> <reference>"; so a line of ours ends in " <reference>\n".
  const std::string wanted = " " + std::string(reference);
  for (std::size_t at = packed->find(wanted); at != std::string::npos;
       at = packed->find(wanted, at + 1)) {
    const std::size_t end = at + wanted.size();
    const std::size_t start = at == 0 ? 0 : packed->rfind('\n', at - 1) + 1;  // npos + 1 is 0
    const std::string_view commit = std::string_view(*packed).substr(start, at - start);
    const bool whole = end == packed->size() || (*packed)[end] == '\n' || (*packed)[end] == '\r';
    if (whole && is_commit(commit)) return std::string(commit);
  }
  return "";
}

std::string commit_of(const std::string& git, const std::string& common, std::string reference) {
  for (int i = 0; i < kMaxIndirections && is_safe_reference(reference); ++i) {
    auto loose = read_small(git + "/" + reference, kMaxSmall);
    if (!loose) loose = read_small(common + "/" + reference, kMaxSmall);
    if (!loose) return packed_commit(common, reference);
    const std::string_view line = first_line(*loose);
    if (is_commit(line)) return std::string(line);
    if (!line.starts_with("ref: ")) return "";
    reference = std::string(line.substr(5));
  }
  return "";
}

}  // namespace

GitState read_git_state(const std::string& path) {
  GitState state;
  state.exists = is_directory(path);
  if (!state.exists) {
    state.problem = "the directory is not there";
    return state;
  }
  const std::string git = git_folder(path);
  const auto head = git.empty() ? std::nullopt : read_small(git + "/HEAD", kMaxSmall);
  if (!head) {
    state.problem = git.empty() ? "not a git repository" : "its HEAD cannot be read";
    return state;
  }
  const std::string_view line = first_line(*head);
  constexpr std::string_view kSymbolic = "ref: ";
  constexpr std::string_view kBranches = "refs/heads/";
  if (is_commit(line)) {
    state.head = line;
  } else if (line.starts_with(kSymbolic) && is_safe_reference(line.substr(kSymbolic.size()))) {
    const std::string reference(line.substr(kSymbolic.size()));
    state.branch =
        reference.starts_with(kBranches) ? reference.substr(kBranches.size()) : reference;
    state.head = commit_of(git, common_folder(git), reference);
  } else {
    state.problem = "its HEAD is of a kind that is not known here";
  }
  // The reftable format hides its references behind this name.
  if (state.branch == ".invalid") {
    state.branch.clear();
    state.problem = "it keeps its references in the reftable format, which is not read here";
  }
  return state;
}

struct GitFacts::State : std::enable_shared_from_this<GitFacts::State> {
  struct Look {
    std::vector<std::string> paths;
    Answer answer;
  };

  explicit State(asio::any_io_executor to) : executor(std::move(to)) {}

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      arrived.wait(lock, [this] { return stopping || !looks.empty(); });
      if (stopping) return;
      Look look = std::move(looks.front());
      looks.pop_front();
      lock.unlock();
      std::vector<GitState> states;
      states.reserve(look.paths.size());
      for (const auto& path : look.paths) states.push_back(read_git_state(path));
      deliver(std::move(look.answer), std::move(states));
      lock.lock();
    }
  }

  void deliver(Answer answer, base::Result<std::vector<GitState>> result) {
    asio::post(executor, [self = shared_from_this(), answer = std::move(answer),
                          result = std::move(result)]() mutable {
      if (!self->silent) answer(std::move(result));
    });
  }

  asio::any_io_executor executor;
  bool silent = false;  // on the executor only
  std::mutex mutex;
  std::condition_variable arrived;
  std::deque<Look> looks;
  bool stopping = false;
  std::thread thread;
};

GitFacts::GitFacts(asio::any_io_executor executor)
    : state_(std::make_shared<State>(std::move(executor))) {
  state_->thread = std::thread([state = state_.get()] { state->work(); });
}

GitFacts::~GitFacts() { stop(); }

void GitFacts::look(std::vector<std::string> paths, Answer answer) {
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->stopping && state_->looks.size() < kMaxLooks) {
      state_->looks.push_back({std::move(paths), std::move(answer)});
      state_->arrived.notify_one();
      return;
    }
  }
  state_->deliver(
      std::move(answer),
      base::fail(base::ErrorCode::Exhausted,
                 "too many looks at repositories wait for the file system; try again in 2 s",
                 2000));
}

void GitFacts::stop() {
  state_->silent = true;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->looks.clear();
  }
  state_->arrived.notify_one();
  if (state_->thread.joinable()) state_->thread.join();
}

}  // namespace mahavishnu::workers
