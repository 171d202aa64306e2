#include "app/recording.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <sstream>

#include "net/memory_connection.h"
#include "scratch.h"
#include "support/memory_exchange.h"

namespace mahavishnu::app {
namespace {

using rpc::Json;

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::unique_ptr<TranscriptFile> file_in(const Scratch& scratch, TranscriptLimits limits = {}) {
  auto file = TranscriptFile::create(scratch.path() + "/talk.jsonl", limits);
  REQUIRE(file);
  return std::move(*file);
}

// What one message becomes in the file.
std::string line_for(const std::string& text) {
  const Scratch scratch;
  file_in(scratch)->add({"in", text});
  const auto lines = lines_of(scratch.path() + "/talk.jsonl");
  REQUIRE(lines.size() == 1);
  return lines.front();
}

// A recording of what the test does with it, without its first line.
class Recorded {
 public:
  Recorded() : recording(open()) {}

  std::vector<Json> end() {
    recording.reset();
    std::vector<Json> documents;
    for (const auto& line : lines_of(scratch_.path() + "/talk.jsonl")) {
      documents.push_back(Json::parse(line));
    }
    REQUIRE(documents.size() > 0);
    first = documents.front();
    documents.erase(documents.begin());
    return documents;
  }

  Json first;

 private:
  Scratch scratch_;
  std::unique_ptr<Recording> open() {
    Config::Sources sources;
    sources.environment = {{"MAHAVISHNU_WORK_LEASE_MS", "5s"},
                           {"MAHAVISHNU_HTTP_ALLOWED_HOSTS", "private.example"}};
    const auto config = Config::load(sources);
    REQUIRE(config);
    mcp::View view;
    view.read_only = true;
    view.tools = {"pool_list", "task_get"};
    return std::make_unique<Recording>(file_in(scratch_), *config, view);
  }

 public:
  std::unique_ptr<Recording> recording;
};

}  // namespace

TEST_SUITE("app::TranscriptFile") {
  TEST_CASE("a message is kept as it was sent, what is none as text, and no text as bytes") {
    CHECK(line_for(R"({"id": 1,  "b": [1.50]})") == R"({"in": {"id": 1,  "b": [1.50]}})");
    CHECK(line_for("{nonsense") == R"({"raw": "{nonsense"})");
    CHECK(line_for("{\"a\":\n1}") == R"({"raw": "{\"a\":\n1}"})");
    CHECK(line_for(R"({"a":1,"a":2})") == R"({"raw": "{\"a\":1,\"a\":2}"})");
    CHECK(line_for("\xff{") == R"({"hex": "ff7b"})");
    CHECK(line_for("") == R"({"in": null})");
  }

  TEST_CASE("only its owner may read it, and no recording replaces another") {
    const Scratch scratch;
    const auto first = file_in(scratch);
    const auto second = file_in(scratch);
    CHECK(first->path() == scratch.path() + "/talk.jsonl");
    CHECK(second->path() == scratch.path() + "/talk.jsonl.1");
    struct stat facts {};
    REQUIRE(::stat(first->path().c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0600);
  }

  TEST_CASE("a file that cannot be made is an error with its path") {
    const auto file = TranscriptFile::create("/no/such/folder/talk");
    REQUIRE_FALSE(file);
    CHECK(file.error().message.find("/no/such/folder/talk: No such file") != std::string::npos);
  }

  TEST_CASE("a disk that takes nothing ends the recording and nothing else") {
    TranscriptFile file(::open("/dev/full", O_WRONLY | O_CLOEXEC), "/dev/full", {});
    for (int i = 0; i < 1000; ++i) file.add({"in", "{}"});
  }

  TEST_CASE("what the queue does not take is counted in the file") {
    const Scratch scratch;
    {
      const auto file = file_in(scratch, {1000, 1 << 20});
      file->add({"in", std::string(2000, ' ')});
      file->add({"in", std::string(2000, ' ')});
      file->add({"in", "{}"});
      file->add({"in", std::string(2000, ' ')});
    }
    const auto lines = lines_of(scratch.path() + "/talk.jsonl");
    REQUIRE(lines.size() == 3);
    CHECK(lines[0].find("\"cut\": \"2 messages") != std::string::npos);
    CHECK(lines[1] == R"({"in": {}})");
    CHECK(lines[2].find("\"cut\": \"1 messages") != std::string::npos);
  }

  TEST_CASE("at its longest it says so and stays") {
    const Scratch scratch;
    {
      const auto file = file_in(scratch, {1 << 20, 30});
      for (int i = 0; i < 5; ++i) file->add({"in", R"({"a":1})"});
    }
    const auto lines = lines_of(scratch.path() + "/talk.jsonl");
    REQUIRE(lines.size() == 2);
    CHECK(lines[1].find("all that follows") != std::string::npos);
  }
}

TEST_SUITE("app::Recording") {
  TEST_CASE("it begins with what a like server needs, and no place of this machine") {
    Recorded recorded;
    CHECK(recorded.end().empty());
    CHECK(recorded.first["args"] == Json({"--read-only", "--tools", "pool_list,task_get"}));
    CHECK(recorded.first["env"]["MAHAVISHNU_WORK_LEASE_MS"] == "5000");
    CHECK(recorded.first["env"].contains("MAHAVISHNU_POOLS_DEFAULT_MAX_WORKERS"));
    CHECK_FALSE(recorded.first["env"].contains("MAHAVISHNU_HTTP_ALLOWED_HOSTS"));
  }

  TEST_CASE("a connection is recorded in the order it speaks, and stdio needs no name") {
    Recorded recorded;
    asio::io_context context(1);
    auto [client, server] = net::memory_pair(context.get_executor());
    const auto talk = [](rpc::Connection* peer, rpc::Connection* inner,
                         Recording* recording) -> base::awaitable<void> {
      RecordedConnection outer(*inner, *recording, kStdioName);
      static_cast<void>(co_await peer->write(R"({"id":1})"));
      CHECK(**co_await outer.read() == R"({"id":1})");
      static_cast<void>(co_await outer.write(R"({"id":1,"result":{}})"));
      peer->close();
      CHECK_FALSE((co_await outer.read())->has_value());
    };
    asio::co_spawn(context, talk(client.get(), server.get(), recorded.recording.get()),
                   [](std::exception_ptr bug) { CHECK_FALSE(bug); });
    context.run();
    const auto lines = recorded.end();
    REQUIRE(lines.size() == 3);
    CHECK(lines[0].dump() == R"({"in":{"id":1}})");
    CHECK(lines[1].dump() == R"({"out":{"id":1,"result":{}}})");
    CHECK(lines[2].dump() == R"({"end":0})");
  }

  TEST_CASE("of a request the credential and the session's id stay out") {
    Recorded recorded;
    const auto request = [&](rpc::HeaderList headers) {
      headers.emplace_back("Authorization", "Bearer of-the-test");
      headers.emplace_back("Cookie", "of-the-test");
      headers.emplace_back("Content-Type", "application/json");
      auto inner =
          std::make_shared<support::MemoryExchange>("POST", "/mcp", headers, R"({"id":1})");
      return std::make_shared<RecordedExchange>(inner, *recorded.recording);
    };
    auto first = request({});
    CHECK(first->take_body() == R"({"id":1})");
    first->respond(200, "application/json", R"({"result":{}})",
                   {{"Mcp-Session-Id", "of-the-test"}});
    request({{"Mcp-Session-Id", "of-the-test"}})->respond(202, "", "", {});
    const auto lines = recorded.end();
    REQUIRE(lines.size() == 4);
    for (const Json& line : lines) CHECK(line.dump().find("of-the-test") == std::string::npos);
    CHECK(lines[0]["on"] == "http 1");
    CHECK(lines[0]["http"]["headers"].dump() == R"({"Content-Type":"application/json"})");
    CHECK(lines[1]["http"].dump() ==
          R"({"headers":{"Mcp-Session-Id":"<session 1>"},"status":200})");
    CHECK(lines[2]["http"]["headers"]["Mcp-Session-Id"] == "<session 1>");
    CHECK(lines[3]["out"].is_null());
    CHECK(lines[3]["http"]["status"] == 202);
  }
}

}  // namespace mahavishnu::app
