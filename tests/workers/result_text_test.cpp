#include "workers/result_text.h"

#include <doctest/doctest.h>

using namespace mahavishnu::workers;
using mahavishnu::domain::OutputStream;
using mahavishnu::domain::TaskResult;

TEST_SUITE("result text") {
  TEST_CASE("runs are printed and read alike, neighbours of one stream joined") {
    std::vector<Run> runs;
    add_run(runs, 'o', 100);
    add_run(runs, 'o', 20);
    add_run(runs, 'e', 15);
    add_run(runs, 'e', 0);
    CHECK(print_runs(runs) == "o120e15");
    CHECK(print_runs(parse_runs("o120e15o3")) == "o120e15o3");
    CHECK(parse_runs("").empty());
  }

  TEST_CASE("each run is made valid by itself, and its length is that of its text") {
    TaskResult result;
    set_text(result,
             "a\xFF"
             "err\xFE"
             "z",
             "o2e4o1");
    CHECK(result.text ==
          "a\xEF\xBF\xBD"
          "err\xEF\xBF\xBD"
          "z");
    CHECK(result.streams == "o4e6o1");
    CHECK(text_of(result, OutputStream::Stdout) == "a\xEF\xBF\xBDz");
    CHECK(text_of(result, OutputStream::Stderr) == "err\xEF\xBF\xBD");
    CHECK(text_of(result, OutputStream::All) == result.text);
  }

  TEST_CASE("what does not fit is missing at the start") {
    TaskResult result;
    const std::string raw = std::string(10, 'a') + std::string(4000, '\xFF') + "end";
    set_text(result, raw, "o10e4000o3");
    CHECK(result.text.size() <= kTextBytes);
    CHECK(result.text.ends_with("end"));
    CHECK(result.text.find('a') == std::string::npos);
    CHECK(text_of(result, OutputStream::Stdout) == "end");
  }
}
