// The pure parts: eras, the error table, header checks, names, sessions.
#include <doctest/doctest.h>

#include "mcp/eras.h"
#include "mcp/error_map.h"
#include "mcp/http_headers.h"
#include "mcp/nearest.h"
#include "mcp/sessions.h"

using namespace mahavishnu;
using namespace mahavishnu::mcp;
using rpc::Json;

namespace {

Json metadata(const char* version) {
  return {{meta_key::kProtocolVersion, version}, {meta_key::kClientCapabilities, Json::object()}};
}

Meta meta(Json members) { return std::make_shared<const Json>(std::move(members)); }

base::MonoTime at(long milliseconds) { return base::MonoTime(base::Millis(milliseconds)); }

}  // namespace

TEST_SUITE("eras") {
  TEST_CASE("every served legacy revision is answered with itself, any other with the newest") {
    for (const char* known :
         {"2024-10-07", "2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"}) {
      CHECK(to_string(negotiate(known)) == known);
    }
    for (const char* other : {"2026-07-28", "2099-01-01", "", "latest"}) {
      CHECK(to_string(negotiate(other)) == "2025-11-25");
    }
  }

  TEST_CASE("only the protocol version in _meta makes a message modern") {
    CHECK(claimed_version(meta(metadata("2026-07-28"))) != nullptr);
    CHECK(claimed_version(meta({{"progressToken", 1}})) == nullptr);
    CHECK(claimed_version(meta(5)) == nullptr);
    CHECK(claimed_version(meta(Json::array())) == nullptr);
    CHECK(claimed_version(nullptr) == nullptr);
  }

  TEST_CASE("metadata is checked: version, capabilities, client info") {
    CHECK(!check_metadata(meta(metadata("2026-07-28"))));
    CHECK(check_metadata(nullptr)->code == -32602);
    Json members = metadata("2026-07-28");
    members[meta_key::kClientInfo] = "me";
    CHECK(check_metadata(meta(members))->code == -32602);
    members = metadata("2026-07-28");
    members.erase(meta_key::kClientCapabilities);
    CHECK(check_metadata(meta(members))->code == -32602);
    members = metadata("2026-07-28");
    members[meta_key::kProtocolVersion] = 20260728;
    CHECK(check_metadata(meta(members))->code == -32602);
  }

  TEST_CASE("an unknown or a legacy version is refused with what is supported") {
    for (const char* version : {"v999.0.0", "2025-11-25"}) {
      const auto error = check_metadata(meta(metadata(version)));
      REQUIRE(error);
      CHECK(error->code == -32022);
      CHECK(error->data["supported"] == Json{"2026-07-28"});
      CHECK(error->data["requested"] == version);
    }
  }
}

TEST_SUITE("error map") {
  TEST_CASE("every failure has its status at /tools/call") {
    using base::ErrorCode;
    CHECK(http_status(ErrorCode::InvalidArgument) == 400);
    CHECK(http_status(ErrorCode::Unauthenticated) == 401);
    CHECK(http_status(ErrorCode::Denied) == 403);
    CHECK(http_status(ErrorCode::NotFound) == 404);
    CHECK(http_status(ErrorCode::Conflict) == 409);
    CHECK(http_status(ErrorCode::Exhausted) == 429);
    CHECK(http_status(ErrorCode::Cancelled) == 499);
    CHECK(http_status(ErrorCode::Internal) == 500);
    CHECK(http_status(ErrorCode::Unavailable) == 503);
    CHECK(http_status(ErrorCode::Deadline) == 504);
  }

  TEST_CASE("only the modern era tells some protocol errors by status") {
    CHECK(http_status(rpc_error(-32601, ""), true) == 404);
    CHECK(http_status(rpc_error(-32020, ""), true) == 400);
    CHECK(http_status(rpc_error(-32021, ""), true) == 400);
    CHECK(http_status(rpc_error(-32022, ""), true) == 400);
    CHECK(http_status(rpc_error(-32602, ""), true) == 200);
    CHECK(http_status(rpc_error(-32601, ""), false) == 200);
  }

  TEST_CASE("a time to retry is told once") {
    const auto text = [](const char* message, long retry) {
      return tool_error_text(base::Error{base::ErrorCode::Exhausted, message, retry});
    };
    CHECK(text("full", 0) == "full");
    CHECK(text("full", 2000) == "full; retry in 2 s");
    CHECK(text("full", 250) == "full; retry in 250 ms");
    CHECK(text("full; retry in 2 s or raise max_queue", 2000) ==
          "full; retry in 2 s or raise max_queue");
    const base::Error error{base::ErrorCode::Exhausted, "full", 1200};
    CHECK(retry_headers(error) == rpc::HeaderList{{"Retry-After", "2"}});
    CHECK(script_error(error) ==
          R"({"error":{"code":"Exhausted","message":"full","data":{"retry_after_ms":1200}}})");
    CHECK(retry_headers(base::Error{}).empty());
  }
}

TEST_SUITE("http headers") {
  TEST_CASE("accept must admit JSON and an event stream") {
    CHECK(accepts_both("application/json, text/event-stream"));
    CHECK(accepts_both("text/event-stream;q=0.5,Application/JSON; charset=utf-8"));
    CHECK(accepts_both("*/*"));
    CHECK(accepts_both("text/html, */*;q=0.1"));
    CHECK(accepts_both("application/*, text/*"));
    CHECK(accepts_both({}));
    CHECK(!accepts_both("application/json"));
    CHECK(!accepts_both("text/event-stream"));
    CHECK(!accepts_both("text/html"));
    CHECK(!accepts_both(std::string_view("")));
  }

  TEST_CASE("content type") {
    CHECK(is_json("application/json"));
    CHECK(is_json("Application/JSON; charset=utf-8"));
    CHECK(!is_json("text/plain"));
    CHECK(!is_json("application/jsonp"));
    CHECK(!is_json({}));
  }

  TEST_CASE("base64 in a header is decoded strictly") {
    CHECK(decode_header_value("plain") == "plain");
    CHECK(decode_header_value("=?base64?SGVsbG8=?=") == "Hello");
    CHECK(decode_header_value("=?base64?SGVsbG8sIOS4lueVjA==?=") == "Hello, 世界");
    CHECK(decode_header_value("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=") == "=?base64?literal?=");
    CHECK(decode_header_value("=?base64?"
                              "?=") == "");
    CHECK(decode_header_value("SGVsbG8=") == "SGVsbG8=");
    CHECK(decode_header_value("=?base64?SGVsbG8=") == "=?base64?SGVsbG8=");
    CHECK(decode_header_value("=?BASE64?SGVsbG8=?=") == "=?BASE64?SGVsbG8=?=");
    CHECK(!decode_header_value("=?base64?SGVsbG8?="));
    CHECK(!decode_header_value("=?base64?SGVs!!!bG8=?="));
    CHECK(!decode_header_value("=?base64?SGVsbG9=?="));  // left-over bits
    CHECK(!decode_header_value("=?base64?SG=sbG8=?="));
    CHECK(!decode_header_value("=?base64?====?="));
  }

  TEST_CASE("headers are compared with the body") {
    RequestHeaders headers;
    CHECK(check_version_header(headers, "2026-07-28")->code == -32020);
    CHECK(check_method_header(headers, "tools/list")->code == -32020);
    CHECK(check_name_header(headers, "echo")->code == -32020);
    headers = {"2026-07-28", "tools/list", "  =?base64?ZWNobw==?= "};
    CHECK(!check_version_header(headers, "2026-07-28"));
    CHECK(check_version_header(headers, "v999.0.0")->code == -32020);
    CHECK(!check_method_header(headers, "tools/list"));
    CHECK(check_method_header(headers, "TOOLS/LIST")->code == -32020);
    CHECK(!check_name_header(headers, "echo"));
    CHECK(check_name_header(headers, "other")->code == -32020);
  }
}

TEST_SUITE("nearest") {
  TEST_CASE("a typing error finds its word, another word finds none") {
    CHECK(nearest("comand", {"branch", "command"}) == "command");
    CHECK(nearest("tools/lst", {"tools/list", "tools/call"}) == "tools/list");
    CHECK(!nearest("banana", {"command", "pool"}));
    CHECK(!nearest("ab", {"xy"}));
    CHECK(!nearest(std::string(100, 'a'), {"a"}));
    CHECK(!nearest("x", {}));
  }

  TEST_CASE("a long text is cut between characters") {
    CHECK(in_quotes("short") == "\"short\"");
    const std::string cut = in_quotes(std::string(59, 'x') + "äää");
    CHECK(cut == "\"" + std::string(59, 'x') + "…\"");
  }
}

TEST_SUITE("sessions") {
  TEST_CASE("an id is unguessable and works for its caller only") {
    Sessions sessions(10, base::Millis(1000));
    const auto first = sessions.open("ada", Revision::k2025_06_18, at(0));
    const auto second = sessions.open("ada", Revision::k2025_11_25, at(0));
    CHECK(first->id.size() == 32);
    CHECK(first->id != second->id);
    CHECK(sessions.find(first->id, "ada", at(1)) == first);
    CHECK(sessions.find(first->id, "bob", at(1)) == nullptr);
    CHECK(sessions.find("guess", "ada", at(1)) == nullptr);
  }

  TEST_CASE("close ends it, once, and only for its caller") {
    Sessions sessions(10, base::Millis(1000));
    const std::string id = sessions.open("ada", kNewestLegacy, at(0))->id;
    CHECK(!sessions.close(id, "bob", at(1)));
    CHECK(sessions.close(id, "ada", at(1)));
    CHECK(!sessions.close(id, "ada", at(1)));
    CHECK(sessions.find(id, "ada", at(1)) == nullptr);
  }

  TEST_CASE("the idle ones go, the used ones stay") {
    Sessions sessions(10, base::Millis(1000));
    const std::string idle = sessions.open("ada", kNewestLegacy, at(0))->id;
    const std::string used = sessions.open("ada", kNewestLegacy, at(0))->id;
    CHECK(sessions.find(used, "ada", at(900)) != nullptr);
    CHECK(sessions.find(used, "ada", at(1500)) != nullptr);
    CHECK(sessions.size() == 1);
    CHECK(sessions.find(idle, "ada", at(1500)) == nullptr);
  }

  TEST_CASE("past the bound the least recently used goes") {
    Sessions sessions(2, base::Millis(1000));
    const std::string first = sessions.open("ada", kNewestLegacy, at(0))->id;
    const std::string second = sessions.open("ada", kNewestLegacy, at(1))->id;
    CHECK(sessions.find(first, "ada", at(2)) != nullptr);
    sessions.open("bob", kNewestLegacy, at(3));
    CHECK(sessions.size() == 2);
    CHECK(sessions.find(first, "ada", at(4)) != nullptr);
    CHECK(sessions.find(second, "ada", at(4)) == nullptr);
  }

  TEST_CASE("a session with a call in flight is not idle") {
    asio::io_context io;
    Calls calls(io.get_executor());
    Sessions sessions(10, base::Millis(1000));
    const auto session = sessions.open("ada", kNewestLegacy, at(0));
    const rpc::RequestId id{std::string("1")};
    auto running = std::make_shared<RunningCall>(calls, &session->calls, id);
    CHECK(sessions.find(session->id, "ada", at(5000)) == session);
    running->end();
    CHECK(sessions.find(session->id, "ada", at(50000)) == nullptr);
  }
}
