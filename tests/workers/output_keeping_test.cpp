#include "workers/output_keeping.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/workers/world.h"

using namespace mahavishnu::workers;
using namespace mahavishnu::workers::test;
namespace fs = std::filesystem;

namespace {

constexpr Millis kHour{3600000};

// A run directory with outputs of attempts 7-1, 7-2, …, written so many hours ago.
struct Outputs {
  Folder folder;
  std::string run_dir = folder.path().string();
  mahavishnu::base::WallTime now = mahavishnu::base::wall_now();

  Outputs() {
    fs::create_directories(attempts_dir(run_dir));
    fs::create_directories(output_dir(run_dir));
  }
  static std::string mark(std::uint64_t counter) {
    return attempt_mark({{1, counter}}, 1, {7, counter});
  }
  std::string path(std::uint64_t counter) const { return spool_path(run_dir, mark(counter)); }
  void add(std::uint64_t counter, int hours_ago, std::size_t bytes = 10000) const {
    write(path(counter), hours_ago, bytes);
  }
  static void write(const std::string& path, int hours_ago, std::size_t bytes) {
    std::ofstream(path) << std::string(bytes, 'x');
    fs::last_write_time(path, fs::file_time_type::clock::now() - hours_ago * kHour);
  }
  // The attempt runs, or its end is not on the server's disk yet.
  void claim(std::uint64_t counter) const {
    AttemptHeader header;
    header.task = {{1, counter}};
    header.attempt = 1;
    header.fence = {7, counter};
    header.node = "here";
    REQUIRE(AttemptFile::claim(run_dir, header));
  }
  bool there(std::uint64_t counter) const { return fs::exists(path(counter)); }
  Swept sweep(Millis keep, std::uint64_t max_bytes) const {
    return sweep_output(run_dir, {keep, max_bytes}, now);
  }
};

}  // namespace

TEST_SUITE("kept files of output") {
  TEST_CASE("what was written too long ago goes, the rest stays") {
    Outputs outputs;
    outputs.add(1, 30);
    outputs.add(2, 20);
    const Swept swept = outputs.sweep(24 * kHour, 1U << 30U);
    CHECK(swept.files == 1);
    CHECK(swept.bytes == 10000);
    CHECK_FALSE(swept.more);
    CHECK_FALSE(outputs.there(1));
    CHECK(outputs.there(2));
    CHECK(outputs.sweep(24 * kHour, 1U << 30U).files == 0);
  }

  TEST_CASE("of too many bytes the oldest go") {
    Outputs outputs;
    outputs.add(1, 1);
    outputs.add(2, 3);
    outputs.add(3, 2);
    CHECK(outputs.sweep(24 * kHour, 20000).files == 1);
    CHECK_FALSE(outputs.there(2));
    CHECK(outputs.sweep(24 * kHour, 19999).files == 1);
    CHECK_FALSE(outputs.there(3));
    CHECK(outputs.there(1));
  }

  TEST_CASE("an attempt that has its file is not ended, however old and large its output is") {
    Outputs outputs;
    outputs.add(1, 1000, 50000);
    outputs.add(2, 1);
    outputs.claim(1);
    CHECK(outputs.sweep(24 * kHour, 10000).files == 0);
    CHECK(outputs.there(1));
    CHECK(outputs.there(2));
  }

  TEST_CASE("a file that is nobody's output is left alone") {
    Outputs outputs;
    const std::string other = output_dir(outputs.run_dir) + "/notes.txt";
    Outputs::write(other, 1000, 10);
    CHECK(outputs.sweep(kHour, 0).files == 0);
    CHECK(fs::exists(other));
  }

  TEST_CASE("a pass has a bounded number of removals, and says that there are more") {
    Outputs outputs;
    for (std::uint64_t counter = 0; counter < kSweptAtOnce + 2; ++counter) {
      outputs.add(counter, 30, 1);
    }
    Swept swept = outputs.sweep(kHour, 1U << 30U);
    CHECK(swept.files == kSweptAtOnce);
    CHECK(swept.more);
    swept = outputs.sweep(kHour, 1U << 30U);
    CHECK(swept.files == 2);
    CHECK_FALSE(swept.more);
  }

  TEST_CASE("no folder is nothing to do") {
    Folder folder;
    CHECK(sweep_output(folder.path().string(), {}, mahavishnu::base::wall_now()).files == 0);
  }

  TEST_CASE("an executor looks at its start and goes on looking, and leaves what runs alone") {
    Folder folder;
    const std::string run_dir = (folder.path() / "run").string();
    fs::create_directories(output_dir(run_dir));
    const std::string former = spool_path(run_dir, Outputs::mark(99));
    Outputs::write(former, 200, 9000);
    ShellOptions options;
    options.run_dir = run_dir;
    options.executable = zygote_program();
    options.node = "here";
    options.idle = Millis(1);
    options.output.max_bytes = 0;
    options.sweep = Millis(5);
    World world(std::move(options));
    CHECK(world.recover().empty());
    world.until([&] { return !fs::exists(former); });
    Gate gate(folder);
    world.executor->start(shell("yes | head -c 20000; " + gate.wait()));
    world.until_started({7, 1});
    const std::string spool = spool_path(run_dir, mark_of(order_of(1)));
    world.until([&] { return fs::exists(spool); });
    const std::string probe = spool_path(run_dir, Outputs::mark(98));
    Outputs::write(probe, 1, 9000);
    world.until([&] { return !fs::exists(probe); });  // it has looked again
    CHECK(fs::exists(spool));
    gate.open();
    CHECK(world.end_of({7, 1}).result.spool == spool);
    world.executor->release({7, 1});
    world.until([&] { return !fs::exists(spool); });
    std::optional<mahavishnu::base::Result<mahavishnu::domain::OutputChunk>> chunk;
    world.executor->read_spool(spool, OutputStream::All, 0, 100, [&](auto got) { chunk = got; });
    world.until([&] { return chunk.has_value(); });
    CHECK(chunk->error().code == mahavishnu::base::ErrorCode::NotFound);
  }
}
