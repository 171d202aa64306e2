#include <doctest/doctest.h>

#include <filesystem>

#include "journal/world.h"

namespace mahavishnu::test {
namespace {

constexpr std::uintmax_t kMega = 1 << 20;

// A commit of about a mebibyte: 256 pages of the log.
Status commit_much(World& world, Ids& ids) {
  return world.commit({TaskAdmitted{queued_task(ids, std::string(kMega, 'x'))}});
}

}  // namespace

TEST_SUITE("Checkpointer") {
  TEST_CASE("while commits go on the log is copied into the file and written over") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    for (int i = 0; i < 500 && world.journal().stats().restarts < 2; ++i) {
      REQUIRE(commit_much(world, ids));
    }
    CHECK(world.journal().stats().checkpoints >= 2);
    CHECK(world.journal().stats().restarts >= 2);
    // What the log held at the first restart, at least, is in the file now.
    CHECK(std::filesystem::file_size(directory.path() / "journal.db") >= 16 * kMega);
  }
}

}  // namespace mahavishnu::test
