#include "workers/git_facts.h"

#include <doctest/doctest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

using mahavishnu::domain::GitState;
using mahavishnu::workers::GitFacts;
using mahavishnu::workers::read_git_state;
namespace fs = std::filesystem;

namespace {

const std::string kCommit = "0123456789abcdef0123456789abcdef01234567";
const std::string kOther = "89abcdef0123456789abcdef0123456789abcdef";

// A scratch folder in which a test writes what git would have written.
class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "git_facts_XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    root_ = name;
  }
  ~Scratch() { fs::remove_all(root_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  std::string path(const std::string& name) const { return (root_ / name).string(); }
  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }

 private:
  fs::path root_;
};

}  // namespace

TEST_SUITE("GitFacts") {
  TEST_CASE("a branch and its commit are read from a loose reference") {
    const Scratch scratch;
    scratch.write("repo/.git/HEAD", "ref: refs/heads/feature/one\n");
    scratch.write("repo/.git/refs/heads/feature/one", kCommit + "\n");
    const GitState state = read_git_state(scratch.path("repo"));
    CHECK(state.exists);
    CHECK(state.branch == "feature/one");
    CHECK(state.head == kCommit);
    CHECK(state.problem == "");
  }

  TEST_CASE("a packed reference is found, and not one whose name only begins alike") {
    const Scratch scratch;
    scratch.write("repo/.git/HEAD", "ref: refs/heads/main\n");
    scratch.write("repo/.git/packed-refs", "# pack-refs with: peeled fully-peeled sorted\n" +
                                               kOther + " refs/heads/main-old\n" + kCommit +
                                               " refs/heads/main\n^" + kOther + "\n");
    CHECK(read_git_state(scratch.path("repo")).head == kCommit);
  }

  TEST_CASE("a loose reference wins over a packed one") {
    const Scratch scratch;
    scratch.write("repo/.git/HEAD", "ref: refs/heads/main\n");
    scratch.write("repo/.git/packed-refs", kOther + " refs/heads/main\n");
    scratch.write("repo/.git/refs/heads/main", kCommit + "\n");
    CHECK(read_git_state(scratch.path("repo")).head == kCommit);
  }

  TEST_CASE("a detached HEAD has a commit and no branch") {
    const Scratch scratch;
    scratch.write("repo/.git/HEAD", kCommit + "\n");
    const GitState state = read_git_state(scratch.path("repo"));
    CHECK(state.branch == "");
    CHECK(state.head == kCommit);
  }

  TEST_CASE("a branch without a commit yet has no head and that is no problem") {
    const Scratch scratch;
    scratch.write("repo/.git/HEAD", "ref: refs/heads/main\n");
    const GitState state = read_git_state(scratch.path("repo"));
    CHECK(state.branch == "main");
    CHECK(state.head == "");
    CHECK(state.problem == "");
  }

  TEST_CASE("a linked worktree has its own HEAD and shares the references") {
    const Scratch scratch;
    scratch.write("main/.git/HEAD", "ref: refs/heads/main\n");
    scratch.write("main/.git/refs/heads/topic", kCommit + "\n");
    scratch.write("main/.git/worktrees/wt/HEAD", "ref: refs/heads/topic\n");
    scratch.write("main/.git/worktrees/wt/commondir", "../..\n");
    scratch.write("wt/.git", "gitdir: " + scratch.path("main/.git/worktrees/wt") + "\n");
    const GitState state = read_git_state(scratch.path("wt"));
    CHECK(state.branch == "topic");
    CHECK(state.head == kCommit);
  }

  TEST_CASE("a bare repository is one") {
    const Scratch scratch;
    scratch.write("bare/HEAD", "ref: refs/heads/main\n");
    scratch.write("bare/objects/info/packs", "");
    scratch.write("bare/refs/heads/main", kCommit);
    CHECK(read_git_state(scratch.path("bare")).head == kCommit);
  }

  TEST_CASE("what is not there, and what is no repository, is said") {
    const Scratch scratch;
    scratch.write("plain/file", "x");
    CHECK_FALSE(read_git_state(scratch.path("gone")).exists);
    CHECK(read_git_state(scratch.path("gone")).problem == "the directory is not there");
    CHECK(read_git_state(scratch.path("plain")).exists);
    CHECK(read_git_state(scratch.path("plain")).problem == "not a git repository");
  }

  TEST_CASE("a reference that leads out of the repository is not followed") {
    const Scratch scratch;
    scratch.write("secret", kCommit + "\n");
    scratch.write("repo/.git/HEAD", "ref: refs/../../../secret\n");
    const GitState state = read_git_state(scratch.path("repo"));
    CHECK(state.head == "");
    CHECK(state.problem != "");
  }

  TEST_CASE("references that name each other end") {
    const Scratch scratch;
    scratch.write("repo/.git/HEAD", "ref: refs/heads/a\n");
    scratch.write("repo/.git/refs/heads/a", "ref: refs/heads/b\n");
    scratch.write("repo/.git/refs/heads/b", "ref: refs/heads/a\n");
    CHECK(read_git_state(scratch.path("repo")).head == "");
  }

  TEST_CASE("a FIFO in place of HEAD does not block") {
    const Scratch scratch;
    scratch.write("repo/.git/config", "");
    REQUIRE(::mkfifo(scratch.path("repo/.git/HEAD").c_str(), 0600) == 0);
    CHECK(read_git_state(scratch.path("repo")).problem == "its HEAD cannot be read");
  }

  TEST_CASE("a look answers on the executor, in the order asked") {
    const Scratch scratch;
    scratch.write("repo/.git/HEAD", kCommit);
    asio::io_context context;
    auto work = asio::make_work_guard(context);
    GitFacts facts(context.get_executor());
    std::vector<GitState> states;
    facts.look({scratch.path("gone"), scratch.path("repo")}, [&](auto answer) {
      REQUIRE(answer.has_value());
      states = *answer;
      work.reset();
    });
    CHECK(states.empty());
    context.run();
    REQUIRE(states.size() == 2);
    CHECK_FALSE(states[0].exists);
    CHECK(states[1].head == kCommit);
  }

  TEST_CASE("after stop no answer comes") {
    asio::io_context context;
    GitFacts facts(context.get_executor());
    bool answered = false;
    facts.look({"/"}, [&](auto) { answered = true; });
    facts.stop();
    facts.look({"/"}, [&](auto) { answered = true; });
    context.run();
    CHECK_FALSE(answered);
  }
}
