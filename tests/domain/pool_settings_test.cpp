#include "domain/pool_settings.h"

#include <doctest/doctest.h>

using namespace mahavishnu::domain;

namespace {

PoolSpec calling(PoolSettings settings) {
  PoolSpec spec;
  spec.name = "buddy";
  spec.type = "mcp";
  spec.worker_type = "mcp";
  spec.settings = std::move(settings);
  return spec;
}

PoolSettings at(std::string url) {
  PoolSettings settings;
  settings.url = std::move(url);
  return settings;
}

PoolSettings by(std::vector<std::string> command) {
  PoolSettings settings;
  settings.command = std::move(command);
  return settings;
}

std::string refusal(const PoolSpec& spec) {
  const auto checked = check_settings(spec);
  if (checked) return "";
  CHECK(checked.error().code == ErrorCode::InvalidArgument);
  return checked.error().message;
}

std::string refusal(PoolSettings settings) { return refusal(calling(std::move(settings))); }

bool says(const std::string& message, const char* words) {
  return message.find(words) != std::string::npos;
}

Work command(std::string text) {
  Work work;
  work.command = std::move(text);
  return work;
}

Work tool(std::string name, std::string arguments = "{}") {
  Work work;
  work.tool = std::move(name);
  work.arguments = std::move(arguments);
  return work;
}

}  // namespace

TEST_SUITE("settings of a pool") {
  TEST_CASE("a server by URL or by command is taken") {
    CHECK(refusal(at("http://127.0.0.1:8680/mcp")) == "");
    PoolSettings whole = at("https://tools.example");
    whole.token_file = "/etc/token";
    whole.ca_file = "/etc/ca.pem";
    whole.headers = {{"X-Team", "core"}};
    CHECK(refusal(whole) == "");
    CHECK(refusal(by({"npx", "-y", "some-server", ""})) == "");
  }

  TEST_CASE("exactly one of the two is needed") {
    CHECK(says(refusal(PoolSettings{}), "exactly one of url"));
    PoolSettings both = at("http://host/mcp");
    both.command = {"server"};
    CHECK(says(refusal(both), "exactly one of url"));
  }

  TEST_CASE("type and worker type go together, and settings with type mcp") {
    PoolSpec spec = calling(at("http://host/mcp"));
    spec.worker_type = "shell";
    CHECK(says(refusal(spec), "leave worker_type out"));
    spec.type = "local";
    CHECK(says(refusal(spec), "for pools of type mcp; this is one of type local"));
    spec.settings = {};
    CHECK(refusal(spec) == "");
    spec.worker_type = "mcp";
    CHECK(says(refusal(spec), "leave worker_type out"));
  }

  TEST_CASE("a URL that is none, or holds a secret, is refused") {
    CHECK(says(refusal(at("ftp://host/mcp")), "settings.url: expected http://"));
    CHECK(says(refusal(at("host:8680")), "settings.url: expected http://"));
    CHECK(says(refusal(at("http:///mcp")), "names no host"));
    CHECK(says(refusal(at("https://:443/mcp")), "names no host"));
    CHECK(says(refusal(at("http://host/a b")), "is no URL"));
    CHECK(says(refusal(at("http://ada:secret@host/mcp")), "token_file"));
    CHECK(says(refusal(at("http://host/mcp?key=secret")), "token_file"));
    CHECK(says(refusal(at("http://host/mcp#x")), "token_file"));
  }

  TEST_CASE("a command that names nothing is refused") {
    CHECK(says(refusal(by({""})), "names no program"));
    CHECK(says(refusal(by({"server", std::string("a\0b", 3)})), "NUL"));
    CHECK(says(refusal(by({"server", std::string(5000, 'x')})), "longer than 4096"));
    CHECK(says(refusal(by(std::vector<std::string>(300, "x"))), "at most 256"));
    PoolSettings mixed = by({"server"});
    mixed.token_file = "/etc/token";
    CHECK(says(refusal(mixed), "go with url"));
  }

  TEST_CASE("files are named by absolute paths") {
    PoolSettings settings = at("http://host/mcp");
    settings.token_file = "token";
    CHECK(says(refusal(settings), "settings.token_file: expected an absolute path, got \"token\""));
    settings.token_file.clear();
    settings.ca_file = "/etc/ca.pem";
    CHECK(says(refusal(settings), "settings.ca_file: it goes with a url of https"));
  }

  TEST_CASE("headers that are none, secret or the protocol's own are refused") {
    const auto with = [](const char* name, const char* value) {
      PoolSettings settings = at("http://host/mcp");
      settings.headers = {{name, value}};
      return refusal(settings);
    };
    CHECK(with("X-Team", "core, and more") == "");
    CHECK(says(with("X Team", "core"), "is no header's name"));
    CHECK(says(with("", "core"), "is no header's name"));
    CHECK(says(with("X-Team", "a\r\nX-Other: b"), "line break"));
    CHECK(says(with("Authorization", "Bearer x"), "token_file"));
    CHECK(says(with("Content-Length", "3"), "set by the protocol"));
    CHECK(says(with("MCP-Session-Id", "3"), "set by the protocol"));
  }
}

TEST_SUITE("work and the pools that can do it") {
  TEST_CASE("work says once what to run") {
    CHECK(check_work(command("make")));
    CHECK(check_work(tool("search")));
    CHECK(check_work(Work{}).error().message == "give exactly one of command, argv and tool");
    Work both = tool("search");
    both.argv = {"make"};
    CHECK_FALSE(check_work(both));
    Work stray = command("make");
    stray.arguments = "{}";
    CHECK(check_work(stray).error().message == "arguments go with a tool");
    Work fed = tool("search");
    fed.stdin_text = "words";
    CHECK(says(check_work(fed).error().message, "a tool takes arguments"));
  }

  TEST_CASE("tools go to pools of type mcp, and nothing else does") {
    PoolSpec shell;
    shell.name = "default";
    const PoolSpec buddy = calling(at("http://host/mcp"));
    CHECK(check_fit(command("make"), shell, {}));
    CHECK(check_fit(tool("search"), buddy, {"buddy"}));
    CHECK(check_fit(command("make"), buddy, {}).error().message ==
          "pool \"buddy\" calls tools of an MCP server; give tool and arguments, or another pool");
    CHECK(check_fit(tool("search"), shell, {"buddy"}).error().message ==
          "pool \"default\" runs commands; tool \"search\" needs a pool of type mcp: \"buddy\"");
    CHECK(says(check_fit(tool("search"), shell, {}).error().message, "make one with pool_spawn"));
  }

  TEST_CASE("a long list of names is cut") {
    CHECK(listed({"a", "b", "c", "d", "e", "f", "g"}) ==
          "\"a\", \"b\", \"c\", \"d\", \"e\" and 2 more");
  }
}
