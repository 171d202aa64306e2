#include <doctest/doctest.h>

#include "app/hello.h"
#include "app/server_start.h"
#include "rpc/codec.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;

rpc::Json params_of(const std::string& line) {
  const auto message = std::move(rpc::decode(line).messages.front());
  REQUIRE(std::holds_alternative<rpc::Request>(message));
  CHECK(std::get<rpc::Request>(message).method == kHelloMethod);
  return std::get<rpc::Request>(message).params;
}

}  // namespace

TEST_SUITE("app::Hello") {
  TEST_CASE("a hello arrives as it was meant") {
    Hello hello;
    hello.version = "1.2.3";
    hello.read_only = true;
    hello.tools = {"repo_list", "task_get"};
    hello.working_directory = "/home/ada";
    hello.environment = {{"PATH", "/bin"}};
    hello.listen = ListenWish{"127.0.0.1:8680", false};
    hello.make_room = true;
    const auto read = read_hello(params_of(encode_hello(hello)));
    REQUIRE(read);
    CHECK(read->version == "1.2.3");
    CHECK(read->read_only);
    CHECK(read->tools == hello.tools);
    CHECK(read->working_directory == "/home/ada");
    CHECK(read->environment == hello.environment);
    REQUIRE(read->listen);
    CHECK(read->listen->address == "127.0.0.1:8680");
    CHECK_FALSE(read->listen->authenticated);
    CHECK(read->make_room);
  }

  TEST_CASE("members that nobody knows are passed over, wrong ones are told") {
    const auto newer = read_hello({{"version", "9"}, {"colour", "green"}});
    REQUIRE(newer);
    CHECK_FALSE(newer->read_only);
    CHECK_FALSE(newer->listen);
    const auto wrong = read_hello({{"version", 9}});
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().code == ErrorCode::InvalidArgument);
    CHECK_FALSE(read_hello(rpc::Json()));
  }

  TEST_CASE("a welcome arrives as it was meant, a refusal with its code") {
    Welcome welcome;
    welcome.version = "1.0";
    welcome.pid = 12;
    welcome.background = true;
    welcome.queued = 3;
    welcome.settings = {{"log.level", "info"}};
    welcome.listening = "https://127.0.0.1:1";
    const rpc::RequestId id{std::string("h")};
    const auto read = read_welcome(encode_welcome(id, welcome));
    REQUIRE(read);
    CHECK(read->pid == 12);
    CHECK(read->background);
    CHECK_FALSE(read->idle());
    CHECK(read->settings == welcome.settings);
    CHECK(read->listening == "https://127.0.0.1:1");
    const auto refused =
        read_welcome(encode_refusal(id, {ErrorCode::Conflict, "somebody else listens"}));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::Conflict);
    CHECK(refused.error().message == "somebody else listens");
    CHECK(read_welcome("hello yourself").error().code == ErrorCode::Unavailable);
  }

  TEST_CASE("versions are compared by their numbers") {
    CHECK(is_older("0.1.0", "0.2.0"));
    CHECK(is_older("0.9", "0.10"));
    CHECK(is_older("1", "1.0.1"));
    CHECK_FALSE(is_older("0.1.0", "0.1.0"));
    CHECK_FALSE(is_older("1.0", "1"));
    CHECK_FALSE(is_older("2.0", "1.9.9"));
  }

  TEST_CASE("a background server gets settings and the user's own variables, no client's") {
    Config::Sources sources;
    sources.environment = {{"HOME", "/home/ada"},
                           {"PATH", "/bin"},
                           {"LC_ALL", "C"},
                           {"SECRET", "s"},
                           {"MAHAVISHNU_TOKEN", "t"},
                           {"MAHAVISHNU_ATTEMPT", "task_x/1"},
                           {"MAHAVISHNU_REPOS", "r.yaml"}};
    sources.working_folder = "/home/ada/work";
    sources.flags = {{"--log-level", "log.level", "debug"}};
    auto config = Config::load(sources);
    REQUIRE(config);
    const Setup setup{std::move(*config), "/data", "/home/ada/work/r.yaml", true};
    CHECK(server_environment(setup) == Environment{{"HOME", "/home/ada"},
                                                   {"PATH", "/bin"},
                                                   {"LC_ALL", "C"},
                                                   {"MAHAVISHNU_LOG_LEVEL", "debug"},
                                                   {"MAHAVISHNU_REPOS", "/home/ada/work/r.yaml"}});
  }
}

}  // namespace mahavishnu::app
