#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/doctor.h"
#include "app/http_tools.h"
#include "app/process.h"
#include "app/scratch.h"
#include "app/welcome.h"
#include "rpc/json.h"

namespace mahavishnu::app {
namespace {

using Grade = Finding::Grade;

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A listening socket on a free port of the loopback.
struct Listener {
  Listener() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(descriptor, generic, size) == 0);
    REQUIRE(::listen(descriptor, 1) == 0);
    REQUIRE(::getsockname(descriptor, generic, &size) == 0);
    port = ntohs(address.sin_port);
  }
  ~Listener() { ::close(descriptor); }
  int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int port = 0;
};

TEST_SUITE("doctor") {
  TEST_CASE("a tool that is missing fails, with the way out") {
    const Scratch scratch;
    CHECK(examine_tool("sh", "/nowhere:/bin", "").text == "/bin/sh");
    const Finding missing = examine_tool("git", scratch.path(), "install it: apt-get install git");
    CHECK(missing.grade == Grade::Fail);
    CHECK(holds(missing.text, "apt-get install git"));
  }

  TEST_CASE("a port that somebody else has is a warning") {
    const Listener taken;
    const Scratch scratch;
    const Finding found = examine_listen("127.0.0.1:" + std::to_string(taken.port), scratch.path());
    CHECK(found.grade == Grade::Warn);
    CHECK(holds(found.text, "choose another"));
    CHECK(examine_listen("127.0.0.1:0", scratch.path()).grade == Grade::Ok);
    CHECK(examine_listen("nonsense", scratch.path()).grade == Grade::Fail);
  }

  TEST_CASE("a data directory that is not there yet will be made") {
    const Scratch scratch;
    const Finding found = examine_data(scratch.path() + "/deep/data");
    CHECK(found.grade == Grade::Ok);
    CHECK(holds(found.text, "will be made"));
    CHECK(examine_data(scratch.file("file", "") + "/data").grade == Grade::Fail);
  }
}

TEST_SUITE("Process") {
  TEST_CASE("it is waited for and seen to end") {
    pid_t child = 0;
    char name[] = "sleep";
    char forever[] = "infinity";
    char* words[] = {name, forever, nullptr};
    REQUIRE(::posix_spawn(&child, "/bin/sleep", nullptr, nullptr, words, environ) == 0);
    auto process = Process::open(child);
    REQUIRE(process.has_value());
    CHECK_FALSE(process->wait(base::Millis(0)));
    CHECK(process->terminate().has_value());
    CHECK(process->wait(base::Millis(20000)));
    ::waitpid(child, nullptr, 0);
    CHECK(Process::open(child).error().code == base::ErrorCode::NotFound);
  }
}

TEST_SUITE("client configuration") {
  TEST_CASE("what is to be pasted is JSON, with the address and the token") {
    const std::string text = client_configuration("http://127.0.0.1:1", "secret");
    const auto start = text.find('{');
    const auto end = text.find("\n}", start) + 2;
    const auto document = rpc::Json::parse(text.substr(start, end - start));
    const auto& server = document["mcpServers"]["mahavishnu"];
    CHECK(server["url"] == "http://127.0.0.1:1/mcp");
    CHECK(server["headers"]["Authorization"] == "Bearer secret");
    CHECK(holds(text, "claude mcp add --transport http mahavishnu http://127.0.0.1:1/mcp"));
  }

  TEST_CASE("without authentication no token is spoken of") {
    CHECK_FALSE(holds(client_configuration("http://127.0.0.1:1", ""), "Bearer"));
  }
}

TEST_SUITE("HTTP tools") {
  TEST_CASE("a URL without a scheme or a host is refused") {
    CHECK(http_tools("http://127.0.0.1:1/mcp", "t").has_value());
    for (const char* wrong : {"", "127.0.0.1:1", "ftp://x", "http://", "http:///mcp"}) {
      CHECK_FALSE(http_tools(wrong, "").has_value());
    }
  }
}

}  // namespace
}  // namespace mahavishnu::app
