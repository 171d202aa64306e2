// Reads what git checkouts are at from their files, without starting git.
//
// It knows plain checkouts, linked worktrees, submodules (a `.git` file) and bare repositories,
// loose and packed references (gitrepository-layout(5), gitformat-index is not read: whether a
// checkout is dirty takes a process). What a repository says is untrusted: sizes are bounded, only
// regular files are opened, and a reference never leads outside the repository. One thread of its
// own, so that a hung file system holds up nothing else; at most kMaxLooks wait for it. Answers are
// posted to the executor. Lifetime: stopped before the executor ends.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/asio.h"
#include "domain/git_facts.h"

namespace mahavishnu::workers {

// One look, on the caller's thread.
domain::GitState read_git_state(const std::string& path);

class GitFacts final : public domain::GitFacts {
 public:
  static constexpr std::size_t kMaxLooks = 64;

  explicit GitFacts(asio::any_io_executor executor);
  ~GitFacts() override;

  void look(std::vector<std::string> paths, Answer answer) override;

  // Ends the thread after the look it is at. Idempotent; no answer comes after it.
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace mahavishnu::workers
