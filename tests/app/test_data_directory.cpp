#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/address.h"
#include "app/data_directory.h"
#include "app/scratch.h"
#include "app/secrets.h"

namespace mahavishnu::app {
namespace {

unsigned mode_of(const std::string& path) {
  struct stat facts {};
  REQUIRE(::stat(path.c_str(), &facts) == 0);
  return facts.st_mode & 0777U;
}

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_SUITE("DataDirectory") {
  TEST_CASE("it is made for its owner alone") {
    const Scratch scratch;
    const auto directory = DataDirectory::prepare(scratch.path() + "/a/data", {});
    REQUIRE(directory.has_value());
    CHECK(mode_of(scratch.path() + "/a/data") == 0700);
    CHECK(mode_of(directory->run_folder()) == 0700);
  }

  TEST_CASE("one that others may enter is closed") {
    const Scratch scratch;
    const std::string path = scratch.folder("data");
    ::chmod(path.c_str(), 0755);
    REQUIRE(DataDirectory::prepare(path, {}).has_value());
    CHECK(mode_of(path) == 0700);
  }

  TEST_CASE("a second owner is refused and told the pid of the first") {
    const Scratch scratch;
    auto first = DataDirectory::prepare(scratch.path() + "/data", {});
    auto second = DataDirectory::prepare(scratch.path() + "/data", {});
    REQUIRE(first->lock().has_value());
    const auto refused = second->lock();
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == base::ErrorCode::Conflict);
    CHECK(mentions(refused.error().message, "pid " + std::to_string(::getpid())));
    const auto owner = DataDirectory::owner(scratch.path() + "/data");
    REQUIRE(owner.has_value());
    CHECK(owner->pid == ::getpid());
    CHECK(owner->version == MAHAVISHNU_VERSION);
  }

  TEST_CASE("the lock ends with its owner") {
    const Scratch scratch;
    {
      auto first = DataDirectory::prepare(scratch.path() + "/data", {});
      REQUIRE(first->lock().has_value());
    }
    CHECK_FALSE(DataDirectory::owner(scratch.path() + "/data").has_value());
    auto second = DataDirectory::prepare(scratch.path() + "/data", {});
    CHECK(second->lock().has_value());
  }

  TEST_CASE("a file in its place is an error that names it") {
    const Scratch scratch;
    const auto refused = DataDirectory::prepare(scratch.file("data", "x"), {});
    REQUIRE_FALSE(refused.has_value());
    CHECK(mentions(refused.error().message, "data is not a folder"));
  }

  TEST_CASE("a path too long for a socket moves the socket to the runtime folder") {
    const std::string deep = "/" + std::string(200, 'd');
    CHECK(socket_path("/short", {}) == "/short/mahavishnu.sock");
    CHECK(socket_path(deep, {{"XDG_RUNTIME_DIR", "/run/user/7"}})
              .starts_with("/run/user/7/mahavishnu/"));
    CHECK(socket_path(deep, {}).starts_with("/tmp/mahavishnu-"));
    CHECK(socket_path(deep, {{"XDG_RUNTIME_DIR", deep}}).starts_with("/tmp/mahavishnu-"));
    CHECK(socket_path(deep, {}) != socket_path(deep + "x", {}));
    CHECK(socket_path(deep, {}).size() < 108);
  }
}

TEST_SUITE("token") {
  TEST_CASE("it is made once, for its owner alone, and then read") {
    const Scratch scratch;
    const std::string file = scratch.path() + "/token";
    const auto made = load_or_make_token(file);
    REQUIRE(made.has_value());
    CHECK(made->is_new);
    CHECK(made->text.size() == 43);
    CHECK(mode_of(file) == 0600);
    const auto again = load_or_make_token(file);
    CHECK_FALSE(again->is_new);
    CHECK(again->text == made->text);
    CHECK(*make_token() != *make_token());
  }

  TEST_CASE("one that others may read is refused, with the way out") {
    const Scratch scratch;
    const std::string file = scratch.file("token", std::string(43, 'a') + "\n");
    ::chmod(file.c_str(), 0644);
    const auto refused = load_or_make_token(file);
    REQUIRE_FALSE(refused.has_value());
    CHECK(mentions(refused.error().message, "chmod 600 " + file));
  }

  TEST_CASE("an empty or short one is refused") {
    const Scratch scratch;
    const std::string file = scratch.file("token", "secret\n");
    ::chmod(file.c_str(), 0600);
    CHECK_FALSE(load_or_make_token(file).has_value());
  }

  TEST_CASE("only the token itself matches") {
    const TokenCheck check("the token");
    CHECK(check.matches("the token"));
    CHECK_FALSE(check.matches("the tokem"));
    CHECK_FALSE(check.matches("the toke"));
    CHECK_FALSE(check.matches(""));
  }
}

TEST_SUITE("Address") {
  TEST_CASE("host and port are told apart") {
    CHECK(parse_address("127.0.0.1:8680")->port == 8680);
    CHECK(parse_address("[::1]:80")->host == "::1");
    CHECK(parse_address("[::1]:80")->str() == "[::1]:80");
    CHECK(parse_address(":0")->host == "127.0.0.1");
    CHECK(parse_address("8680")->port == 8680);
    for (const char* wrong :
         {"", "host", "host:", "host:70000", "::1:80", "host:8x", "[[]]:1", "[::1:80", "a]:1"}) {
      CHECK_FALSE(parse_address(wrong).has_value());
    }
  }
  TEST_CASE("what is an address already needs no name service") {
    CHECK(resolved({"192.0.2.1", 80})->str() == "192.0.2.1:80");
    CHECK(resolved({"::1", 80})->str() == "[::1]:80");
    CHECK(resolved({"localhost", 80})->host == "localhost");
  }
  TEST_CASE("loopback is an address, not the look of a name") {
    CHECK(parse_address("127.8.8.8:1")->is_loopback());
    CHECK(parse_address("localhost:1")->is_loopback());
    CHECK(parse_address("[::1]:1")->is_loopback());
    CHECK_FALSE(parse_address("127.example.org:1")->is_loopback());
    CHECK_FALSE(parse_address("0.0.0.0:1")->is_loopback());
  }
}

}  // namespace
}  // namespace mahavishnu::app
