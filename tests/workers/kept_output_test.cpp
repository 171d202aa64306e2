#include "workers/kept_output.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

#include "tests/workers/world.h"

using namespace mahavishnu::workers;
using mahavishnu::workers::test::Folder;

namespace {

struct Kept {
  Folder folder;
  std::string path = (folder.path() / "spool").string();
  KeptOutput output;
  explicit Kept(std::uint64_t limit = 0) : output(path, limit) {}

  std::string live(OutputStream view) { return output.read(view, 0, 1U << 20U).raw; }
  mahavishnu::domain::TaskResult finish() {
    mahavishnu::domain::TaskResult result;
    output.finish(result);
    return result;
  }
  std::string spooled(OutputStream view) { return read_spool(path, view, 0, 1U << 20U)->raw; }
};

}  // namespace

TEST_SUITE("KeptOutput") {
  TEST_CASE("small output stays in memory and needs no file") {
    Kept kept;
    kept.output.add(Tag::Stdout, "hello");
    const auto result = kept.finish();
    CHECK(result.text == "hello");
    CHECK(result.spool.empty());
    CHECK_FALSE(result.truncated);
    CHECK_FALSE(std::filesystem::exists(kept.path));
  }

  TEST_CASE("the streams can be told apart, and all is in the order it came") {
    Kept kept;
    kept.output.add(Tag::Stdout, "a");
    kept.output.add(Tag::Stderr, "b");
    kept.output.add(Tag::Stdout, "c");
    CHECK(kept.live(OutputStream::All) == "abc");
    CHECK(kept.live(OutputStream::Stdout) == "ac");
    CHECK(kept.live(OutputStream::Stderr) == "b");
    const auto result = kept.finish();
    CHECK(result.spool.empty());
    CHECK(result.streams == "o1e1o1");
  }

  TEST_CASE("more than 8 KiB goes to the spool, and the text is its end") {
    Kept kept;
    std::string all;
    for (int i = 0; i < 3000; ++i) {
      const std::string line = std::to_string(i) + "\n";
      kept.output.add(i % 2 == 0 ? Tag::Stdout : Tag::Stderr, line);
      all += line;
    }
    CHECK(kept.live(OutputStream::All) == all);
    const auto result = kept.finish();
    CHECK(result.truncated);
    CHECK(result.text == all.substr(all.size() - 8192));
    CHECK(kept.spooled(OutputStream::All) == all);
  }

  TEST_CASE("offsets count bytes of the view, negative ones from its end") {
    Kept kept;
    for (int i = 0; i < 20000; ++i) kept.output.add(i % 2 == 0 ? Tag::Stdout : Tag::Stderr, "xy");
    kept.output.add(Tag::Stderr, "END");
    CHECK(kept.output.read(OutputStream::Stdout, 19990, 100).raw == "xyxyxyxyxy");
    CHECK(kept.output.read(OutputStream::Stderr, -1, 5).raw == "xyEND");
    CHECK(kept.output.read(OutputStream::Stderr, 20000, 2).raw == "EN");
    CHECK_FALSE(kept.output.read(OutputStream::Stderr, 20000, 2).at_end);
    CHECK(kept.output.read(OutputStream::Stderr, 99999, 5).at_end);
    kept.finish();
    CHECK(read_spool(kept.path, OutputStream::Stderr, -1, 5)->raw == "xyEND");
    CHECK(read_spool(kept.path, OutputStream::Stdout, 19998, 99)->raw == "xy");
  }

  TEST_CASE("over the limit, head and tail are kept and the gap is told and counted") {
    Kept kept(100);
    kept.output.add(Tag::Stdout, std::string(60, 'h'));
    kept.output.add(Tag::Stdout, std::string(1000, '.'));
    kept.output.add(Tag::Stdout, std::string(50, 't'));
    const std::string wanted =
        std::string(50, 'h') + "\n[… 1010 bytes cut …]\n" + std::string(50, 't');
    CHECK(kept.live(OutputStream::All) == wanted);
    const auto result = kept.finish();
    CHECK(result.text == wanted);
    CHECK(result.output_bytes == 1110);
    CHECK(result.dropped_bytes == 1010);
    CHECK(result.truncated);
  }

  TEST_CASE("what was cut is counted for each stream") {
    Kept kept(20000);
    kept.output.add(Tag::Stderr, "warning\n");
    for (int i = 0; i < 10000; ++i) kept.output.add(Tag::Stdout, "0123456789");
    kept.finish();
    CHECK(kept.spooled(OutputStream::Stderr) == "warning\n");
    CHECK(read_spool(kept.path, OutputStream::Stderr, 0, 99)->dropped == 0);
    CHECK(read_spool(kept.path, OutputStream::Stdout, 0, 99)->dropped == 80008);
  }

  TEST_CASE("the kept size is the limit, whatever was written in whatever pieces") {
    for (const std::size_t piece : {1U, 7U, 4096U, 65536U, 200000U}) {
      Kept kept(300000);
      std::string all;
      for (std::size_t i = 0; all.size() < 1000000; ++i) {
        const std::string part(piece, static_cast<char>('a' + i % 26));
        kept.output.add(Tag::Stdout, part);
        all += part;
      }
      const auto result = kept.finish();
      const std::string whole = kept.spooled(OutputStream::All);
      const std::string line = "\n[… " + std::to_string(all.size() - 300000) + " bytes cut …]\n";
      CHECK(whole == all.substr(0, 300000 - 65536) + line + all.substr(all.size() - 65536));
      CHECK(result.dropped_bytes == all.size() - 300000);
    }
  }

  TEST_CASE("a spool that cannot be written costs the head, not the end") {
    KeptOutput output("/nonexistent/spool", 0);
    output.add(Tag::Stdout, std::string(20000, 'a'));
    output.add(Tag::Stdout, "the end");
    mahavishnu::domain::TaskResult result;
    output.finish(result);
    CHECK(result.text.ends_with("the end"));
    CHECK(result.spool.empty());
    CHECK(result.dropped_bytes == 20007 - result.text.size());
  }

  TEST_CASE("a spool that is gone is not found") {
    const auto slice = read_spool("/nonexistent/spool", OutputStream::All, 0, 10);
    REQUIRE_FALSE(slice.has_value());
    CHECK(slice.error().code == mahavishnu::base::ErrorCode::NotFound);
  }
}
