// A memory server and an OpenSearch that answers every request after a fixed time, however many
// come at once.
//
// usage: slow_server LATENCY_MS [modern]   (prints its port; GET /figures tells what it has seen,
// GET /reset forgets it)
//
// It speaks MCP with a handshake, as Session Buddy does, or with `modern` without one, and POST
// …/tools/call for the old way; of OpenSearch it has _index_template and _bulk, and takes every
// document. It does as little as it can: it shares the cores with what is measured. Times are from
// the first store that came to the last answer to one.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/asio.h"
#include "base/task_group.h"

namespace {

using namespace mahavishnu;
using Clock = std::chrono::steady_clock;

struct Seen {
  long stores = 0, documents = 0, requests = 0, connections = 0, now = 0, most = 0;
  Clock::time_point contact{}, first{}, last{};
};
Seen seen;
std::chrono::microseconds latency{0};
bool modern = false;

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

std::string figures() {
  char text[256];
  std::snprintf(
      text, sizeof text,
      "{\"stores\":%ld,\"documents\":%ld,\"requests\":%ld,\"connections\":%ld,\"most_at_once\":%ld,"
      "\"seconds\":%.6f,\"handshake_s\":%.6f}",
      seen.stores, seen.documents, seen.requests, seen.connections, seen.most,
      seconds(seen.last - seen.first), seconds(seen.first - seen.contact));
  return text;
}

// The value of a member of the request: enough for what one client sends.
std::string member(const std::string& body, const std::string& name) {
  const auto at = body.find("\"" + name + "\":");
  if (at == std::string::npos) return "";
  auto from = at + name.size() + 3;
  if (body[from] == '"') {
    ++from;
    return body.substr(from, body.find('"', from) - from);
  }
  return body.substr(from, body.find_first_of(",}", from) - from);
}

std::string answer_to(const std::string& body) {
  const std::string method = member(body, "method");
  std::string result = "{\"content\":[{\"type\":\"text\",\"text\":\"Reflection stored\"}]}";
  if (method == "initialize") result = "{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{}}";
  if (method == "tools/list") result = "{\"tools\":[{\"name\":\"store_reflection\"}]}";
  if (method.rfind("notifications/", 0) == 0) return "{}";
  const std::string id = "{\"jsonrpc\":\"2.0\",\"id\":" + member(body, "id");
  if (method == "server/discover" && !modern) {
    return id + ",\"error\":{\"code\":-32601,\"message\":\"\"}}";
  }
  if (method == "server/discover") {
    result =
        "{\"supportedVersions\":[\"2026-07-28\"],\"capabilities\":{},"
        "\"serverInfo\":{\"name\":\"slow\",\"version\":\"1\"}}";
  }
  return id + ",\"result\":" + result + "}";
}

// A document is two lines; each is created.
std::string take_bulk(const std::string& body) {
  const auto documents = std::count(body.begin(), body.end(), '\n') / 2;
  std::string text = "{\"took\":1,\"errors\":false,\"items\":[";
  for (long i = 0; i < documents; ++i) {
    text += i == 0 ? "{\"create\":{\"status\":201}}" : ",{\"create\":{\"status\":201}}";
  }
  seen.documents += documents;
  return text + "]}";
}

base::awaitable<void> serve(asio::ip::tcp::socket socket) {
  ++seen.connections;
  socket.set_option(asio::ip::tcp::no_delay(true));
  asio::steady_timer timer(socket.get_executor());
  std::string kept;
  for (;;) {
    auto head = kept.find("\r\n\r\n");
    std::size_t length = 0;
    if (head != std::string::npos) {
      head += 4;
      const auto at = kept.find("Content-Length: ");
      if (at < head) length = std::strtoul(kept.c_str() + at + 16, nullptr, 10);
    }
    if (head == std::string::npos || kept.size() < head + length) {
      char bytes[16384];
      const auto [failed, count] =
          co_await socket.async_read_some(asio::buffer(bytes), base::as_result);
      if (failed) co_return;
      kept.append(bytes, count);
      continue;
    }
    const std::string line = kept.substr(0, kept.find("\r\n"));
    const std::string body = kept.substr(head, length);
    kept.erase(0, head + length);
    std::string text;
    if (line.rfind("GET ", 0) == 0) {
      if (line.find("/reset") != std::string::npos) seen = Seen{};
      text = figures();
    } else {
      const bool plain = line.find("/tools/call") != std::string::npos;
      const bool stores = plain || member(body, "method") == "tools/call";
      const auto came = Clock::now();
      ++seen.requests;
      if (seen.contact == Clock::time_point{}) seen.contact = came;
      if (stores && seen.first == Clock::time_point{}) seen.first = came;
      if (stores && ++seen.now > seen.most) seen.most = seen.now;
      const bool bulk = line.find("/_bulk") != std::string::npos;
      text = bulk                         ? take_bulk(body)
             : line.rfind("PUT ", 0) == 0 ? "{\"acknowledged\":true}"
             : plain                      ? "{\"success\":true}"
                                          : answer_to(body);
      timer.expires_at(came + latency);
      co_await timer.async_wait(base::as_result);
      if (stores) {
        --seen.now;
        ++seen.stores;
        seen.last = Clock::now();
      }
    }
    const std::string reply =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: s\r\n"
        "Content-Length: " +
        std::to_string(text.size()) + "\r\n\r\n" + text;
    const auto [failed, written] =
        co_await asio::async_write(socket, asio::buffer(reply), base::as_result);
    if (failed || written == 0) co_return;
  }
}

base::awaitable<void> listen(asio::ip::tcp::acceptor& acceptor, base::TaskGroup& group) {
  for (;;) {
    auto [failed, socket] = co_await acceptor.async_accept(base::as_result);
    if (!failed) group.spawn(serve(std::move(socket)));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  modern = argc > 2;
  latency = std::chrono::microseconds(static_cast<long>(std::atof(argv[1]) * 1000));
  asio::io_context io(1);
  asio::ip::tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  std::printf("%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  base::TaskGroup group(io.get_executor(), "slow server");
  group.spawn(listen(acceptor, group));
  io.run();
}
