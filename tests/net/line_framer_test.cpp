#include "net/line_framer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using mahavishnu::net::LineFramer;

namespace {

// Feeds `text` in pieces of `step` bytes; a line over the limit shows as "TOO LONG".
std::vector<std::string> frame(LineFramer& framer, std::string_view text, std::size_t step,
                               bool finish = true) {
  std::vector<std::string> lines;
  const auto collect = [&] {
    std::string_view line;
    for (;;) {
      const auto found = framer.next(line);
      if (found == LineFramer::Found::Nothing) return;
      lines.push_back(found == LineFramer::Found::Line ? std::string(line) : "TOO LONG");
    }
  };
  while (!text.empty()) {
    const auto space = framer.space();
    const auto bytes = std::min({step, text.size(), space.size()});
    std::copy_n(text.begin(), bytes, space.begin());
    framer.received(bytes);
    text.remove_prefix(bytes);
    collect();
  }
  if (finish) framer.finish();
  collect();
  return lines;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_SUITE("net::LineFramer") {
  TEST_CASE("lines come out alike however the bytes arrive") {
    for (const std::size_t step : {1u, 2u, 3u, 7u, 1000u}) {
      LineFramer framer(100);
      CHECK(frame(framer, "{\"a\":1}\n{}\r\n\n \r\n\t\nlast", step) ==
            Lines{"{\"a\":1}", "{}", "last"});
    }
  }

  TEST_CASE("without newline a line waits for its end") {
    LineFramer framer(100);
    CHECK(frame(framer, "half", 100, false).empty());
    CHECK(frame(framer, " done\n", 100, false) == Lines{"half done"});
  }

  TEST_CASE("a line exactly at the limit passes, one byte more is skipped to its newline") {
    for (const std::size_t step : {1u, 5u, 1000u}) {
      LineFramer framer(10);
      CHECK(frame(framer, "0123456789\n0123456789\r\n0123456789x\nnext\n", step) ==
            Lines{"0123456789", "0123456789", "TOO LONG", "next"});
    }
  }

  TEST_CASE("an oversized last line without newline is told as well") {
    LineFramer framer(10);
    CHECK(frame(framer, "ok\n" + std::string(100, 'x'), 8) == Lines{"ok", "TOO LONG"});
  }

  TEST_CASE("a huge line is not kept") {
    LineFramer framer(1000);
    const auto lines = frame(framer, std::string(10 << 20, 'x') + "\nafter\n", 64 * 1024);
    CHECK(lines == Lines{"TOO LONG", "after"});
    CHECK(framer.space().size() <= 64 * 1024);
  }

  TEST_CASE("a long line is delivered whole and its memory given back") {
    LineFramer framer(4 << 20);
    const std::string longest(4 << 20, 'y');
    CHECK(frame(framer, longest + "\n", 64 * 1024) == Lines{longest});
    CHECK(framer.space().size() <= 64 * 1024);
  }

  TEST_CASE("nothing at all is the end at once") {
    LineFramer framer(10);
    CHECK(frame(framer, "", 1).empty());
    CHECK(frame(framer, "\n\r\n", 1).empty());
  }
}
