#include <doctest/doctest.h>

#include "app/command_line.h"
#include "app/verbs.h"

namespace mahavishnu::app {
namespace {

const Verb kVerb = {"do",
                    "do WORD",
                    "Does it",
                    "",
                    1,
                    true,
                    {{"http", "HOST:PORT", "where", "http.listen"},
                     {"log-level", "L", "how loud", "log.level"},
                     {"repo", "N", "which"},
                     {"all", nullptr, "every one"}},
                    nullptr};

using Words = std::vector<std::string>;

std::string fault(const Words& words) {
  const auto arguments = CommandLine::parse(kVerb, words);
  REQUIRE_FALSE(arguments.has_value());
  return arguments.error().message;
}

TEST_SUITE("CommandLine") {
  TEST_CASE("flags, words and the command are told apart") {
    const auto arguments = CommandLine::parse(kVerb, {"--repo", "a,b", "{\"x\":1,\"y\":2}", "--all",
                                                      "--repo=c", "--", "ls", "--all", "--"});
    REQUIRE(arguments.has_value());
    CHECK(arguments->has("all"));
    CHECK_FALSE(arguments->has("http"));
    CHECK(arguments->values("repo") == Words{"a", "b", "c"});
    CHECK(arguments->words() == Words{"{\"x\":1,\"y\":2}"});
    CHECK(arguments->command() == Words{"ls", "--all", "--"});
  }

  TEST_CASE("a flag that stands for a setting overrides it") {
    const auto arguments = CommandLine::parse(kVerb, {"--http", "127.0.0.1:1"});
    REQUIRE(arguments->settings().size() == 1);
    CHECK(arguments->settings().front().key == "http.listen");
    CHECK(arguments->settings().front().text == "127.0.0.1:1");
  }

  TEST_CASE("an unknown flag is told the nearest known one") {
    CHECK(fault({"--htpp", "x"}) == "unknown flag --htpp; did you mean --http?");
    CHECK(fault({"--htpp=x"}) == "unknown flag --htpp=x; did you mean --http?");
    CHECK(fault({"-z"}).starts_with("unknown flag -z"));
  }

  TEST_CASE("a flag without its value, a word too many and a bad value are errors") {
    CHECK(fault({"--http"}).find("http") != std::string::npos);
    CHECK(fault({"one", "two"}) == "unexpected word \"two\"");
    CHECK(fault({"--log-level", "loud"}).find("one of trace|debug") != std::string::npos);
  }

  TEST_CASE("not understood is exit code 2, help is 0") {
    const CommandLine line = command_line();
    CHECK(line.run({}) == 2);
    CHECK(line.run({"dance"}) == 2);
    CHECK(line.run({"version", "--nonsense"}) == 2);
    CHECK(line.run({"repos"}) == 2);
    CHECK(line.run({"--help"}) == 0);
    CHECK(line.run({"help", "repos"}) == 0);
    CHECK(line.run({"doctor", "--help"}) == 0);
  }

  TEST_CASE("help names every verb and every flag") {
    CHECK(command_line().help().find("doctor") != std::string::npos);
    CHECK(CommandLine::help(kVerb).find("--log-level L") != std::string::npos);
  }
}

}  // namespace
}  // namespace mahavishnu::app
