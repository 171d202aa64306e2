#include "net/http_server.h"

#include <sys/resource.h>

#include "net/http_support.h"

using namespace mahavishnu;
using namespace mahavishnu::net;
using namespace mahavishnu::net::testing;
using base::Millis;

namespace {

HttpOptions with_limits(HttpLimits limits) {
  HttpOptions options;
  limits.sweep = Millis(10);
  options.limits = limits;
  return options;
}

HttpOptions with_token() {
  HttpOptions options;
  options.authenticate = [](std::string_view token) -> mahavishnu::base::Result<std::string> {
    if (token == "secret") return "alice";
    return mahavishnu::base::fail(mahavishnu::base::ErrorCode::Unauthenticated, "not known");
  };
  return options;
}

}  // namespace

TEST_SUITE("net::HttpServer, answering") {
  TEST_CASE("a request is answered and the connection goes on") {
    HttpTest test;
    Client client(test);
    for (int i = 0; i < 3; ++i) {
      const auto answer = client.ask(post_request("/echo", "{\"n\":" + std::to_string(i) + "}"));
      CHECK(answer.status == 200);
      CHECK(answer.body == "{\"n\":" + std::to_string(i) + "}");
      CHECK(answer.has("Content-Type: application/json\r\n"));
      CHECK(answer.has("\r\nDate: "));
      CHECK_FALSE(answer.has("Connection:"));
    }
    CHECK(test.server.stats().requests == 3);
  }

  TEST_CASE("the handler sees method, query, headers and caller; its headers go out") {
    HttpTest test(with_token());
    Client client(test);
    const auto answer = client.ask(
        get_request("/facts?a=1", "User-Agent:  test \r\nAuthorization: Bearer secret\r\n"));
    CHECK(answer.status == 201);
    CHECK(answer.has("X-Fact: yes\r\n"));
    CHECK(test.scene->facts ==
          std::map<std::string, std::string>{
              {"method", "GET"}, {"query", "a=1"}, {"agent", "test"}, {"caller", "alice"}});
  }

  TEST_CASE("a hundred pipelined requests are answered in order") {
    HttpTest test;
    Client client(test);
    std::string all;
    for (int i = 0; i < 100; ++i) all += post_request("/echo", std::to_string(i));
    client.send(all);
    for (int i = 0; i < 100; ++i) CHECK(client.answer().body == std::to_string(i));
  }

  TEST_CASE("pipelined requests behind one that takes its time wait and lose nothing") {
    HttpTest test;
    Client client(test);
    std::string all = get_request("/later");
    for (int i = 0; i < 2000; ++i) all += post_request("/echo", std::to_string(i));
    client.send(all.substr(0, 50000));
    test.until([&] { return test.scene->waiting == 1; });
    CHECK(client.nothing_received());
    test.scene->release();
    client.send(all.substr(50000));
    CHECK(client.answer().body == "{\"late\":true}");
    for (int i = 0; i < 2000; ++i) REQUIRE(client.answer().body == std::to_string(i));
  }

  TEST_CASE("a client that pipelines more than is buffered is held back, not cut off") {
    HttpTest test;
    Client client(test);
    const std::string one = post_request("/echo", std::string(1000, 'x'));
    client.send(get_request("/later"));
    test.until([&] { return test.scene->waiting == 1; });
    std::string many;
    for (int i = 0; i < 200; ++i) many += one;  // 220 KB
    client.send(many);
    test.scene->release();
    CHECK(client.answer().body == "{\"late\":true}");
    for (int i = 0; i < 200; ++i) REQUIRE(client.answer().body.size() == 1000);
  }

  TEST_CASE("a request that arrives byte by byte is a request") {
    HttpTest test;
    Client client(test);
    for (const char c : post_request("/echo", "slow")) client.send(std::string(1, c));
    CHECK(client.answer().body == "slow");
  }

  TEST_CASE("a chunked body arrives whole") {
    HttpTest test;
    Client client(test);
    const auto answer = client.ask(
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    CHECK(answer.body == "abcde");
    CHECK(client.ask(post_request("/echo", "next")).body == "next");
  }

  TEST_CASE("HEAD is answered like GET, without the body") {
    HttpTest test;
    Client client(test);
    client.send("HEAD /facts HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const auto answer = client.answer(false);
    CHECK(answer.status == 201);
    CHECK(answer.has("Content-Length: 5\r\n"));
    CHECK(test.scene->facts["method"] == "GET");
    CHECK(client.ask(post_request("/echo", "next")).body == "next");
  }

  TEST_CASE("HTTP/1.0 is answered and closed, or kept when it asks for it") {
    HttpTest test;
    Client closing(test);
    closing.send("GET /facts HTTP/1.0\r\n\r\n");
    const auto text = closing.until_closed();
    CHECK(text.starts_with("HTTP/1.0 201 "));
    CHECK(text.find("Connection: close\r\n") != std::string::npos);
    Client keeping(test);
    const std::string request = "GET /facts HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    CHECK(keeping.ask(request).has("Connection: keep-alive\r\n"));
    CHECK(keeping.ask(request).status == 201);
  }

  TEST_CASE("Connection: close closes after the answer") {
    HttpTest test;
    Client client(test);
    const auto answer = client.ask(get_request("/facts", "Connection: close\r\n"));
    CHECK(answer.has("Connection: close\r\n"));
    CHECK(client.closed_by_server());
    client.close();
    test.until([&] { return test.server.stats().connections == 0; });
  }

  TEST_CASE("after so many requests a connection ends") {
    HttpTest test(with_limits({.max_requests_per_connection = 2}));
    Client client(test);
    CHECK_FALSE(client.ask(get_request("/facts")).has("Connection: close"));
    CHECK(client.ask(get_request("/facts")).has("Connection: close"));
    CHECK(client.closed_by_server());
  }

  TEST_CASE("a large answer reaches a slow reader whole") {
    HttpTest test;
    Client client(test, 4096);
    client.send(get_request("/large"));
    CHECK(client.answer().body == std::string(3 << 20, 'L'));
  }

  TEST_CASE("many large answers in a row do not pile up in memory") {
    HttpTest test;
    Client client(test, 4096);
    std::string all;
    for (int i = 0; i < 5; ++i) all += get_request("/large");
    client.send(all);
    CHECK(test.server.stats().requests < 5);
    for (int i = 0; i < 5; ++i) CHECK(client.answer().body.size() == 3u << 20);
  }

  TEST_CASE("requests that were sent before the client ended its side are answered") {
    HttpTest test;
    Client client(test);
    client.send(post_request("/echo", "a") + post_request("/echo", "b"));
    client.end_sending();
    const auto text = client.until_closed();
    CHECK(text.ends_with("\r\n\r\nb"));
    test.until([&] { return test.server.stats().connections == 0; });
  }
}

TEST_SUITE("net::HttpServer, refusing") {
  TEST_CASE("a refusal is JSON; without body or with a short one the connection goes on") {
    HttpTest test(with_token());
    Client client(test);
    auto answer = client.ask(get_request("/facts"));
    CHECK(answer.status == 401);
    CHECK(answer.has("WWW-Authenticate: Bearer\r\n"));
    CHECK(answer.body.starts_with(R"({"error":{"code":"Unauthenticated","message":")"));
    answer = client.ask(post_request("/echo", "a body that nobody reads"));
    CHECK(answer.status == 401);
    answer = client.ask("PUT / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(answer.status == 405);
    answer = client.ask("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    CHECK(answer.status == 403);
    answer = client.ask(get_request("/facts", "Authorization: Bearer secret\r\n"));
    CHECK(answer.status == 201);
    CHECK(test.server.stats().refused == 4);
    CHECK(test.server.stats().requests == 1);
  }

  TEST_CASE("framing that two readers may read differently ends the connection") {
    for (const char* text :
         {"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
          "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
          "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
          "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n",
          "GET / HTTP/1.1\nHost: localhost\n\n", "nonsense\r\n\r\n"}) {
      HttpTest test;
      Client client(test);
      client.send(std::string(text) + get_request("/facts"));
      const auto answer = client.until_closed();
      CHECK_MESSAGE((answer.starts_with("HTTP/1.1 400 ") || answer.starts_with("HTTP/1.1 501 ")),
                    answer);
      CHECK(answer.find("Connection: close\r\n") != std::string::npos);
      CHECK(answer.find(" 201 ") == std::string::npos);
      CHECK(test.scene->facts.empty());
    }
  }

  TEST_CASE("a body at the limit passes, one byte more is 413 before it is sent, and the end") {
    HttpTest test(with_limits({.max_body_bytes = 100000}));
    Client client(test);
    const std::string body(100000, 'x');
    CHECK(client.ask(post_request("/echo", body)).body == body);
    client.send(
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 100001\r\n\r\n");
    CHECK(client.answer().status == 413);
    client.send(body);  // read past, so that the answer above is not lost
    CHECK(client.closed_by_server());
  }

  TEST_CASE("a head over the limit is 431") {
    HttpTest test(with_limits({.max_header_bytes = 1000}));
    Client client(test);
    CHECK(client.ask(get_request("/facts", "X: " + std::string(2000, 'x') + "\r\n")).status == 431);
    CHECK(client.closed_by_server());
  }

  TEST_CASE("100-continue is said when the body is welcome, the refusal when it is not") {
    HttpTest test(with_token());
    Client client(test);
    const std::string head =
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 4\r\nExpect: 100-continue\r\n";
    client.send(head + "Authorization: Bearer secret\r\n\r\n");
    CHECK(client.wait_for("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(client.ask("body").body == "body");
    const auto refused = client.ask(head + "\r\n");
    CHECK(refused.status == 401);
    CHECK(refused.has("Connection: close"));
    CHECK(client.closed_by_server());
  }

  TEST_CASE("an allowed origin gets its CORS headers on the answer, a refusal included") {
    HttpOptions options = with_token();
    options.allowed_origins = {"https://app.example"};
    HttpTest test(options);
    Client client(test);
    const std::string origin = "Origin: https://app.example\r\n";
    const std::string allowed = "Access-Control-Allow-Origin: https://app.example\r\n";
    CHECK(client.ask(get_request("/facts", origin)).has(allowed));
    CHECK(client.ask(get_request("/facts", origin + "Authorization: Bearer secret\r\n"))
              .has(allowed));
    CHECK_FALSE(client.ask(get_request("/facts", "Authorization: Bearer secret\r\n"))
                    .has("Access-Control"));
    const auto preflight =
        client.ask("OPTIONS /mcp HTTP/1.1\r\nHost: localhost\r\n" + origin + "\r\n");
    CHECK(preflight.status == 204);
    CHECK(preflight.has(allowed));
    CHECK_FALSE(preflight.has("Content-Length"));
  }

  TEST_CASE("over the limit of connections a client is told to come later") {
    HttpTest test(with_limits({.max_connections = 1}));
    Client first(test);
    CHECK(first.ask(get_request("/facts")).status == 201);
    Client second(test);
    const auto answer = second.until_closed();
    CHECK(answer.starts_with("HTTP/1.1 503 "));
    CHECK(answer.ends_with("}}"));
    CHECK(test.server.stats().turned_away == 1);
  }

  TEST_CASE("bodies of requests without an answer are bounded together") {
    HttpOptions options;
    options.limits.max_total_body_bytes = 1000;
    HttpTest test(options);
    Client first(test);
    first.send(post_request("/later", std::string(600, 'a')));
    test.until([&] { return test.scene->waiting == 1; });
    CHECK(test.server.stats().body_bytes == 600);
    Client second(test);
    const auto refused = second.ask(post_request("/echo", std::string(401, 'b')));
    CHECK(refused.status == 503);
    CHECK(refused.has("Retry-After: 1\r\n"));
    CHECK(refused.body.find("Unavailable") != std::string::npos);
    CHECK(second.ask(post_request("/echo", std::string(400, 'c'))).status == 200);
    CHECK(test.scene->seen.size() == 1);
    test.scene->release();
    CHECK(first.answer().status == 200);
    CHECK(test.server.stats().body_bytes == 0);
    CHECK(second.ask(post_request("/echo", std::string(1000, 'd'))).status == 200);
  }

  TEST_CASE("a body for which there is no room is refused before it is sent, or as it grows") {
    HttpOptions options;
    options.limits.max_total_body_bytes = 1000;
    HttpTest test(options);
    Client known(test);
    known.send(
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 100000\r\n\r\n");
    CHECK(known.answer().status == 503);
    CHECK(known.closed_by_server());
    Client chunked(test);
    chunked.send(
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n384\r\n" +
        std::string(900, 'x') + "\r\n");
    test.until([&] { return test.server.stats().body_bytes == 900; });
    chunked.send("65\r\n" + std::string(101, 'y') + "\r\n");
    const auto refused = chunked.answer();
    CHECK(refused.status == 503);
    CHECK(refused.has("Retry-After: 1\r\n"));
    CHECK(chunked.closed_by_server());
    CHECK(test.server.stats().body_bytes == 0);
    CHECK(test.scene->seen.empty());
  }

  TEST_CASE(
      "a peer that goes gives its part back: half a body at once, a whole one with its call") {
    HttpOptions options;
    options.limits.max_total_body_bytes = 1000;
    HttpTest test(options);
    Client half(test);
    half.send(
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 500\r\n\r\nabc");
    Client whole(test);
    whole.send(post_request("/later", std::string(400, 'a')));
    test.until([&] { return test.scene->waiting == 1; });
    CHECK(test.server.stats().body_bytes == 900);
    half.close();
    test.until([&] { return test.server.stats().body_bytes == 400; });
    whole.close();
    test.until([&] { return test.scene->gone == 1; });
    CHECK(test.server.stats().body_bytes == 400);
    test.scene->release();
    test.until([&] { return test.server.stats().body_bytes == 0; });
  }

  TEST_CASE("half a request and then nothing leaves nothing") {
    for (const bool hard : {false, true}) {
      HttpTest test;
      Client client(test);
      const std::string request = post_request("/echo", "body");
      client.send(request.substr(0, request.size() - 2));
      test.until([&] { return test.server.stats().connections == 1; });
      hard ? client.reset() : client.close();
      test.until([&] { return test.server.stats().connections == 0; });
      CHECK(test.scene->seen.empty());
    }
  }
}

TEST_SUITE("net::HttpServer, time") {
  TEST_CASE("a head that never ends is 408") {
    HttpTest test(with_limits({.header_time = Millis(30)}));
    Client client(test);
    client.send("GET / HTTP/1.1\r\nHost:");
    CHECK(client.until_closed().starts_with("HTTP/1.1 408 "));
    CHECK(test.server.stats().timed_out == 1);
  }

  TEST_CASE("a body that never ends is 408") {
    HttpTest test(with_limits({.body_time = Millis(30)}));
    Client client(test);
    const auto request = post_request("/echo", "body");
    client.send(request.substr(0, request.size() - 1));
    CHECK(client.until_closed().starts_with("HTTP/1.1 408 "));
  }

  TEST_CASE("an idle connection is closed in silence, before or after a request") {
    HttpTest test(with_limits({.idle_time = Millis(30)}));
    Client fresh(test);
    CHECK(fresh.until_closed().empty());
    Client used(test);
    CHECK(used.ask(get_request("/facts")).status == 201);
    CHECK(used.until_closed().empty());
  }

  TEST_CASE("a peer that takes nothing of its answer is given up") {
    HttpTest test(with_limits({.write_time = Millis(30)}));
    Client client(test, 4096);
    client.send(get_request("/large") + get_request("/large"));
    test.until([&] { return test.server.stats().connections == 0; });
    CHECK(test.server.stats().timed_out == 1);
  }

  TEST_CASE("a pending handler is not hurried") {
    HttpTest test(
        with_limits({.header_time = Millis(1), .body_time = Millis(1), .idle_time = Millis(1)}));
    Client client(test);
    client.send(get_request("/later"));
    const auto until = std::chrono::steady_clock::now() + Millis(60);
    test.io.run_until(until);
    CHECK(test.scene->waiting == 1);
    test.scene->release();
    CHECK(client.answer().status == 200);
  }
}

TEST_SUITE("net::HttpServer, handlers") {
  TEST_CASE("a handler that throws or forgets is a 500, and the connection goes on") {
    HttpTest test;
    Client client(test);
    for (const char* path : {"/throw", "/forget"}) {
      const auto answer = client.ask(get_request(path));
      CHECK(answer.status == 500);
      CHECK(answer.body.find("Internal") != std::string::npos);
    }
    CHECK(client.ask(get_request("/facts")).status == 201);
  }

  TEST_CASE("a second answer is refused and counted, the first stands") {
    HttpTest test;
    Client client(test);
    CHECK(client.ask(get_request("/twice")).body == "once");
    CHECK(test.server.stats().second_answers == 3);
    CHECK(client.ask(post_request("/echo", "clean")).body == "clean");
  }

  TEST_CASE("an exchange may be answered long after its handler returned") {
    HttpTest test;
    Client client(test);
    client.send(get_request("/keep"));
    test.until([&] { return test.scene->kept != nullptr; });
    test.scene->kept->respond(200, "text/plain", "kept");
    test.scene->kept.reset();
    CHECK(client.answer().body == "kept");
  }

  TEST_CASE("when the peer goes away on_gone is called once and the rest is a no-op") {
    for (const bool hard : {false, true}) {
      HttpTest test;
      Client client(test);
      client.send(get_request("/later"));
      test.until([&] { return test.scene->waiting == 1; });
      hard ? client.reset() : client.close();
      test.until([&] { return test.scene->gone == 1; });
      test.scene->release();
      test.until([&] { return test.scene->waiting == 0; });
      CHECK(test.scene->gone == 1);
      CHECK(test.server.stats().second_answers == 0);
      CHECK(test.server.stats().pending == 0);
      CHECK(test.server.stats().connections == 0);
    }
  }

  TEST_CASE("stop while a hundred requests are pending leaves nothing") {
    HttpTest test;
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 100; ++i) {
      clients.push_back(std::make_unique<Client>(test));
      clients.back()->send(get_request("/later"));
    }
    test.until([&] { return test.scene->waiting == 100; });
    test.stop();
    CHECK(test.scene->waiting == 0);
    CHECK(test.scene->gone == 100);
    CHECK(test.server.stats().connections == 0);
    CHECK(test.server.stats().pending == 0);
    test.stop();
  }

  TEST_CASE("when accepting stops, open connections go on and new ones are refused") {
    HttpTest test;
    Client client(test);
    CHECK(client.ask(get_request("/facts")).status == 201);
    test.server.stop_accepting();
    test.poll();
    CHECK(client.ask(get_request("/facts")).status == 201);
    Fd late(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(test.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(::connect(late.number, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0);
  }
}

TEST_SUITE("net::HttpServer, listening") {
  TEST_CASE("localhost takes a free port, a taken one is a conflict, a bad host is told") {
    HttpTest test;
    const auto port = test.server.listen("localhost", 0);
    REQUIRE(port.has_value());
    CHECK(*port != 0);
    const auto taken = test.server.listen("127.0.0.1", *port);
    REQUIRE_FALSE(taken.has_value());
    CHECK(taken.error().code == base::ErrorCode::Conflict);
    const auto nowhere = test.server.listen("no such host", 0);
    REQUIRE_FALSE(nowhere.has_value());
    CHECK(nowhere.error().code == base::ErrorCode::InvalidArgument);
  }

  TEST_CASE("bound to any address, the address of the connection is a good Host") {
    HttpTest test;
    const auto port = test.server.listen("0.0.0.0", 0);
    REQUIRE(port.has_value());
    test.port = *port;
    Client client(test);
    const auto host = "127.0.0.1:" + std::to_string(*port);
    CHECK(client.ask("GET /facts HTTP/1.1\r\nHost: " + host + "\r\n\r\n").status == 201);
    CHECK(client.ask("GET /facts HTTP/1.1\r\nHost: 10.9.8.7\r\n\r\n").status == 403);
  }

  TEST_CASE("without descriptors accepting waits and goes on when there are some") {
    HttpTest test;
    Client before(test);
    CHECK(before.ask(get_request("/facts")).status == 201);
    rlimit usual{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &usual) == 0);
    Client waiting(test);
    const rlimit none{4, usual.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    test.poll();
    CHECK(before.ask(get_request("/facts")).status == 201);
    CHECK(test.server.stats().accepted == 1);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &usual) == 0);
    CHECK(waiting.ask(get_request("/facts")).status == 201);
  }
}
