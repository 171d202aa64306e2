#include "net/http_request_parser.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace mahavishnu::net;
using Result = HttpRequestParser::Result;

namespace {

constexpr std::size_t kMaxBody = 1000;

struct Outcome {
  Result result = Result::NeedMore;
  int status = 0;  // of a failure
  std::vector<HttpRequest> requests;
  std::size_t left = 0;  // bytes not consumed
};

// Feeds `text` in pieces of `step` bytes, as a connection would, and takes all requests out.
Outcome parse(std::string_view text, std::size_t step = 100000, std::size_t max_head = 16384) {
  HttpRequestParser parser(max_head);
  Outcome outcome;
  std::string buffered;
  bool in_body = false;
  while (!text.empty()) {
    const auto piece = std::min(step, text.size());
    buffered += text.substr(0, piece);
    text.remove_prefix(piece);
    for (;;) {
      std::size_t consumed = 0;
      outcome.result = in_body ? parser.parse_body(buffered, kMaxBody, true, consumed)
                               : parser.parse_head(buffered, consumed);
      buffered.erase(0, consumed);
      if (outcome.result != Result::Ready) break;
      if (!in_body && parser.request().has_body()) {
        in_body = true;
        continue;
      }
      in_body = false;
      outcome.requests.push_back(std::move(parser.request()));
    }
    if (outcome.result == Result::Failed) break;
  }
  outcome.status = parser.failure_status();
  outcome.left = buffered.size();
  return outcome;
}

std::string head(std::string_view lines) {
  return "POST /a HTTP/1.1\r\nHost: h\r\n" + std::string(lines) + "\r\n";
}

// Refused alike however it arrives.
int refusal(const std::string& text) {
  const auto whole = parse(text);
  const auto bytewise = parse(text, 1);
  CHECK(whole.status == bytewise.status);
  return whole.result == Result::Failed ? whole.status : 0;
}

std::string chunked(std::string_view body) {
  return head("Transfer-Encoding: chunked\r\n") + std::string(body);
}

}  // namespace

TEST_SUITE("net::HttpRequestParser") {
  TEST_CASE("a request is read alike however its bytes arrive") {
    const std::string text =
        "POST /tools/call?a=b&c HTTP/1.1\r\nHost: localhost:8680\r\nX-Empty:\r\nX-Blank:  v w "
        "\t\r\n"
        "Content-Length: 5\r\n\r\nhello";
    for (const std::size_t step : {1u, 2u, 7u, 100u, 1000u}) {
      const auto outcome = parse(text, step);
      REQUIRE(outcome.requests.size() == 1);
      const auto& request = outcome.requests[0];
      CHECK(request.method == "POST");
      CHECK(request.text(request.path) == "/tools/call");
      CHECK(request.text(request.query) == "a=b&c");
      CHECK(request.header("HOST") == "localhost:8680");
      CHECK(request.header("x-blank") == "v w");
      CHECK(request.header("x-empty").data() != nullptr);
      CHECK(request.header("x-empty").empty());
      CHECK(request.header("absent").data() == nullptr);
      CHECK(request.body == "hello");
      CHECK(request.keep_alive);
      CHECK(outcome.left == 0);
    }
  }

  TEST_CASE("pipelined requests come out one by one, with and without bodies") {
    std::string text;
    for (int i = 0; i < 50; ++i) {
      text += head("Content-Length: 3\r\n") + "abc" + "GET / HTTP/1.1\r\nHost: h\r\n\r\n" +
              chunked("3\r\nxyz\r\n0\r\n\r\n");
    }
    for (const std::size_t step : {1u, 13u, 100000u}) {
      const auto outcome = parse(text, step);
      REQUIRE(outcome.requests.size() == 150);
      CHECK(outcome.requests[147].body == "abc");
      CHECK(outcome.requests[148].body.empty());
      CHECK(outcome.requests[149].body == "xyz");
    }
  }

  TEST_CASE("chunks, extensions and trailers are read past") {
    for (const std::size_t step : {1u, 3u, 1000u}) {
      const auto outcome = parse(
          chunked(
              "5;name=\"value\"\r\nhello\r\n00000000006\r\n world\r\n0\r\nX-Trailer: 1\r\n\r\n"),
          step);
      REQUIRE(outcome.requests.size() == 1);
      CHECK(outcome.requests[0].body == "hello world");
      CHECK(outcome.requests[0].header("x-trailer").data() == nullptr);
    }
  }

  TEST_CASE("data that looks like framing stays data") {
    const auto outcome = parse(chunked("a\r\n\n\r\r\n0\r\n\r\n\n\r\n0\r\n\r\n"), 1);
    REQUIRE(outcome.requests.size() == 1);
    CHECK(outcome.requests[0].body == "\n\r\r\n0\r\n\r\n\n");
  }

  TEST_CASE("HTTP/1.0 and Connection decide about keep-alive") {
    const auto keeps = [](const char* text) { return parse(text).requests.at(0).keep_alive; };
    CHECK(keeps("GET / HTTP/1.1\r\nHost: h\r\n\r\n"));
    CHECK_FALSE(keeps("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"));
    CHECK_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
    CHECK(keeps("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
  }

  TEST_CASE("blank lines before a request are skipped, an offer of another protocol is ignored") {
    const auto outcome = parse(
        "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
        "GET /2 HTTP/1.1\r\nHost: h\r\n\r\n",
        1);
    CHECK(outcome.requests.size() == 2);
  }

  TEST_CASE("an absolute target is split") {
    const auto outcome = parse("GET http://h:1/p?q HTTP/1.1\r\nHost: h:1\r\n\r\n");
    REQUIRE(outcome.requests.size() == 1);
    const auto& request = outcome.requests[0];
    CHECK(request.text(request.authority) == "h:1");
    CHECK(request.text(request.path) == "/p");
    CHECK(request.text(request.query) == "q");
  }

  TEST_CASE("two lengths are refused") {
    CHECK(refusal(head("Content-Length: 3\r\nContent-Length: 4\r\n") + "abcd") == 400);
    CHECK(refusal(head("Content-Length: 3\r\nContent-Length: 3\r\n") + "abc") == 400);
    CHECK(refusal(head("Content-Length: 3, 3\r\n") + "abc") == 400);
  }

  TEST_CASE("a length beside chunks is refused, in either order and case") {
    const std::string length = "Content-Length: 3\r\n";
    const std::string chunks = "transfer-ENCODING: Chunked\r\n";
    CHECK(refusal(head(length + chunks) + "0\r\n\r\n") == 400);
    CHECK(refusal(head(chunks + length) + "0\r\n\r\n") == 400);
  }

  TEST_CASE("a length that is no plain number is refused") {
    for (const char* length : {"+3", "-3", "0x3", "3 3", "3a", "", "18446744073709551616", "1e2"}) {
      CHECK_MESSAGE(refusal(head("Content-Length: " + std::string(length) + "\r\n") + "abc") == 400,
                    length);
    }
  }

  TEST_CASE("transfer codings other than one plain chunked are refused") {
    CHECK(refusal(head("Transfer-Encoding: gzip, chunked\r\n")) == 501);
    CHECK(refusal(head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")) == 400);
    CHECK(refusal(head("Transfer-Encoding: identity\r\n")) != 0);
    CHECK(refusal(head("Transfer-Encoding: xchunked\r\n")) != 0);
    CHECK(refusal(head("Transfer-Encoding: chunked, identity\r\n")) != 0);
    CHECK(refusal(head("Transfer-Encoding:\x0b"
                       "chunked\r\n")) == 400);
    CHECK(refusal("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == 400);
  }

  TEST_CASE("bad chunks are refused") {
    for (const char* body : {"x\r\n",
                             "-1\r\n",
                             "0x3\r\nabc\r\n",
                             " 3\r\nabc\r\n0\r\n\r\n",
                             "3\nabc\r\n0\r\n\r\n",
                             "3\rabc\r\n0\r\n\r\n",
                             "3\r\nabcd\r\n0\r\n\r\n",
                             "3\r\nabc0\r\n\r\n",
                             "3\r\nabc\n0\r\n\r\n",
                             "3;a\nb\r\nabc\r\n0\r\n\r\n",
                             "3;\n\r\nabc\r\n0\r\n\r\n",
                             "11111111111111111\r\n",
                             "ffffffffffffffff\r\n",
                             "3\r\nabc\r\n0\r\nX: 1\n\r\n",
                             "0\r\n\n",
                             "\r\n",
                             ";\r\n",
                             "0\xff\r\n\r\n",
                             "1\x80\r\nabcdefghijklmnop\r\n0\r\n\r\n",
                             "3;a\x01\r\nabc\r\n0\r\n\r\n"}) {
      CHECK_MESSAGE(refusal(chunked(body)) != 0, body);
    }
  }

  TEST_CASE("chunks over the body limit are 413, exactly at it they pass") {
    const std::string half(500, 'x');
    const std::string full = "1f4\r\n" + half + "\r\n1f4\r\n" + half + "\r\n";
    CHECK(parse(chunked(full + "0\r\n\r\n")).requests.size() == 1);
    CHECK(refusal(chunked(full + "1\r\nx\r\n0\r\n\r\n")) == 413);
  }

  TEST_CASE("line ends other than CR LF are refused") {
    CHECK(refusal("GET / HTTP/1.1\nHost: h\n\n") == 400);
    CHECK(refusal("GET / HTTP/1.1\r\nHost: h\n\r\n") == 400);
    CHECK(refusal("GET / HTTP/1.1\r\nHost: h\r\n\n") == 400);
    CHECK(refusal("GET / HTTP/1.1\r\nHost: h\rX: 1\r\n\r\n") == 400);
    CHECK(refusal("\nGET / HTTP/1.1\r\nHost: h\r\n\r\n") == 400);
  }

  TEST_CASE("folded headers and blanks around names are refused") {
    CHECK(refusal(head("X: 1\r\n 2\r\n")) == 400);
    CHECK(refusal(head("X: 1\r\n\t2\r\n")) == 400);
    CHECK(refusal(head("Content-Length : 3\r\n") + "abc") == 400);
    CHECK(refusal(head("Transfer-Encoding : chunked\r\n") + "0\r\n\r\n") == 400);
    CHECK(refusal("GET / HTTP/1.1\r\n Host: h\r\n\r\n") == 400);
    CHECK(refusal(head(": empty\r\n")) == 400);
    CHECK(refusal(head("no colon\r\n")) == 400);
    CHECK(refusal(head(std::string("X: \0\r\n", 6))) == 400);
    CHECK(refusal(head("X\x01: 1\r\n")) == 400);
  }

  TEST_CASE("Host is there exactly once") {
    CHECK(refusal("GET / HTTP/1.1\r\n\r\n") == 400);
    CHECK(refusal("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n") == 400);
    CHECK(refusal("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n") == 400);
    CHECK(parse("GET / HTTP/1.0\r\n\r\n").requests.size() == 1);
  }

  TEST_CASE("what is not HTTP/1 is refused, unknown methods are 501, other versions 505") {
    CHECK(refusal("\x16\x03\x01\x02") == 400);
    CHECK(refusal("BREW / HTTP/1.1\r\nHost: h\r\n\r\n") == 501);
    CHECK(refusal("get / HTTP/1.1\r\nHost: h\r\n\r\n") == 501);
    CHECK(refusal("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") != 0);
    CHECK(refusal("GET / HTTP/2.0\r\nHost: h\r\n\r\n") == 505);
    CHECK(refusal("GET /\r\n\r\n") != 0);
    CHECK(refusal("GET / HTTP/x.1\r\nHost: h\r\n\r\n") == 400);
  }

  TEST_CASE("a request line is read to the letter") {
    const auto line = [](const std::string& text) { return refusal(text + "\r\nHost: h\r\n\r\n"); };
    CHECK(line("GET / HTTP/1.1") == 0);
    for (const char* text : {"GET / H6TP/1.1", "GET / HTTX/1.1", "GET  / HTTP/1.1",
                             "GET /  HTTP/1.1", "GET / HTTP/1.1 ", "GET / HTTP/01.1"}) {
      CAPTURE(text);
      CHECK(line(text) == 400);
    }
  }

  TEST_CASE("targets with bytes that no URL has are refused") {
    for (const char* target : {"/a b", "/\x80", "/a#b", "/\x7f", "x", "ftp://h/", "http://"}) {
      CHECK_MESSAGE(refusal("GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n\r\n") != 0,
                    target);
    }
  }

  TEST_CASE("heads over the limit are 431, whole or not; one at the limit passes") {
    const std::string start = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
    const auto sized = [&](std::size_t size) {
      return start + std::string(size - start.size() - 4, 'x') + "\r\n\r\n";
    };
    CHECK(parse(sized(200), 100000, 200).requests.size() == 1);
    CHECK(parse(sized(201), 100000, 200).status == 431);
    CHECK(parse(sized(5000), 50, 200).status == 431);
    std::string many = "GET / HTTP/1.1\r\nHost: h\r\n";
    for (int i = 0; i < 100; ++i) many += "X: 1\r\n";
    CHECK(parse(many + "\r\n").status == 431);
  }

  TEST_CASE("half a request stays half a request") {
    const std::string whole = head("Content-Length: 3\r\n") + "abc";
    for (std::size_t size = 1; size < whole.size(); ++size) {
      const auto outcome = parse(whole.substr(0, size));
      CHECK(outcome.requests.empty());
      CHECK(outcome.result == Result::NeedMore);
    }
  }
}
