// Connections that were used once and then idle, as an assistant's are between two questions.
//
// usage: hold_connections PORT PATH HEADERS_FILE BODY_FILE CONNECTIONS
// Opens them, makes one request on each, prints "ready" and holds them until stdin ends.
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "http_connection.h"

namespace {

// One request and its answer; false: the connection was lost.
bool ask(perf::HttpConnection& connection, const std::string& request) {
  connection.send(request);
  while (!connection.failed()) {
    pollfd wanted{connection.fd(), POLLIN, 0};
    poll(&wanted, 1, 10000);
    if (const auto reply = connection.readable()) return reply->status == 200;
    if (wanted.revents == 0) return false;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: hold_connections PORT PATH HEADERS_FILE BODY_FILE CONNECTIONS\n");
    return 2;
  }
  const auto port = static_cast<std::uint16_t>(std::atoi(argv[1]));
  const std::string request =
      perf::post(argv[2], perf::read_file(argv[3]), perf::read_file(argv[4]));
  std::vector<std::unique_ptr<perf::HttpConnection>> connections(
      std::strtoul(argv[5], nullptr, 10));
  for (auto& connection : connections) {
    connection = std::make_unique<perf::HttpConnection>(port);
    if (!ask(*connection, request)) {
      std::fprintf(stderr, "connection %td was not answered\n", &connection - connections.data());
      return 1;
    }
  }
  std::puts("ready");
  std::fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  for (const auto& connection : connections) {  // closed by the server meanwhile?
    pollfd state{connection->fd(), POLLIN, 0};
    if (poll(&state, 1, 0) != 0) {
      std::puts("lost");
      return 1;
    }
  }
  return 0;
}
