// The named tokens: their file, who comes in with one, and what it may do.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "app/access.h"
#include "app/secrets.h"
#include "app/token_file.h"
#include "app/token_watch.h"
#include "base/sha256.h"
#include "scratch.h"
#include "three_tools.h"

using namespace mahavishnu;
using namespace mahavishnu::app;
using base::ErrorCode;
using base::Millis;
using base::WallTime;
using tools::Scope;

namespace {

constexpr WallTime kNoon{Millis(1800000000000)};

NamedToken named(std::string name, Scope scope = Scope::Read) {
  NamedToken token;
  token.name = std::move(name);
  token.created = kNoon;
  token.scope = scope;
  return token;
}

std::string added(const std::string& file, NamedToken token) {
  auto text = add_token(file, std::move(token));
  REQUIRE_MESSAGE(text, text.error().message);
  return *text;
}

std::vector<std::string> names(const std::string& file) {
  std::vector<std::string> all;
  const auto tokens = read_tokens(file).value();
  for (const auto& token : tokens) all.push_back(token.name);
  return all;
}

// The table over a file, with clocks moved by hand.
struct Desk {
  explicit Desk(Access::Limits limits = {})
      : access(std::move(limits),
               [this](const std::string& caller, const mcp::Tool& asked, const mcp::Json&,
                      const base::Status& decision) {
                 if (decision) return;
                 const base::Error& why = decision.error();
                 refused.push_back(caller + " " + asked.name + " " +
                                   std::string(base::to_string(why.code)));
               },
               {[this] { return wall; }, [this] { return mono; }}) {}
  std::string make(NamedToken token) { return added(file, std::move(token)); }
  void load() { access.put_tokens(read_tokens(file).value()); }
  base::Status call(const char* caller, const mcp::Tool& asked) {
    const auto permit = access.permit(caller);
    if (!permit) return base::fail(ErrorCode::Unauthenticated, "no such credential");
    return permit->admit(asked, mcp::Json::object());
  }

  Scratch scratch;
  std::string file = scratch.path() + "/tokens.json";
  WallTime wall = kNoon;
  base::MonoTime mono{std::chrono::hours(1)};
  std::vector<std::string> refused;
  Access access;
};

}  // namespace

TEST_SUITE("token file") {
  TEST_CASE("what is written is read, but never the token itself") {
    const Scratch scratch;
    const std::string file = scratch.path() + "/tokens.json";
    CHECK(read_tokens(file).value().empty());
    NamedToken token = named("ci", Scope::Run);
    token.expires = kNoon + Millis(5000);
    token.bounds = {{"p"}, {"api", "web"}, {"node"}};
    const std::string text = added(file, token);
    CHECK(text.starts_with("mhv_"));
    CHECK(text.size() == 47);
    added(file, named("dashboard"));
    const auto tokens = read_tokens(file).value();
    REQUIRE(tokens.size() == 2);
    token.digest = base::sha256_hex(text);
    CHECK(tokens[0] == token);
    CHECK(tokens[1].bounds.none());
    CHECK(read_private(file, "file", 10000).value().find(text.substr(4)) == std::string::npos);
    struct stat facts {};
    REQUIRE(::stat(file.c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0600);
  }

  TEST_CASE("names: none twice, none of another kind, none that is no word") {
    const Scratch scratch;
    const std::string file = scratch.path() + "/tokens.json";
    added(file, named("ci"));
    CHECK(add_token(file, named("ci")).error().code == ErrorCode::Conflict);
    for (const char* bad : {"", "a b", "a/b", "token", "local", "stdio", "é"}) {
      CHECK_MESSAGE(add_token(file, named(bad)).error().code == ErrorCode::InvalidArgument, bad);
    }
    CHECK(!add_token(file, named(std::string(65, 'a'))));
    CHECK(names(file) == std::vector<std::string>{"ci"});
  }

  TEST_CASE("revoking one leaves the others; of one there is not it says which there are") {
    const Scratch scratch;
    const std::string file = scratch.path() + "/tokens.json";
    for (const char* name : {"a", "b", "c"}) added(file, named(name));
    CHECK(remove_token(file, "b"));
    CHECK(names(file) == std::vector<std::string>{"a", "c"});
    const auto missing = remove_token(file, "b");
    CHECK(missing.error().code == ErrorCode::NotFound);
    CHECK(missing.error().message.find("c") != std::string::npos);
  }

  TEST_CASE("an administrator is not bound, and there is no other scope") {
    const Scratch scratch;
    NamedToken token = named("ops", Scope::Admin);
    token.bounds.pools = {"p"};
    CHECK(add_token(scratch.path() + "/tokens.json", token).error().code ==
          ErrorCode::InvalidArgument);
    CHECK(parse_scopes({}).value() == Scope::Read);
    CHECK(parse_scopes({"run", "read"}).value() == Scope::Run);
    CHECK(parse_scopes({"write"}).error().message.find("write") != std::string::npos);
  }

  TEST_CASE("many at once lose none") {
    const Scratch scratch;
    const std::string file = scratch.path() + "/tokens.json";
    std::vector<std::thread> writers;
    for (int writer = 0; writer < 4; ++writer) {
      writers.emplace_back([&file, writer] {
        for (int i = 0; i < 5; ++i) {
          auto made = add_token(file, named("t" + std::to_string(writer * 5 + i)));
          CHECK(made);
        }
      });
    }
    for (auto& writer : writers) writer.join();
    CHECK(names(file).size() == 20);
  }

  TEST_CASE("a file that others may read is refused with the way out") {
    const Scratch scratch;
    const std::string file = scratch.path() + "/tokens.json";
    added(file, named("ci"));
    REQUIRE(::chmod(file.c_str(), 0640) == 0);
    const auto open = read_tokens(file);
    CHECK(open.error().code == ErrorCode::Denied);
    CHECK(open.error().message.find("chmod 600") != std::string::npos);
    CHECK(add_token(file, named("b")).error().code == ErrorCode::Denied);
  }

  TEST_CASE("a broken file is refused as a whole and says where") {
    const Scratch scratch;
    const std::string digest(64, 'a');
    const std::string good = R"("name":"x","sha256":")" + digest +
                             R"(","created":"2027-01-01T00:00:00Z","scopes":["run"])";
    const auto reads = [&](const std::string& text) {
      const std::string file = scratch.file("tokens.json", text);
      REQUIRE(::chmod(file.c_str(), 0600) == 0);
      return read_tokens(file);
    };
    const auto entry = [&](const std::string& inside) {
      return reads(R"({"version":1,"tokens":[{)" + inside + "}]}");
    };
    REQUIRE(entry(good));
    for (const char* text :
         {"", "{", "[]", "null", R"({"version":2,"tokens":[]})", R"({"version":1,"tokens":{}})",
          R"({"version":1,"tokens":[],"x":1})", R"({"version":1,"tokens":[7]})", "\xff\xfe"}) {
      CHECK_MESSAGE(reads(text).error().code == ErrorCode::InvalidArgument, text);
    }
    for (const std::string& inside :
         {good + R"(,"limit":1)", good + R"(,"expires":"soon")", good + R"(,"pools":"p")",
          good + R"(,"tags":[1])", good + R"(,"expires":null)",
          std::string(R"("name":"x","created":"2027-01-01T00:00:00Z","scopes":["run"])"),
          R"("name":"x","sha256":"ab","created":"2027-01-01T00:00:00Z","scopes":["run"])" +
              std::string(),
          R"("name":"x","sha256":")" + digest +
              R"(","created":"2027-01-01T00:00:00Z","scopes":["root"])",
          R"("name":"x","sha256":")" + digest + R"(","created":"2027-01-01T00:00:00Z","scopes":[])",
          R"("name":"a b","sha256":")" + digest +
              R"(","created":"2027-01-01T00:00:00Z","scopes":["run"])"}) {
      const auto broken = entry(inside);
      REQUIRE_MESSAGE(!broken, inside);
      CHECK(broken.error().message.find("tokens[0]") != std::string::npos);
      CHECK(broken.error().message.find(digest) == std::string::npos);
    }
    CHECK(!reads(R"({"version":1,"tokens":[{)" + good + "},{" + good + "}]}"));
    CHECK(!reads(std::string((1 << 20) + 1, ' ')));
  }

  TEST_CASE("times of use are kept beside it") {
    const Scratch scratch;
    const std::string file = scratch.path() + "/tokens.json";
    CHECK(read_token_use(file).empty());
    REQUIRE(write_token_use(file, {{"ci", kNoon}}));
    CHECK(read_token_use(file) == TokenUse{{"ci", kNoon}});
    scratch.file("tokens.json.used", "nonsense");
    CHECK(read_token_use(file).empty());
  }
}

TEST_SUITE("Access") {
  TEST_CASE("a token of the table names its caller, anything else nobody") {
    Desk desk;
    CHECK(!desk.access.who("x"));
    const std::string ci = desk.make(named("ci"));
    const std::string web = desk.make(named("web"));
    desk.load();
    CHECK(desk.access.who(ci).value() == "ci");
    CHECK(desk.access.who(web).value() == "web");
    for (const std::string& other :
         {std::string(), ci.substr(1), ci + "x", std::string(100000, 'a'), base::sha256_hex(ci),
          std::string("\xff\x00\x01", 3)}) {
      CHECK(!desk.access.who(other));
    }
  }

  TEST_CASE("an expired one is nobody from that moment on, at every use") {
    Desk desk;
    NamedToken token = named("ci", Scope::Run);
    token.expires = kNoon + Millis(1000);
    const std::string text = desk.make(token);
    desk.load();
    desk.wall = kNoon + Millis(999);
    CHECK(desk.access.who(text));
    CHECK(desk.access.permit("ci"));
    CHECK(!desk.access.bounds("ci"));
    desk.wall = kNoon + Millis(1000);
    CHECK(!desk.access.who(text));
    CHECK(!desk.access.permit("ci"));
    CHECK(!desk.access.bounds("ci")->check_pool("default"));
  }

  TEST_CASE("a revoked one is nobody at once, also for calls in flight") {
    Desk desk;
    const std::string text = desk.make(named("ci", Scope::Run));
    desk.load();
    REQUIRE(desk.access.who(text));
    REQUIRE(remove_token(desk.file, "ci"));
    desk.load();
    CHECK(!desk.access.who(text));
    CHECK(!desk.access.permit("ci"));
    CHECK(!desk.access.bounds("ci")->check_pool("default"));
    const std::string again = desk.make(named("ci"));
    desk.load();
    CHECK(!desk.access.who(text));
    CHECK(desk.access.who(again));
  }

  TEST_CASE("each scope may what the one before may, and more") {
    Desk desk;
    desk.make(named("reader"));
    desk.make(named("runner", Scope::Run));
    desk.make(named("keeper", Scope::Admin));
    desk.load();
    const auto allowed = [&](const char* caller) {
      std::string all;
      for (const mcp::Tool* one : {&kRead, &kRun, &kAdmin}) {
        const bool called = desk.call(caller, *one).has_value();
        CHECK(called == desk.access.permit(caller)->shows(*one));
        all += called ? 'y' : 'n';
      }
      return all;
    };
    CHECK(allowed("reader") == "ynn");
    CHECK(allowed("runner") == "yyn");
    CHECK(allowed("keeper") == "yyy");
    for (const char* caller : {"token", "local", "stdio"}) CHECK(allowed(caller) == "yyy");
    CHECK(desk.refused == std::vector<std::string>{"reader task_submit Denied",
                                                   "reader pool_close Denied",
                                                   "runner pool_close Denied"});
    const auto denied = desk.call("reader", kAdmin);
    CHECK(denied.error().message.find("scope admin") != std::string::npos);
  }

  TEST_CASE("requests are paced for each credential by itself") {
    Access::Limits limits;
    limits.requests = {2, 2};
    Desk desk(limits);
    desk.make(named("a"));
    desk.make(named("b"));
    desk.load();
    CHECK(desk.access.pace("a") == Millis(0));
    CHECK(desk.access.pace("a") == Millis(0));
    CHECK(desk.access.pace("a") == Millis(500));
    CHECK(desk.access.pace("b") == Millis(0));
    CHECK(desk.access.pace("token") == Millis(0));
    desk.load();  // nothing changed: nothing is given back
    CHECK(desk.access.pace("a") == Millis(500));
    desk.mono += Millis(500);
    CHECK(desk.access.pace("a") == Millis(0));
  }

  TEST_CASE("calls are paced by tool, and only those that are limited") {
    Access::Limits limits;
    limits.tools = {{"task_submit", {1, 1}}};
    Desk desk(limits);
    CHECK(desk.call("local", kRun));
    const auto refused = desk.call("local", kRun);
    CHECK(refused.error().code == ErrorCode::Exhausted);
    CHECK(refused.error().retry_after_ms == 1000);
    CHECK(desk.call("stdio", kRun));
    for (int i = 0; i < 100; ++i) CHECK(desk.call("local", kRead));
    CHECK(desk.refused == std::vector<std::string>{"local task_submit Exhausted"});
    CHECK(desk.access.check_limits({"task_submit"}));
    CHECK(desk.access.check_limits({"task_submits"}).error().message.find("task_submits") !=
          std::string::npos);
  }

  TEST_CASE("when a token was used is told by name") {
    Desk desk;
    const std::string text = desk.make(named("ci"));
    desk.make(named("idle"));
    desk.load();
    static_cast<void>(desk.access.who(text));
    CHECK(desk.access.used() == std::map<std::string, WallTime>{{"ci", kNoon}});
  }

  TEST_CASE("limits of tools in words") {
    const auto plain = parse_tool_rate("task_submit=5").value();
    CHECK(plain.first == "task_submit");
    CHECK(plain.second.per_second == 5);
    CHECK(plain.second.burst == 5);
    const auto slow = parse_tool_rate("log_search=0.5/10").value();
    CHECK(slow.second.per_second == 0.5);
    CHECK(slow.second.burst == 10);
    for (const char* bad :
         {"", "x", "=5", "x=", "x=0", "x=-1", "x=5/", "x=5/0", "x=5s", "x=nan", "x=1e9"}) {
      CHECK_MESSAGE(!parse_tool_rate(bad), bad);
    }
  }
}
