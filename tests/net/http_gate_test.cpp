#include "net/http_gate.h"

#include <doctest/doctest.h>

#include "net/http_request_parser.h"
#include "net/http_response.h"

using namespace mahavishnu::net;

namespace {

struct Gate {
  Gate() {
    options.authenticate = [](std::string_view token) -> mahavishnu::base::Result<std::string> {
      using mahavishnu::base::ErrorCode;
      if (token == "secret") return "alice";
      if (token == "early") return mahavishnu::base::fail(ErrorCode::Unavailable, "soon", 1500);
      if (token == "weak") return mahavishnu::base::fail(ErrorCode::Denied, "no scope");
      return mahavishnu::base::fail(ErrorCode::Unauthenticated, "not known");
    };
    options.open_paths = {"/livez"};
    options.allowed_hosts = {"tools.example", "other.example:99"};
    options.allowed_origins = {"https://app.example"};
  }

  // 0: let in.
  int ask(const std::string& method, const std::string& path, const std::string& headers,
          const std::string& host = "localhost:8680") {
    HttpRequestParser parser(16384);
    std::size_t consumed = 0;
    const auto parsed = parser.parse_head(
        method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + headers + "\r\n", consumed);
    REQUIRE(parsed == HttpRequestParser::Result::Ready);
    admission = {};
    const HttpDoor door{hosts, local};
    refusal = check_request(parser.request(), options, door, admission);
    return refusal ? refusal->status : 0;
  }
  int get(const std::string& headers, const std::string& host = "localhost:8680") {
    return ask("GET", "/mcp", kToken + headers, host);
  }
  int post(const std::string& headers) { return ask("POST", "/mcp", kToken + headers); }

  const std::string kToken = "Authorization: Bearer secret\r\n";
  HttpOptions options;
  std::vector<std::string> hosts = {"192.168.1.5", "::", "fe80::1"};
  std::string local;
  Admission admission;
  std::optional<Refusal> refusal;
};

}  // namespace

TEST_SUITE("net::check_request") {
  TEST_CASE("methods that are not used are 405 and say which are") {
    Gate gate;
    for (const char* method : {"PUT", "PATCH", "TRACE", "CONNECT", "PROPFIND"}) {
      CHECK(gate.ask(method, method == std::string("CONNECT") ? "h:1" : "/", gate.kToken) == 405);
      CHECK(gate.refusal->headers.find("Allow: GET") != std::string::npos);
    }
    CHECK(gate.ask("HEAD", "/", gate.kToken) == 0);
    CHECK(gate.ask("DELETE", "/", gate.kToken) == 0);
  }

  TEST_CASE("loopback names, bound addresses and allowed hosts are served, others are not") {
    Gate gate;
    for (const char* host :
         {"localhost", "LOCALHOST:1", "127.0.0.1:8680", "[::1]:8680", "[::1]", "192.168.1.5:80",
          "[fe80::1]", "tools.example:5", "other.example:99"}) {
      CHECK_MESSAGE(gate.get("", host) == 0, host);
    }
    for (const char* host :
         {"evil.example", "evil.example:8680", "localhost.evil.example", "127.0.0.1.evil.example",
          "192.168.1.6", "other.example:98", "[::2]"}) {
      CHECK_MESSAGE(gate.get("", host) == 403, host);
    }
    for (const char* host : {"", ":80", "a:b", "[::1", "[::1]x", "localhost:123456", "a:1:2"}) {
      CHECK_MESSAGE(gate.get("", host) == 400, host);
    }
  }

  TEST_CASE("the address of the connection is served when any address is bound") {
    Gate gate;
    CHECK(gate.get("", "10.0.0.7:8680") == 403);
    gate.local = "10.0.0.7";
    CHECK(gate.get("", "10.0.0.7:8680") == 0);
  }

  TEST_CASE("an absolute target is checked like a Host") {
    Gate gate;
    CHECK(gate.ask("GET", "http://evil.example/", gate.kToken) == 403);
    CHECK(gate.ask("GET", "http://localhost/", gate.kToken) == 0);
  }

  TEST_CASE("a foreign origin is refused although Host is right") {
    Gate gate;
    for (const char* origin :
         {"http://evil.example", "null", "https://app.example.evil", "file://", "http://",
          "ws://localhost", "http://localhost.evil.example", "", "localhost"}) {
      CHECK_MESSAGE(gate.get("Origin: " + std::string(origin) + "\r\n") == 403, origin);
    }
    CHECK(gate.get("Origin: http://localhost\r\nOrigin: http://evil.example\r\n") == 403);
  }

  TEST_CASE("pages of the same host and named origins may call") {
    Gate gate;
    for (const char* origin : {"http://localhost:8680", "http://localhost:3000",
                               "http://127.0.0.1:6274", "https://app.example"}) {
      CHECK_MESSAGE(gate.get("Origin: " + std::string(origin) + "\r\n") == 0, origin);
      CHECK(gate.admission.cors_origin == origin);
    }
    CHECK(gate.get("Origin: https://tools.example\r\n", "tools.example") == 0);
    CHECK(gate.get("Origin: https://tools.example\r\n", "localhost") == 403);
  }

  TEST_CASE("a bad Host with the same bad Origin is refused (DNS rebinding)") {
    Gate gate;
    CHECK(gate.get("Origin: http://evil.example\r\n", "evil.example") == 403);
  }

  TEST_CASE("a preflight is answered without a token, with CORS headers for allowed origins only") {
    Gate gate;
    CHECK(gate.ask("OPTIONS", "/mcp", "") == 204);
    CHECK(gate.refusal->cors_origin.empty());
    CHECK(gate.refusal->headers.find("Access-Control") == std::string::npos);
    CHECK(gate.ask("OPTIONS", "/mcp", "Origin: http://evil.example\r\n") == 403);
    CHECK(gate.ask("OPTIONS", "/mcp",
                   "Origin: https://app.example\r\nAccess-Control-Request-Headers: mcp-name\r\n") ==
          204);
    CHECK(gate.refusal->cors_origin == "https://app.example");
    CHECK(gate.refusal->headers.find("Access-Control-Allow-Headers: mcp-name\r\n") !=
          std::string::npos);
  }

  TEST_CASE("without a good token the answer is 401 with a challenge") {
    Gate gate;
    for (const char* header : {"", "Authorization: Basic secret\r\n", "Authorization: Bearer\r\n",
                               "Authorization: secret\r\n"}) {
      CHECK(gate.ask("GET", "/mcp", header) == 401);
      CHECK(gate.refusal->headers == "WWW-Authenticate: Bearer\r\n");
    }
    CHECK(gate.ask("GET", "/mcp", "Authorization: Bearer wrong\r\n") == 401);
    CHECK(gate.refusal->headers.find("invalid_token") != std::string::npos);
  }

  TEST_CASE("a good token names its caller") {
    Gate gate;
    CHECK(gate.ask("GET", "/mcp", "authorization: bEARER  secret\r\n") == 0);
    CHECK(gate.admission.caller == "alice");
  }

  TEST_CASE("tokens of all kinds that are none are 401") {
    Gate gate;
    for (const std::string& token :
         {std::string("secret "), std::string("Secret"), std::string("secret,secret"),
          std::string("s\xC3\xA9"
                      "cret"),
          std::string("\xFF"), std::string(10000, 'x')}) {
      CHECK(gate.ask("GET", "/mcp", "Authorization: Bearer " + token + "x\r\n") == 401);
      CHECK(gate.refusal->message.find(token) == std::string::npos);
    }
    CHECK(gate.ask("GET", "/mcp", "Authorization: Bearer \r\n") == 401);
  }

  TEST_CASE("who comes too often is told when to come again, before his body is judged") {
    Gate gate;
    mahavishnu::base::Millis wait(0);
    std::string asked;
    gate.options.pace = [&](std::string_view caller) {
      asked = caller;
      return wait;
    };
    CHECK(gate.get("") == 0);
    CHECK(asked == "alice");
    wait = mahavishnu::base::Millis(1001);
    CHECK(gate.post("Content-Type: text/plain\r\n") == 429);
    CHECK(gate.refusal->headers == "Retry-After: 2\r\n");
    CHECK(gate.ask("GET", "/livez", "") == 0);
    CHECK(gate.ask("GET", "/mcp", "Authorization: Bearer wrong\r\n") == 401);
    gate.options.authenticate = nullptr;
    CHECK(gate.get("") == 429);
    CHECK(asked == "local");
  }

  TEST_CASE("who is turned away for his credential or his pace is told of") {
    Gate gate;
    std::vector<std::string> told;
    gate.options.turned_away = [&](std::string_view caller, int status) {
      told.push_back(std::string(caller) + " " + std::to_string(status));
    };
    CHECK(gate.ask("GET", "/mcp", "") == 401);
    CHECK(gate.ask("GET", "/mcp", "Authorization: Bearer wrong\r\n") == 401);
    CHECK(gate.get("") == 0);
    CHECK(gate.get("Origin: null\r\n") == 403);  // no matter of credentials
    gate.options.pace = [](std::string_view) { return mahavishnu::base::Millis(1); };
    CHECK(gate.get("") == 429);
    CHECK(told == std::vector<std::string>{" 401", " 401", "alice 429"});
  }

  TEST_CASE("open paths and servers without authentication need no token") {
    Gate gate;
    CHECK(gate.ask("GET", "/livez", "") == 0);
    CHECK(gate.ask("GET", "/livez?x=1", "") == 0);
    CHECK(gate.ask("GET", "/livez/", "") == 401);
    gate.options.authenticate = nullptr;
    CHECK(gate.ask("GET", "/mcp", "") == 0);
    CHECK(gate.admission.caller == "local");
  }

  TEST_CASE("a POST is JSON, uncompressed, in UTF-8") {
    Gate gate;
    for (const char* type :
         {"application/json", "Application/JSON", "application/json; charset=utf-8",
          "application/json;charset=\"UTF-8\"", "application/json ;x=1"}) {
      CHECK_MESSAGE(gate.post("Content-Type: " + std::string(type) + "\r\n") == 0, type);
    }
    for (const char* type : {"text/plain", "application/jsonx", "application/json; charset=utf-16",
                             "application/x-www-form-urlencoded", ""}) {
      CHECK_MESSAGE(gate.post("Content-Type: " + std::string(type) + "\r\n") == 415, type);
    }
    CHECK(gate.post("") == 415);
    CHECK(gate.post("Content-Type: application/json\r\nContent-Encoding: gzip\r\n") == 415);
    CHECK(gate.post("Content-Type: application/json\r\nContent-Encoding: identity\r\n") == 0);
  }

  TEST_CASE("expectations other than 100-continue are 417, bodies over the limit 413") {
    Gate gate;
    const std::string json = "Content-Type: application/json\r\n";
    CHECK(gate.post(json + "Expect: 100-Continue\r\n") == 0);
    CHECK(gate.post(json + "Expect: a-pony\r\n") == 417);
    gate.options.limits.max_body_bytes = 10;
    CHECK(gate.post(json + "Content-Length: 10\r\n") == 0);
    CHECK(gate.post(json + "Content-Length: 11\r\n") == 413);
  }

  TEST_CASE("a token that cannot be judged now is 503, one that is good for nothing here 403") {
    Gate gate;
    CHECK(gate.ask("GET", "/mcp", "Authorization: Bearer early\r\n") == 503);
    CHECK(gate.refusal->headers == "Retry-After: 2\r\n");
    CHECK(gate.ask("GET", "/mcp", "Authorization: Bearer weak\r\n") == 403);
    CHECK(gate.refusal->headers == "WWW-Authenticate: Bearer error=\"insufficient_scope\"\r\n");
  }

  TEST_CASE("challenges say what they are told to say besides") {
    Gate gate;
    gate.options.challenge = "resource_metadata=\"https://x/y\"";
    CHECK(gate.ask("GET", "/mcp", "") == 401);
    CHECK(gate.refusal->headers ==
          "WWW-Authenticate: Bearer resource_metadata=\"https://x/y\"\r\n");
    CHECK(gate.ask("GET", "/mcp", "Authorization: Bearer wrong\r\n") == 401);
    CHECK(
        gate.refusal->headers ==
        "WWW-Authenticate: Bearer error=\"invalid_token\", resource_metadata=\"https://x/y\"\r\n");
  }

  TEST_CASE("below an open path that ends in a slash no token is needed either") {
    Gate gate;
    gate.options.open_paths = {"/open/"};
    CHECK(gate.ask("GET", "/open/x", "") == 0);
    CHECK(gate.ask("GET", "/open", "") == 401);
    CHECK(gate.ask("GET", "/opener", "") == 401);
  }

  TEST_CASE("the token is asked for before the body is judged") {
    Gate gate;
    CHECK(gate.ask("POST", "/mcp", "Content-Type: text/plain\r\n") == 401);
  }
}

TEST_SUITE("net::http_response") {
  TEST_CASE("header values cannot end their line") {
    std::string out;
    append_head(out, {}, 200, "text/plain", 0, {{"X", "a\r\nEvil: 1"}});
    CHECK(out.find("X: a  Evil: 1\r\n") != std::string::npos);
  }

  TEST_CASE("an error body is JSON with a code") {
    CHECK(error_body(413, "too \"long\"") ==
          R"({"error":{"code":"Exhausted","message":"too \"long\""}})");
    CHECK(error_body(415, "x").find("InvalidArgument") != std::string::npos);
    CHECK(error_body(429, "x").find("Exhausted") != std::string::npos);
  }

  TEST_CASE("each line of an event's data gets its own field") {
    CHECK(event_text({"{}"}) == "data: {}\n\n");
    CHECK(event_text({"a\nb\r\nc\rd"}) == "data: a\ndata: b\ndata: c\ndata: d\n\n");
    CHECK(event_text({""}) == "data: \n\n");
  }

  TEST_CASE("an event has what it is given besides its data") {
    CHECK(event_text({"x", "7", "endpoint", 500}) ==
          "event: endpoint\nid: 7\nretry: 500\ndata: x\n\n");
    CHECK(event_text({"", "a-0", "", 0}) == "id: a-0\ndata: \n\n");
  }
}
