#include "net/unix_socket.h"

#include <sys/stat.h>
#include <sys/un.h>

#include <fstream>

#include "net/support.h"

using namespace mahavishnu;
using namespace mahavishnu::net;
using namespace mahavishnu::net::testing;
using base::ErrorCode;
using Connected = base::Result<std::unique_ptr<rpc::Connection>>;

namespace {

base::awaitable<void> accept_into(UnixListener& listener, std::vector<Connected>& accepted) {
  auto connection = co_await listener.accept();
  accepted.push_back(std::move(connection));
}

base::awaitable<void> connect_into(asio::any_io_executor executor, std::string path,
                                   std::vector<Connected>& connected) {
  auto connection = co_await connect_unix(executor, std::move(path));
  connected.push_back(std::move(connection));
}

struct Sockets : Loop {
  std::string path() { return (folder.path / "s.sock").string(); }
  std::unique_ptr<UnixListener> listen() {
    auto listener = UnixListener::open(io.get_executor(), path());
    REQUIRE_MESSAGE(listener.has_value(), listener.error().message);
    return std::move(*listener);
  }
  void meet(UnixListener& listener) {
    group.spawn(accept_into(listener, accepted));
    group.spawn(connect_into(io.get_executor(), path(), connected));
    until([&] { return group.size() == 0; });
  }
  TemporaryFolder folder;
  std::vector<Connected> accepted, connected;
  std::vector<Read> reads;
  std::vector<base::Status> writes;
};

}  // namespace

TEST_SUITE("net::UnixListener") {
  TEST_CASE("a client and the server talk, and the client's end is seen") {
    Sockets sockets;
    auto listener = sockets.listen();
    sockets.meet(*listener);
    auto& server = *sockets.accepted.at(0);
    auto& client = *sockets.connected.at(0);
    CHECK(server->name().starts_with("socket:"));
    sockets.group.spawn(write_all(*client, {"question"}, sockets.writes));
    sockets.group.spawn(read_into(*server, sockets.reads, 1));
    sockets.until([&] { return sockets.reads.size() == 1; });
    sockets.group.spawn(write_all(*server, {"answer"}, sockets.writes));
    sockets.group.spawn(read_into(*client, sockets.reads, 1));
    sockets.until([&] { return sockets.reads.size() == 2; });
    CHECK(**sockets.reads[1] == "answer");
    client.reset();
    sockets.group.spawn(read_into(*server, sockets.reads, 1));
    sockets.until([&] { return sockets.reads.size() == 3; });
    CHECK(is_end(sockets.reads[2]));
  }

  TEST_CASE("the socket is for its user only, whatever the umask") {
    Sockets sockets;
    const auto before = ::umask(0);
    auto listener = sockets.listen();
    ::umask(before);
    struct stat file {};
    REQUIRE(::stat(sockets.path().c_str(), &file) == 0);
    CHECK((file.st_mode & 07777) == 0600);
    CHECK_FALSE(std::filesystem::exists(sockets.path() + "~"));
  }

  TEST_CASE("a path that a live server answers on is a conflict") {
    Sockets sockets;
    auto listener = sockets.listen();
    const auto second = UnixListener::open(sockets.io.get_executor(), sockets.path());
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().code == ErrorCode::Conflict);
  }

  TEST_CASE("what a dead server left is taken over") {
    Sockets sockets;
    {
      Fd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      sockets.path().copy(address.sun_path, sizeof address.sun_path - 1);
      REQUIRE(::bind(dead.number, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }
    REQUIRE(std::filesystem::exists(sockets.path()));
    auto listener = sockets.listen();
    sockets.meet(*listener);
    CHECK(sockets.connected.at(0).has_value());
  }

  TEST_CASE("a file that is no socket is left alone") {
    Sockets sockets;
    std::ofstream(sockets.path()) << "precious";
    const auto listener = UnixListener::open(sockets.io.get_executor(), sockets.path());
    REQUIRE_FALSE(listener.has_value());
    CHECK(listener.error().code == ErrorCode::InvalidArgument);
    CHECK(std::filesystem::file_size(sockets.path()) == 8);
  }

  TEST_CASE("a path too long for a socket is refused with the limit") {
    Sockets sockets;
    const auto listener =
        UnixListener::open(sockets.io.get_executor(), "/tmp/" + std::string(120, 'x'));
    REQUIRE_FALSE(listener.has_value());
    CHECK(listener.error().code == ErrorCode::InvalidArgument);
    CHECK(listener.error().message.find("shorter") != std::string::npos);
  }

  TEST_CASE("close ends a waiting accept and removes the path, unless another took it") {
    Sockets sockets;
    auto listener = sockets.listen();
    sockets.group.spawn(accept_into(*listener, sockets.accepted));
    sockets.poll();
    listener->close();
    listener->close();
    sockets.until([&] { return !sockets.accepted.empty(); });
    CHECK(sockets.accepted[0].error().code == ErrorCode::Cancelled);
    CHECK_FALSE(std::filesystem::exists(sockets.path()));

    auto old = sockets.listen();
    std::filesystem::remove(sockets.path());
    auto fresh = sockets.listen();
    old.reset();
    CHECK(std::filesystem::exists(sockets.path()));
  }

  TEST_CASE("with nobody there a client is told so") {
    Sockets sockets;
    sockets.group.spawn(connect_into(sockets.io.get_executor(), sockets.path(), sockets.connected));
    sockets.until([&] { return !sockets.connected.empty(); });
    CHECK(sockets.connected[0].error().code == ErrorCode::Unavailable);
    CHECK(sockets.connected[0].error().message.find(sockets.path()) != std::string::npos);
  }
}
