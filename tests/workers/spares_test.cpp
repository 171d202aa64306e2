#include "workers/spares.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/workers/proc.h"
#include "tests/workers/world.h"

using namespace mahavishnu::workers;
using namespace mahavishnu::workers::test;
namespace fs = std::filesystem;

namespace {

// The folders of a run directory, and attempt files as a shim leaves them.
struct Files {
  Folder folder;
  std::string run_dir = folder.path().string();
  Files() { fs::create_directories(attempts_dir(run_dir)); }
  static AttemptHeader header(std::uint64_t counter) {
    AttemptHeader header;
    header.fence = {7, counter};
    header.node = "here";
    return header;
  }
  // Claimed, ended and cleared; the spare that is left.
  std::string spare(std::uint64_t counter) {
    auto file = AttemptFile::claim(run_dir, header(counter));
    AttemptEnded end;
    end.fence = {7, counter};
    end.result.text = std::string(500, 'x');
    REQUIRE(file->write_end(end));
    return clear_attempt(run_dir, {{7, counter}, "", Fence{7, counter}}, false);
  }
  std::string path(std::uint64_t counter) { return attempt_path(run_dir, {7, counter}); }
};

}  // namespace

TEST_SUITE("spares") {
  TEST_CASE("a released attempt's file becomes the next one's, with nothing of the first in it") {
    Files files;
    const std::string spare = files.spare(1);
    const ino_t inode = inode_of(spare_path(files.run_dir, spare));
    REQUIRE(inode != 0);
    auto claimed = AttemptFile::claim(files.run_dir, Files::header(2), spare);
    REQUIRE(claimed);
    CHECK(inode_of(files.path(2)) == inode);
    CHECK_FALSE(fs::exists(spare_path(files.run_dir, spare)));
    auto state = read_attempt(files.path(2));
    REQUIRE(state);
    CHECK(state->header.fence == Fence{7, 2});
    CHECK(state->alive);
    CHECK_FALSE(state->end);
    AttemptEnded end;
    end.fence = {7, 2};
    end.exit_code = 3;
    REQUIRE(claimed->write_end(end));
    CHECK(read_attempt(files.path(2))->end->exit_code == 3);
  }

  TEST_CASE("of two shims with one fence one gets it, spare or not") {
    Files files;
    const std::string spare = files.spare(1);
    const auto first = AttemptFile::claim(files.run_dir, Files::header(2));
    REQUIRE(first);
    const auto second = AttemptFile::claim(files.run_dir, Files::header(2), spare);
    REQUIRE_FALSE(second);
    CHECK(second.error().code == mahavishnu::base::ErrorCode::Conflict);
    CHECK(read_attempt(files.path(2))->alive);
    CHECK_FALSE(fs::exists(spare_path(files.run_dir, spare)));
  }

  TEST_CASE("a spare whose last shim has not quite ended is left alone") {
    Files files;
    const std::string spare = files.spare(1);
    const Descriptor holder(::open(spare_path(files.run_dir, spare).c_str(), O_RDONLY | O_CLOEXEC));
    const ino_t inode = inode_of(spare_path(files.run_dir, spare));
    REQUIRE(::flock(holder.get(), LOCK_EX | LOCK_NB) == 0);
    REQUIRE(AttemptFile::claim(files.run_dir, Files::header(2), spare));
    CHECK(inode_of(files.path(2)) != inode);
    CHECK_FALSE(fs::exists(spare_path(files.run_dir, spare)));
  }

  TEST_CASE("a spare that has gone is made up for by a new file") {
    Files files;
    REQUIRE(AttemptFile::claim(files.run_dir, Files::header(2), "7-1"));
    CHECK(read_attempt(files.path(2))->header.fence == Fence{7, 2});
  }

  TEST_CASE("what nobody claimed can be given again") {
    Files files;
    const std::string spare = files.spare(1);
    CHECK(clear_attempt(files.run_dir, {{7, 2}, spare, Fence{7, 2}}, false) == spare);
    CHECK(clear_attempt(files.run_dir, {{7, 3}, spare, Fence{7, 3}}, true).empty());
    CHECK_FALSE(fs::exists(spare_path(files.run_dir, spare)));
  }

  TEST_CASE("only an empty scratch folder is kept") {
    Files files;
    for (const std::uint64_t counter : {1, 2}) {
      REQUIRE(AttemptFile::claim(files.run_dir, Files::header(counter)));
      fs::create_directory(scratch_path(files.run_dir, {7, counter}));
    }
    std::ofstream(scratch_path(files.run_dir, {7, 2}) + "/left") << "secret";
    const std::string empty = clear_attempt(files.run_dir, {{7, 1}, "", Fence{7, 1}}, false);
    const std::string full = clear_attempt(files.run_dir, {{7, 2}, "", Fence{7, 2}}, false);
    CHECK(fs::exists(spare_scratch_path(files.run_dir, empty)));
    CHECK_FALSE(fs::exists(spare_scratch_path(files.run_dir, full)));
    CHECK_FALSE(fs::exists(scratch_path(files.run_dir, {7, 1})));
    CHECK_FALSE(fs::exists(scratch_path(files.run_dir, {7, 2})));
  }

  TEST_CASE("what stands where a folder was is not taken for one") {
    Files files;
    const std::string run_dir = files.run_dir;
    fs::create_directory_symlink("/tmp", run_dir + "/from");
    CHECK_FALSE(use_folder(run_dir + "/from", run_dir + "/to"));
    CHECK_FALSE(use_folder(run_dir + "/missing", run_dir + "/to"));
    CHECK_FALSE(fs::exists(fs::symlink_status(run_dir + "/to")));
  }

  TEST_CASE("a folder is empty without so much as a hidden file") {
    Files files;
    const std::string path = files.run_dir + "/some";
    CHECK_FALSE(is_empty_folder(open_folder(path).get()));
    fs::create_directory(path);
    CHECK(is_empty_folder(open_folder(path).get()));
    std::ofstream(path + "/.hidden") << "x";
    CHECK_FALSE(is_empty_folder(open_folder(path).get()));
    fs::remove(path + "/.hidden");
    CHECK(is_empty_folder(open_folder(path).get()));
    fs::create_directory_symlink(path, files.run_dir + "/link");
    CHECK_FALSE(is_empty_folder(open_folder(files.run_dir + "/link").get()));
  }

  TEST_CASE("with spares enough nothing of an attempt is kept") {
    Files files;
    REQUIRE(AttemptFile::claim(files.run_dir, Files::header(1)));
    CHECK(clear_attempt(files.run_dir, {{7, 1}, "", Fence{7, 1}}, true).empty());
    CHECK(fs::is_empty(attempts_dir(files.run_dir)));
  }

  TEST_CASE("spares of a former life are found, and those above the limit removed") {
    Files files;
    for (std::uint64_t counter = 1; counter <= 5; ++counter) files.spare(counter);
    CHECK(find_spares(files.run_dir, 3).size() == 3);
    CHECK(find_spares(files.run_dir, 5).size() == 3);
  }

  TEST_CASE(
      "an executor's attempts find their scratch folder empty and their own, time after time") {
    Ready ready;
    const std::string run_dir = (ready.folder.path() / "run").string();
    for (std::uint64_t counter = 1; counter <= 6; ++counter) {
      auto order = shell(
          "ls -A; stat -c %a .; test $(($MAHAVISHNU_ATTEMPT_PARITY)) = 0 && "
          "touch left; chmod 500 .",
          counter);
      order.work.env["MAHAVISHNU_ATTEMPT_PARITY"] = std::to_string(counter % 2);
      order.cwd.clear();
      CHECK(ready.world.run(order).result.text == "700\n");
      ready.world.executor->release(order.fence);
      ready.world.until([&] { return !find_spares(run_dir, 9).empty(); });
    }
  }
}
