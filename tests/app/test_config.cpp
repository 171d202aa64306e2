#include <doctest/doctest.h>

#include <chrono>

#include "app/config.h"
#include "app/scratch.h"

namespace mahavishnu::app {
namespace {

using base::Millis;

Config::Sources sources(std::string file = "") {
  Config::Sources given;
  given.file = std::move(file);
  given.environment = {{"HOME", "/home/ada"}};
  given.working_folder = "/work";
  return given;
}

std::string fault(const Config::Sources& given) {
  const auto config = Config::load(given);
  REQUIRE_FALSE(config.has_value());
  return config.error().message;
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_SUITE("settings") {
  TEST_CASE("sizes are bytes with an optional unit") {
    CHECK(parse_size("4MiB") == 4194304);
    CHECK(parse_size("64 KiB") == 65536);
    CHECK(parse_size("2MB") == 2000000);
    CHECK(parse_size("17") == 17);
    for (const char* wrong : {"", "4XB", "-1", "1.5MiB", "MiB", "99999999999GiB"}) {
      CHECK_FALSE(parse_size(wrong).has_value());
    }
  }
  TEST_CASE("durations are milliseconds with an optional unit") {
    CHECK(parse_duration("30s") == 30000);
    CHECK(parse_duration("500ms") == 500);
    CHECK(parse_duration("2h") == 7200000);
    CHECK(parse_duration("1500") == 1500);
    for (const char* wrong : {"", "s", "3 weeks", "-2s", "1.5s"}) {
      CHECK_FALSE(parse_duration(wrong).has_value());
    }
  }
  TEST_CASE("every default is a value of its own setting") {
    const auto config = Config::load(sources());
    REQUIRE_MESSAGE(config.has_value(), config.error().message);
    CHECK(config->number("http.max_body_bytes") == 4194304);
    CHECK(config->duration("shutdown.grace_ms") == Millis(30000));
    CHECK(config->list("work.env_allow").size() == 9);
    CHECK(config->text("data").empty());
  }
}

TEST_SUITE("Config") {
  TEST_CASE("the file overrides the default, a variable the file, a flag the variable") {
    const Scratch scratch;
    auto given =
        sources(scratch.file("config.yaml", "http:\n  listen: 127.0.0.1:1\nlog:\n  level: warn\n"));
    CHECK(Config::load(given)->text("http.listen") == "127.0.0.1:1");
    CHECK(Config::load(given)->value("http.listen").origin == scratch.path() + "/config.yaml:2:11");
    given.environment["MAHAVISHNU_HTTP_LISTEN"] = "127.0.0.1:2";
    CHECK(Config::load(given)->text("http.listen") == "127.0.0.1:2");
    CHECK(Config::load(given)->value("http.listen").origin == "MAHAVISHNU_HTTP_LISTEN");
    given.flags.push_back({"--http", "http.listen", "127.0.0.1:3"});
    CHECK(Config::load(given)->text("http.listen") == "127.0.0.1:3");
    CHECK(Config::load(given)->value("http.listen").origin == "--http");
    CHECK(Config::load(given)->text("log.level") == "warn");
  }

  TEST_CASE("an unknown key is an error that names its place and the nearest known one") {
    const Scratch scratch;
    const auto text = fault(sources(scratch.file("c.yaml", "http:\n  listn: 127.0.0.1:1\n")));
    CHECK(holds(text, "c.yaml:2:3"));
    CHECK(holds(text, "unknown key http.listn; did you mean http.listen?"));
  }

  TEST_CASE("an unknown section is told the nearest section") {
    const Scratch scratch;
    CHECK(holds(fault(sources(scratch.file("c.yaml", "shutdwn:\n  grace_ms: 1\n"))),
                "did you mean shutdown?"));
  }

  TEST_CASE("an unknown variable is an error that names the nearest known one") {
    auto given = sources();
    given.environment["MAHAVISHNU_HTTP_LISTN"] = "127.0.0.1:2";
    CHECK(holds(fault(given),
                "unknown variable MAHAVISHNU_HTTP_LISTN; did you mean MAHAVISHNU_HTTP_LISTEN?"));
  }

  TEST_CASE("inside a task the variables the server gave to the work are no error") {
    auto given = sources();
    given.environment["MAHAVISHNU_ATTEMPT"] = "1";
    given.environment["MAHAVISHNU_SOMETHING_NEW"] = "1";
    CHECK(Config::load(given).has_value());
  }

  TEST_CASE("broken YAML is told by file and line") {
    const Scratch scratch;
    const auto text = fault(sources(scratch.file("c.yaml", "http:\n  listen: [1,\nlog: }\n")));
    CHECK(holds(text, "c.yaml:3:"));
    CHECK(holds(text, "not YAML"));
  }

  TEST_CASE("a value of the wrong kind is told what was expected") {
    const Scratch scratch;
    CHECK(holds(fault(sources(scratch.file("a.yaml", "http:\n  max_body_bytes: many\n"))),
                "http.max_body_bytes: \"many\" is not a size such as 4MiB"));
    CHECK(holds(fault(sources(scratch.file("b.yaml", "log:\n  level: loud\n"))),
                "is not one of trace|debug|info|warn|error|off"));
    CHECK(holds(fault(sources(scratch.file("c.yaml", "http:\n  listen: [a]\n"))), "found a list"));
    CHECK(holds(fault(sources(scratch.file("d.yaml", "http: 7\n"))), "expected a map of settings"));
  }

  TEST_CASE("all faults are told at once") {
    const Scratch scratch;
    const auto text = fault(sources(scratch.file("c.yaml", "nonsense: 1\nlog:\n  level: loud\n")));
    CHECK(holds(text, "nonsense"));
    CHECK(holds(text, "loud"));
  }

  TEST_CASE("a key given twice is an error") {
    const Scratch scratch;
    CHECK(holds(fault(sources(scratch.file("c.yaml", "log.level: info\nlog:\n  level: warn\n"))),
                "set twice"));
  }

  TEST_CASE("a missing file matters only when it was named") {
    auto given = sources("/nowhere/config.yaml");
    CHECK(Config::load(given).has_value());
    given.file_required = true;
    CHECK(holds(fault(given), "/nowhere/config.yaml"));
  }

  TEST_CASE("paths are taken from where they are written") {
    const Scratch scratch;
    auto given = sources(scratch.file("c.yaml", "data: state\nallowed_paths: [~/a, /b/../c]\n"));
    CHECK(Config::load(given)->text("data") == scratch.path() + "/state");
    CHECK(Config::load(given)->list("allowed_paths") ==
          std::vector<std::string>{"/home/ada/a", "/c"});
    given.environment["MAHAVISHNU_DATA"] = "here";
    CHECK(Config::load(given)->text("data") == "/work/here");
  }

  TEST_CASE("aliases of aliases do not explode") {
    const Scratch scratch;
    std::string text = "http: &a0 {x: 1}\n";
    for (int i = 1; i <= 40; ++i) {
      const std::string below = "*a" + std::to_string(i - 1);
      text += "k" + std::to_string(i) + ": &a" + std::to_string(i) + " {x: " + below +
              ", y: " + below + "}\n";
    }
    text += "pools: {default: *a40}\n" + std::string(5'000'000, '#') + "\n";
    CHECK(holds(fault(sources(scratch.file("c.yaml", text))), "unknown key"));
  }

  TEST_CASE("deeply nested YAML is refused") {
    const Scratch scratch;
    CHECK(holds(fault(sources(scratch.file("c.yaml", std::string(100'000, '[')))), "c.yaml"));
  }
}

}  // namespace
}  // namespace mahavishnu::app
