#include "net/http_support.h"

using namespace mahavishnu;
using namespace mahavishnu::net;
using namespace mahavishnu::net::testing;
using base::Millis;

TEST_SUITE("net::HttpServer, event streams") {
  TEST_CASE("events are chunks of data lines, and the connection goes on after them") {
    HttpTest test;
    Client client(test);
    client.send(get_request("/stream"));
    const auto head = client.wait_for("\r\n\r\n");
    CHECK(head.find("Content-Type: text/event-stream\r\n") != std::string::npos);
    CHECK(head.find("Cache-Control: no-store\r\n") != std::string::npos);
    CHECK(head.find("X-Accel-Buffering: no\r\n") != std::string::npos);
    CHECK(head.find("Transfer-Encoding: chunked\r\n") != std::string::npos);
    const std::string event = "d\r\ndata: eeeee\n\n\r\n";
    CHECK(client.wait_for("0\r\n\r\n") == event + event + event + "0\r\n\r\n");
    CHECK(client.ask(post_request("/echo", "next")).body == "next");
  }

  TEST_CASE("over HTTP/1.0 the end of the connection ends the stream") {
    HttpTest test;
    Client client(test);
    client.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const auto text = client.until_closed();
    CHECK(text.find("Connection: close\r\n") != std::string::npos);
    CHECK(text.ends_with("\r\n\r\ndata: eeeee\n\ndata: eeeee\n\ndata: eeeee\n\n"));
  }

  TEST_CASE("an event leaves at once, not when the stream ends") {
    HttpTest test;
    Client client(test);
    client.send(get_request("/hold"));
    CHECK(client.wait_for("data: first\n\n").find("X-Stream: 1\r\n") != std::string::npos);
    test.scene->release();
    client.wait_for("data: last\n\n");
    client.wait_for("0\r\n\r\n");
  }

  TEST_CASE("a silent stream gets comments") {
    HttpOptions options;
    options.limits.sweep = Millis(10);
    options.limits.stream_keep_alive = Millis(20);
    HttpTest test(options);
    Client client(test);
    client.send(get_request("/hold"));
    client.wait_for("data: first\n\n");
    client.wait_for(": keep-alive\n\n");
    client.wait_for(": keep-alive\n\n");
  }

  TEST_CASE("a reader that is too slow holds the sender, who then goes on") {
    HttpTest test;
    Client client(test, 4096);
    client.send(get_request("/flood"));
    client.wait_for("\r\n\r\n");
    test.poll();
    const int held = test.scene->events;
    CHECK(held < 1000);  // 64 KB each: bounded by buffers, not by memory
    client.until([&] {
      client.receive();
      return test.scene->events > held + 10;
    });
  }

  TEST_CASE("a client that vanishes mid-stream ends it, once, even when the sender waits") {
    for (const bool hard : {false, true}) {
      HttpTest test;
      Client client(test, 4096);
      client.send(get_request("/flood"));
      client.wait_for("\r\n\r\n");
      test.poll();
      hard ? client.reset() : client.close();
      test.until([&] { return test.scene->gone == 1; });
      test.until([&] { return test.server.stats().pending == 0; });
      CHECK(test.server.stats().connections == 0);
      CHECK(test.scene->gone == 1);
    }
  }

  TEST_CASE("a stream that is dropped is cut, so that its client sees that it is not whole") {
    HttpTest test;
    Client client(test);
    client.send(get_request("/cut"));
    CHECK(client.until_closed().find("0\r\n\r\n") == std::string::npos);
  }

  TEST_CASE("HEAD of a stream is its head") {
    HttpTest test;
    Client client(test);
    client.send("HEAD /stream HTTP/1.1\r\nHost: localhost\r\n\r\n");
    CHECK(client.wait_for("\r\n\r\n").find("text/event-stream") != std::string::npos);
    CHECK(client.ask(post_request("/echo", "next")).body == "next");
  }

  TEST_CASE("stop in the middle of streams leaves nothing") {
    HttpTest test;
    Client slow(test, 4096);
    slow.send(get_request("/flood"));
    Client quiet(test);
    quiet.send(get_request("/hold"));
    quiet.wait_for("data: first\n\n");
    test.stop();
    CHECK(test.scene->gone == 2);
    CHECK(test.server.stats().pending == 0);
  }
}
