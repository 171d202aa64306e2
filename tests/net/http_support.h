// A server on a loopback port with a handler of many paths, and a client that shares its thread.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <map>

#include "net/http_server.h"
#include "net/signal.h"
#include "net/support.h"

namespace mahavishnu::net::testing {

// What the handler below shares with the test.
struct Scene {
  explicit Scene(asio::any_io_executor executor) : changed(executor) {}
  void release() {
    released = true;
    changed.notify();
  }
  Signal changed;
  bool released = false;
  int waiting = 0;
  int gone = 0;
  int events = 0;
  std::vector<std::string> seen;  // bodies of /echo
  std::map<std::string, std::string> facts;
  std::shared_ptr<rpc::HttpExchange> kept;
};

inline base::awaitable<void> answer_later(std::shared_ptr<Scene> scene,
                                          std::shared_ptr<rpc::HttpExchange> exchange) {
  exchange->on_gone([scene] { ++scene->gone; });
  ++scene->waiting;
  bool waiting = true;
  while (waiting && !scene->released) waiting = co_await scene->changed.wait();
  --scene->waiting;
  if (waiting) exchange->respond(200, "application/json", "{\"late\":true}");
}

// Sends events until the peer goes away or `count` are out.
inline base::awaitable<void> stream(std::shared_ptr<Scene> scene,
                                    std::shared_ptr<rpc::HttpExchange> exchange, int count,
                                    std::size_t size) {
  exchange->on_gone([scene] { ++scene->gone; });
  exchange->start_stream();
  bool going_on = true;
  for (int i = 0; going_on && i < count; ++i) {
    rpc::Event event{std::string(size, 'e')};
    going_on = co_await exchange->send_event(std::move(event));
    if (going_on) ++scene->events;
  }
  if (going_on) exchange->end_stream();
}

inline base::awaitable<void> hold_stream(std::shared_ptr<Scene> scene,
                                         std::shared_ptr<rpc::HttpExchange> exchange) {
  exchange->on_gone([scene] { ++scene->gone; });
  exchange->start_stream({{"X-Stream", "1"}});
  rpc::Event first{"first"};
  co_await exchange->send_event(std::move(first));
  bool waiting = true;
  while (waiting && !scene->released) waiting = co_await scene->changed.wait();
  rpc::Event last{"last"};
  if (waiting) co_await exchange->send_event(std::move(last));
  exchange->end_stream();
}

inline base::awaitable<void> handle(std::shared_ptr<Scene> scene,
                                    std::shared_ptr<rpc::HttpExchange> exchange) {
  const std::string path(exchange->path());
  if (path == "/echo") {
    std::string body = exchange->take_body();
    scene->seen.push_back(body);
    exchange->respond(200, "application/json", std::move(body));
  } else if (path == "/facts") {
    scene->facts = {{"method", std::string(exchange->method())},
                    {"query", std::string(exchange->query())},
                    {"agent", std::string(exchange->header("user-agent"))},
                    {"caller", std::string(exchange->caller())}};
    rpc::HeaderList headers{{"X-Fact", "yes"}};
    exchange->respond(201, "text/plain", "facts", std::move(headers));
  } else if (path == "/later") {
    co_await answer_later(scene, exchange);
  } else if (path == "/stream") {
    co_await stream(scene, exchange, 3, 5);
  } else if (path == "/flood") {
    co_await stream(scene, exchange, 1000000, 64 * 1024);
  } else if (path == "/hold") {
    co_await hold_stream(scene, exchange);
  } else if (path == "/throw") {
    throw std::runtime_error("a bug");
  } else if (path == "/twice") {
    exchange->respond(200, "text/plain", "once");
    exchange->respond(500, "text/plain", "twice");
    exchange->start_stream();
    exchange->end_stream();
  } else if (path == "/keep") {
    scene->kept = exchange;
  } else if (path == "/large") {
    exchange->respond(200, "text/plain", std::string(3 << 20, 'L'));
  } else if (path != "/forget" && path != "/cut") {
    exchange->respond(404, "text/plain", "no " + path);
  } else if (path == "/cut") {
    exchange->start_stream();
  }
}

struct Answer {
  int status = 0;
  std::string head;
  std::string body;
  bool has(std::string_view line) const { return head.find(line) != std::string::npos; }
};

struct HttpTest : Loop {
  explicit HttpTest(HttpOptions options = {})
      : scene(std::make_shared<Scene>(io.get_executor())),
        server(io.get_executor(), std::move(options),
               [scene = scene](std::shared_ptr<rpc::HttpExchange> exchange) {
                 return handle(scene, std::move(exchange));
               }) {
    const auto bound = server.listen("127.0.0.1", 0);
    REQUIRE_MESSAGE(bound.has_value(), bound.error().message);
    port = *bound;
  }
  ~HttpTest() { stop(); }
  void stop() {
    bool stopped = false;
    group.spawn(stop_server(server, stopped));
    until([&] { return stopped; });
  }
  static base::awaitable<void> stop_server(HttpServer& server, bool& stopped) {
    co_await server.stop();
    stopped = true;
  }

  std::shared_ptr<Scene> scene;
  HttpServer server;
  std::uint16_t port = 0;
};

class Client {
 public:
  explicit Client(HttpTest& test, int receive_buffer = 0) : test_(test), socket_(test.io) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) {
      ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(test.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    socket_.assign(fd);
  }

  // Runs the server and wakes for what arrives here.
  template <class Condition>
  void until(Condition condition) {
    test_.until([&] {
      if (condition()) return true;
      if (!std::exchange(*watching_, true)) {
        socket_.async_wait(asio::posix::descriptor_base::wait_read,
                           [watching = watching_](asio::error_code) { *watching = false; });
      }
      return false;
    });
  }

  void send(std::string_view text) {
    while (!text.empty()) {
      const auto sent =
          ::send(socket_.native_handle(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
      if (sent < 0 && errno != EAGAIN) return;  // the server has closed; its answer is what counts
      test_.poll();
    }
  }
  void end_sending() { ::shutdown(socket_.native_handle(), SHUT_WR); }
  void close() { socket_.close(); }
  void reset() {
    const linger now{1, 0};
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    socket_.close();
  }

  // Takes what is there; false at the end of the connection.
  bool receive() {
    char bytes[65536];
    const auto got = ::recv(socket_.native_handle(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (got > 0) received_.append(bytes, static_cast<std::size_t>(got));
    return got > 0 || (got < 0 && errno == EAGAIN);
  }
  bool closed_by_server() {
    until([&] { return !receive(); });
    return true;
  }
  std::string until_closed() {
    closed_by_server();
    return std::exchange(received_, {});
  }
  std::string wait_for(std::string_view part) {
    until([&] { return !receive() || received_.find(part) != std::string::npos; });
    const auto at = received_.find(part);
    REQUIRE_MESSAGE(at != std::string::npos, received_);
    std::string text = received_.substr(0, at + part.size());
    received_.erase(0, text.size());
    return text;
  }
  Answer answer(bool with_body = true) {
    Answer answer;
    answer.head = wait_for("\r\n\r\n");
    answer.status = std::stoi(answer.head.substr(9, 3));
    const auto at = answer.head.find("Content-Length: ");
    if (at == std::string::npos || !with_body) return answer;
    const auto size = std::stoul(answer.head.substr(at + 16));
    until([&] { return received_.size() >= size || !receive(); });
    answer.body = received_.substr(0, size);
    received_.erase(0, size);
    return answer;
  }
  Answer ask(std::string_view text) {
    send(text);
    return answer();
  }
  bool nothing_received() {
    test_.poll();
    receive();
    return received_.empty();
  }

 private:
  HttpTest& test_;
  asio::posix::stream_descriptor socket_;
  std::shared_ptr<bool> watching_ = std::make_shared<bool>(false);
  std::string received_;
};

inline std::string get_request(const std::string& path, const std::string& headers = {}) {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
}

inline std::string post_request(const std::string& path, const std::string& body,
                                const std::string& headers = {}) {
  return "POST " + path +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n" + headers + "\r\n" + body;
}

}  // namespace mahavishnu::net::testing
