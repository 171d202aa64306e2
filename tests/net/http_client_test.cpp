// Calls to servers that behave, and to servers that do not.
#include "net/http_client.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <filesystem>
#include <future>
#include <set>

#include "support/peer.h"

using namespace mahavishnu;
using base::ErrorCode;
using base::Millis;
using net::HttpCall;
using net::HttpClient;
using net::HttpClientOptions;
using net::HttpReply;
using support::Peer;

namespace {

using Reply = base::Result<HttpReply>;

HttpClientOptions quick() {
  HttpClientOptions options;
  options.connect = Millis(300);
  options.read = Millis(300);
  options.total = Millis(400);
  return options;
}

HttpClientOptions patient() {
  HttpClientOptions options;
  options.total = Millis(20'000);
  return options;
}

struct Caller {
  explicit Caller(const std::string& url, HttpClientOptions options = quick())
      : client(std::move(*HttpClient::make(url, std::move(options)))) {}
  ~Caller() { client->stop(); }

  std::future<Reply> begin(HttpCall call) {
    auto promise = std::make_shared<std::promise<Reply>>();
    auto future = promise->get_future();
    client->send(std::move(call), [promise](Reply reply) { promise->set_value(std::move(reply)); });
    return future;
  }
  Reply ask(std::string body = "{}") {
    HttpCall call;
    call.path = "/call";
    call.body = std::move(body);
    return begin(std::move(call)).get();
  }

  std::unique_ptr<HttpClient> client;
};

// Answers every request with its own body.
void echo(Peer::Line& line) {
  for (std::string request = line.request(); !request.empty(); request = line.request()) {
    line.answer(Peer::Line::body(request));
  }
}

ErrorCode code_of(const Reply& reply) {
  REQUIRE_FALSE(reply.has_value());
  return reply.error().code;
}

std::string unpacked(const std::string& bytes) {
  std::string text(1 << 20, '\0');
  z_stream stream{};
  inflateInit2(&stream, MAX_WBITS + 16);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

}  // namespace

TEST_SUITE("origin") {
  TEST_CASE("a URL is taken apart") {
    const auto origin = net::parse_origin("http://127.0.0.1:8678/mcp/");
    REQUIRE(origin.has_value());
    CHECK(origin->str() == "http://127.0.0.1:8678");
    CHECK(origin->path == "/mcp");
    CHECK(net::parse_origin("https://memory.example")->port == 443);
    CHECK(net::parse_origin("http://[::1]:80")->str() == "http://[::1]:80");
    CHECK(net::parse_origin("http://host")->path.empty());
  }

  TEST_CASE("what is no URL is refused with an example") {
    for (const char* bad :
         {"", "127.0.0.1:80", "ftp://a", "http://", "http://a:b", "http://a:0", "http://a:70000",
          "http://user@a", "http://a/b?c", "http://[::1", "http://a b"}) {
      CAPTURE(bad);
      CHECK_FALSE(net::parse_origin(bad).has_value());
    }
  }
}

TEST_SUITE("http client") {
  TEST_CASE("calls one after another share one connection") {
    Peer peer(echo);
    Caller caller(peer.url(), patient());
    for (int i = 0; i < 10; ++i)
      CHECK(caller.ask("n" + std::to_string(i))->body == "n" + std::to_string(i));
    CHECK(peer.connections() == 1);
    const auto stats = caller.client->stats();
    CHECK(stats.calls == 10);
    CHECK(stats.connections == 1);
    CHECK(stats.reused == 9);
    CHECK(stats.connect_us > 0);
  }

  TEST_CASE("head and body of a call reach the server in one piece") {
    std::promise<int> reads;
    Peer peer([&reads](Peer::Line& line) {
      for (int i = 0; i < 100; ++i) line.answer(Peer::Line::body(line.request()));
      reads.set_value(line.reads());
    });
    Caller caller(peer.url(), patient());
    caller.client->warm(1);
    for (int i = 0; i < 100; ++i) CHECK(caller.ask("text")->body == "text");
    CHECK(reads.get_future().get() == 100);
  }

  TEST_CASE("a body longer than what a socket takes at once arrives whole") {
    Peer peer(echo);
    Caller caller(peer.url(), patient());
    const std::string text(3 << 20, 'x');
    const bool whole = caller.ask(text)->body == text;
    CHECK(whole);
    CHECK(caller.ask("short")->body == "short");
  }

  TEST_CASE("calls at once have a connection each, up to the bound") {
    std::mutex mutex;
    std::condition_variable all;
    int held = 0;
    Peer peer([&](Peer::Line& line) {
      for (std::string request = line.request(); !request.empty(); request = line.request()) {
        std::unique_lock lock(mutex);
        ++held;
        all.notify_all();
        all.wait(lock, [&held] { return held >= 4; });
        lock.unlock();
        line.answer("ok");
      }
    });
    auto options = patient();
    options.connections = 4;
    Caller caller(peer.url(), options);
    std::vector<std::future<Reply>> replies;
    for (int i = 0; i < 12; ++i) replies.push_back(caller.begin({}));
    for (auto& reply : replies) CHECK(reply.get()->body == "ok");
    CHECK(peer.connections() == 4);
  }

  TEST_CASE("connections are made before their calls when they are asked for") {
    Peer peer(echo);
    Caller caller(peer.url(), patient());
    caller.client->warm(3);
    while (peer.connections() < 3) std::this_thread::yield();  // without a call
    CHECK(caller.ask("x")->body == "x");
    std::vector<std::future<Reply>> replies;
    for (int i = 0; i < 3; ++i) replies.push_back(caller.begin({}));
    for (auto& reply : replies) CHECK(reply.get().has_value());
    CHECK(peer.connections() == 3);
  }

  TEST_CASE("connections that were made before their calls leave no descriptor behind") {
    const auto open = [] {
      const std::filesystem::directory_iterator all("/proc/self/fd");
      return std::distance(begin(all), end(all));
    };
    const auto before = open();
    {
      Peer peer(echo);
      Caller caller(peer.url(), patient());
      caller.client->warm(3);
      while (peer.connections() < 3) std::this_thread::yield();
    }
    CHECK(open() == before);
  }

  TEST_CASE("a connection nobody uses goes, and the next call makes another") {
    Peer peer(echo);
    auto options = patient();
    options.idle = Millis(1);
    Caller caller(peer.url(), options);
    CHECK(caller.ask().has_value());
    while (caller.client->stats().open > 0) std::this_thread::yield();
    CHECK(caller.ask().has_value());
    CHECK(peer.connections() == 2);
  }

  TEST_CASE("a kept connection that the server has closed is not used again") {
    std::promise<void> closed;
    Peer peer([&](Peer::Line& line) {
      line.request();
      line.answer("once");
      if (peer.connections() > 1) return line.hang();
      line.close();
      closed.set_value();
      line.hang();
    });
    Caller caller(peer.url(), patient());
    CHECK(caller.ask()->body == "once");
    closed.get_future().wait();
    CHECK(caller.ask()->body == "once");
    CHECK(peer.connections() == 2);
  }

  TEST_CASE("a call that may be repeated survives a connection that closes as it is used") {
    std::atomic<int> calls{0};
    Peer peer([&calls](Peer::Line& line) {
      // The first connection takes a second request and closes without a word.
      for (int served = 0; !line.request().empty(); ++served) {
        if (calls++ > 0 && served > 0) return;
        line.answer("ok");
      }
    });
    Caller caller(peer.url(), patient());
    CHECK(caller.ask().has_value());
    HttpCall call;
    call.repeatable = true;
    CHECK(caller.begin(std::move(call)).get().has_value());
    CHECK(peer.connections() == 2);
    CHECK(code_of(caller.ask()) == ErrorCode::Unavailable);  // this one may not
  }

  TEST_CASE("bytes nobody asked for are not read as the next answer") {
    Peer peer([](Peer::Line& line) {
      while (!line.request().empty()) {
        line.write(
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n"
            "Content-Length: 3\r\n\r\nbad");
      }
    });
    Caller caller(peer.url(), patient());
    for (int i = 0; i < 3; ++i) CHECK(caller.ask()->body == "ok");
  }

  TEST_CASE("an answer of any status is an answer, and no redirect is followed") {
    Peer peer([](Peer::Line& line) {
      while (!line.request().empty()) {
        line.answer("", "307 Temporary Redirect", "Location: http://elsewhere.invalid/\r\n");
      }
    });
    Caller caller(peer.url());
    const auto reply = caller.ask();
    REQUIRE(reply.has_value());
    CHECK(reply->status == 307);
    CHECK(reply->header("location") == "http://elsewhere.invalid/");
    CHECK(reply->header("none").empty());
  }

  TEST_CASE("headers and body reach the server as they are") {
    std::promise<std::string> seen;
    Peer peer([&seen](Peer::Line& line) {
      seen.set_value(line.request());
      line.answer("ok");
    });
    Caller caller(peer.url());
    HttpCall call;
    call.path = "/mcp";
    call.headers = {{"Accept", "application/json, text/event-stream"}, {"Mcp-Session-Id", "abc"}};
    call.body = R"({"a":1})";
    CHECK(caller.begin(std::move(call)).get().has_value());
    const std::string request = seen.get_future().get();
    CHECK(request.starts_with("POST /mcp HTTP/1.1\r\n"));
    CHECK(request.find("Mcp-Session-Id: abc\r\n") != std::string::npos);
    CHECK(request.find("Content-Type: application/json\r\n") != std::string::npos);
    CHECK(Peer::Line::body(request) == R"({"a":1})");
  }
}

TEST_SUITE("http client, packing") {
  TEST_CASE("long bodies are packed once the server has said that it takes that, not before") {
    std::mutex mutex;
    std::vector<std::string> requests;
    Peer peer([&](Peer::Line& line) {
      for (std::string request = line.request(); !request.empty(); request = line.request()) {
        {
          const std::lock_guard lock(mutex);
          requests.push_back(request);
        }
        line.answer("ok", "200 OK", "Accept-Encoding: gzip\r\n");
      }
    });
    Caller caller(peer.url(), patient());
    const std::string large(5000, 'x');
    for (const std::string& body : {large, large, std::string("short")})
      CHECK(caller.ask(body).has_value());
    REQUIRE(requests.size() == 3);
    CHECK(Peer::Line::body(requests[0]) == large);
    CHECK(requests[1].find("Content-Encoding: gzip\r\n") != std::string::npos);
    CHECK(unpacked(Peer::Line::body(requests[1])) == large);
    CHECK(Peer::Line::body(requests[2]) == "short");
  }

  TEST_CASE("a server that takes it no more is sent the same plainly, at once and from then on") {
    std::atomic<int> packed{0};
    Peer peer([&packed](Peer::Line& line) {
      for (std::string request = line.request(); !request.empty(); request = line.request()) {
        const bool gzip = request.find("Content-Encoding: gzip") != std::string::npos;
        if (gzip) ++packed;
        line.answer("", gzip ? "415 Unsupported Media Type" : "200 OK",
                    packed > 0 ? "" : "Accept-Encoding: gzip\r\n");
      }
    });
    Caller caller(peer.url(), patient());
    for (int i = 0; i < 3; ++i) CHECK(caller.ask(std::string(5000, 'x'))->status == 200);
    CHECK(packed == 1);
  }
}

TEST_SUITE("http client, bad days") {
  TEST_CASE("a server that is not there") {
    const support::ClosedPort closed;
    Caller caller(closed.url());
    CHECK(code_of(caller.ask()) == ErrorCode::Unavailable);
    CHECK(caller.client->stats().failures == 1);
  }

  TEST_CASE("a server that takes the connection and says nothing") {
    Peer peer([](Peer::Line& line) { line.hang(); });
    Caller caller(peer.url());
    CHECK_FALSE(caller.ask().has_value());
  }

  TEST_CASE("a body that drips in ends at the total limit") {
    Peer peer([](Peer::Line& line) {
      line.request();
      line.write("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
      line.drip(std::string(100000, 'x'));
    });
    Caller caller(peer.url());
    CHECK(code_of(caller.ask()) == ErrorCode::Deadline);
  }

  TEST_CASE("a head that drips in does as well") {
    Peer peer([](Peer::Line& line) {
      line.request();
      line.drip("HTTP/1.1 200 OK\r\nX-Slow: " + std::string(100000, 'x'));
    });
    Caller caller(peer.url());
    CHECK(code_of(caller.ask()) == ErrorCode::Deadline);
  }

  TEST_CASE("an answer that is cut off is none") {
    for (const char* answer :
         {"", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal", "garbage\r\n\r\n"}) {
      CAPTURE(answer);
      Peer peer([answer](Peer::Line& line) {
        line.request();
        line.write(answer);
      });
      Caller caller(peer.url());
      CHECK(code_of(caller.ask()) == ErrorCode::Unavailable);
    }
  }

  TEST_CASE("an answer longer than the bound is not taken, whatever it says of its length") {
    for (const std::string head :
         {"Content-Length: 100000\r\n", "Content-Length: 99999999999999999999\r\n", ""}) {
      CAPTURE(head);
      Peer peer([head](Peer::Line& line) {
        line.request();
        line.write("HTTP/1.1 200 OK\r\n" + head + "\r\n");
        line.write(std::string(100000, 'x'));
      });
      auto options = patient();
      options.max_body = 50'000;
      Caller caller(peer.url(), options);
      const auto reply = caller.ask();
      CHECK(code_of(reply) == ErrorCode::Unavailable);
      CHECK(reply.error().message.find("more than 50000 bytes") != std::string::npos);
    }
  }

  TEST_CASE("what is enough does not wait for an end that does not come") {
    Peer peer([](Peer::Line& line) {
      line.request();
      line.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndone\r\n");
      line.hang();
    });
    Caller caller(peer.url(), patient());
    HttpCall call;
    call.enough = [](std::string_view body) { return body == "done"; };
    const auto reply = caller.begin(std::move(call)).get();
    REQUIRE(reply.has_value());
    CHECK(reply->status == 200);
    CHECK(reply->body == "done");
  }

  TEST_CASE("one client's hung calls hold up no other client") {
    Peer hung([](Peer::Line& line) { line.hang(); });
    Peer good(echo);
    Caller stuck(hung.url(), patient());
    Caller free(good.url(), patient());
    std::vector<std::future<Reply>> waiting;
    for (int i = 0; i < 30; ++i) waiting.push_back(stuck.begin({}));
    CHECK(free.ask("x")->body == "x");
    CHECK(stuck.client->stats().open == 20);
    stuck.client->stop();
    for (auto& reply : waiting) CHECK(code_of(reply.get()) == ErrorCode::Cancelled);
  }

  TEST_CASE("more calls than may wait are refused") {
    Peer hung([](Peer::Line& line) { line.hang(); });
    auto options = patient();
    options.connections = 1;
    options.max_queue = 2;
    Caller caller(hung.url(), options);
    std::vector<std::future<Reply>> waiting;
    for (int i = 0; i < 10; ++i) waiting.push_back(caller.begin({}));
    CHECK(code_of(waiting.back().get()) == ErrorCode::Exhausted);
  }

  TEST_CASE("calls that wait can be withdrawn, and the one under way goes on") {
    std::promise<void> came, go;
    Peer peer([&](Peer::Line& line) {
      line.request();
      came.set_value();
      go.get_future().wait();
      line.answer("done");
      CHECK(line.request().empty());  // nothing follows
    });
    auto options = patient();
    options.connections = 1;
    Caller caller(peer.url(), options);
    auto under_way = caller.begin({});
    came.get_future().wait();
    auto second = caller.begin({});
    auto third = caller.begin({});
    caller.client->withdraw();
    CHECK(code_of(second.get()) == ErrorCode::Cancelled);
    CHECK(code_of(third.get()) == ErrorCode::Cancelled);
    go.set_value();
    CHECK(under_way.get()->body == "done");
    caller.client->stop();
  }

  TEST_CASE("how long it did not answer is told once it does again") {
    std::atomic<bool> well{false};
    Peer peer([&well](Peer::Line& line) {
      while (!line.request().empty() && well) line.answer("ok");
    });
    Caller caller(peer.url(), patient());
    CHECK_FALSE(caller.ask().has_value());
    CHECK_FALSE(caller.ask().has_value());
    well = true;
    CHECK(caller.ask().has_value());
    const auto stats = caller.client->stats();
    CHECK(stats.failures == 2);
    CHECK(stats.recoveries == 1);
  }

  TEST_CASE("a host without an address is told") {
    Caller caller("http://no-such-host.invalid:80");
    CHECK(code_of(caller.ask()) == ErrorCode::Unavailable);
  }

  TEST_CASE("a TLS client that meets plain text, and one that hangs in the handshake") {
    Peer plain([](Peer::Line& line) {
      line.write("HTTP/1.1 400 Bad Request\r\n\r\n");
      line.hang();
    });
    Peer hung([](Peer::Line& line) { line.hang(); });
    for (const int port : {plain.port(), hung.port()}) {
      Caller caller("https://127.0.0.1:" + std::to_string(port));
      CHECK_FALSE(caller.ask().has_value());
    }
  }
}
