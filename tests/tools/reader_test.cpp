#include "tools/reader.h"

#include <doctest/doctest.h>

#include <functional>

using mahavishnu::base::Error;
using mahavishnu::base::ErrorCode;
using mahavishnu::base::Millis;
using mahavishnu::rpc::Json;
using mahavishnu::tools::Reader;
namespace domain = mahavishnu::domain;

namespace {

// What a reader says of `document` after `read` took from it; "" when all is well.
std::string said(const Json& document, const std::function<void(Reader&)>& read,
                 const std::string& path = "") {
  std::optional<Error> problem;
  Reader reader(document, path, problem);
  read(reader);
  const auto good = reader.finish();
  if (!good) CHECK(good.error().code == ErrorCode::InvalidArgument);
  return good ? "" : good.error().message;
}

}  // namespace

TEST_SUITE("Reader") {
  TEST_CASE("what is there is taken, what is not gets its default") {
    const Json document{{"name", "api"}, {"count", 3}, {"on", true}};
    CHECK(said(document, [](Reader& reader) {
            CHECK(reader.text("name") == "api");
            CHECK(reader.integer("count", 7, 0, 10) == 3);
            CHECK(reader.integer("other", 7, 0, 10) == 7);
            CHECK(reader.flag("on"));
            CHECK(reader.number("rate", 0.5, 0, 1) == 0.5);
            CHECK(reader.text("label") == "");
          }) == "");
  }

  TEST_CASE("a wrong type names the path, what was expected and what came") {
    CHECK(said(
              {{"priority", "high"}}, [](Reader& r) { r.integer("priority", 2, 0, 4); },
              "tasks[3]") == "tasks[3].priority: expected an integer from 0 to 4, got \"high\"");
    CHECK(said({{"repo", 5}}, [](Reader& r) { r.text("repo"); }) == "repo: expected a text, got 5");
    CHECK(said({{"on", "yes"}}, [](Reader& r) { r.flag("on"); }) ==
          "on: expected true or false, got \"yes\"");
  }

  TEST_CASE("numbers out of range and fractions are refused, 3.0 is an integer") {
    const auto count = [](Reader& reader) { reader.integer("n", 0, 0, 4); };
    CHECK(said({{"n", 5}}, count) == "n: expected an integer from 0 to 4, got 5");
    CHECK(said({{"n", -1}}, count) != "");
    CHECK(said({{"n", 2.5}}, count) != "");
    CHECK(said({{"n", 1e300}}, count) != "");
    CHECK(said({{"n", 18446744073709551615ULL}}, count) != "");
    CHECK(said({{"n", 3.0}}, [](Reader& reader) { CHECK(reader.integer("n", 0, 0, 4) == 3); }) ==
          "");
  }

  TEST_CASE("an argument nobody asked for is refused with the nearest known one") {
    CHECK(said({{"comand", "ls"}}, [](Reader& reader) { reader.text("command"); }) ==
          "unknown argument \"comand\"; did you mean \"command\"?");
  }

  TEST_CASE("a NUL is refused where a process would lose what follows it") {
    const Json document{{"command", std::string("a\0b", 3)}};
    CHECK(said(document, [](Reader& reader) { reader.text("command"); }) != "");
    CHECK(said(document,
               [](Reader& reader) { CHECK(reader.any_text("command", 9).size() == 3); }) == "");
  }

  TEST_CASE("bounds are bytes, and a long value is not repeated") {
    const std::string long_text(200, 'x');
    CHECK(said({{"name", long_text}}, [](Reader& reader) { reader.text("name"); }) ==
          "name: expected a text of at most 128 bytes, got a text of 200 bytes");
    CHECK(said({{"name", "\xC3\xA4\xC3\xA4"}}, [](Reader& reader) { reader.text("name", 3); }) !=
          "");
  }

  TEST_CASE("maps take names and texts only") {
    const auto read = [](Reader& reader) { reader.map("env", 2, 5); };
    CHECK(said({{"env", {{"A", "1"}}}}, read) == "");
    CHECK(said({{"env", {{"A=B", "1"}}}}, read) != "");
    CHECK(said({{"env", {{"", "1"}}}}, read) != "");
    CHECK(said({{"env", {{"A", 1}}}}, read) ==
          "env.A: expected a text of at most 5 bytes without NUL characters, got 1");
    CHECK(said({{"env", {{"A", "1"}, {"B", "1"}, {"C", "1"}}}}, read) != "");
    CHECK(said({{"env", Json::array()}}, read) != "");
  }

  TEST_CASE("the first problem is the one that is told") {
    const Json document{{"a", 1}, {"b", 2}};
    CHECK(said(document, [](Reader& reader) {
            reader.text("a");
            reader.text("b");
          }) == "a: expected a text, got 1");
  }

  TEST_CASE("a nested object is told by its path") {
    const Json document{{"timeouts", {{"run_ms", -1}}}};
    CHECK(said(document, [](Reader& reader) {
            Reader fields = reader.object("timeouts");
            fields.millis("run_ms", Millis{1}, Millis{100});
            CHECK_FALSE(fields.finish());
          }) == "timeouts.run_ms: expected an integer from 0 to 100, got -1");
  }

  TEST_CASE("what should be an object and is not, is said") {
    CHECK(said(Json::array({1}), [](Reader&) {}) ==
          "arguments: expected an object, got a list of 1");
    CHECK(said(
              "x", [](Reader&) {}, "tasks[0]") == "tasks[0]: expected an object, got \"x\"");
  }

  TEST_CASE("exactly one of several names which came") {
    const auto read = [](Reader& reader) { reader.exactly_one({"task", "batch"}); };
    CHECK(said({{"task", "x"}}, read) == "");
    CHECK(said(Json::object(), read) == "give exactly one of task, batch; none came");
    CHECK(said({{"task", "x"}, {"batch", "y"}}, read) ==
          "give exactly one of task, batch; more than one came");
  }

  TEST_CASE("a closed set of words names them all") {
    const auto read = [](Reader& reader) {
      reader.choice("each", domain::Each::Repo, domain::parse_each, "repo, once");
    };
    CHECK(said({{"each", "once"}}, read) == "");
    CHECK(said({{"each", "twice"}}, read) == "each: expected one of repo, once, got \"twice\"");
    CHECK(said({{"each", ""}}, read) != "");
  }

  TEST_CASE("a time that is none is refused") {
    const auto read = [](Reader& reader) { reader.time("since"); };
    CHECK(said({{"since", "2026-11-21T19:35:55Z"}}, read) == "");
    CHECK(said({{"since", "yesterday"}}, read) != "");
  }
}
