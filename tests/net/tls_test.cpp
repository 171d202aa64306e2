#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "net/asio_ssl.h"
#include "net/tls_identity.h"
#include "net/tls_terminator.h"

namespace mahavishnu::net {
namespace {

using asio::ip::tcp;

template <class T, auto Free>
struct Freed {
  void operator()(T* one) const { Free(one); }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Freed<T, Free>>;
using Key = Owned<EVP_PKEY, EVP_PKEY_free>;

// A certificate that vouches for itself, and its key, as files.
struct Files {
  Files() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tls.XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    const Key key(EVP_EC_gen("P-256"));
    const Owned<X509, X509_free> made(X509_new());
    X509_gmtime_adj(X509_getm_notBefore(made.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
    X509_set_pubkey(made.get(), key.get());
    REQUIRE(X509_sign(made.get(), key.get(), EVP_sha256()) > 0);
    write("cert", [&](FILE* file) { PEM_write_X509(file, made.get()); });
    write("key", [&](FILE* file) {
      PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }
  ~Files() { std::filesystem::remove_all(folder); }
  template <class Write>
  void write(const char* name, Write body) {
    const Owned<FILE, std::fclose> file(std::fopen((folder / name).c_str(), "w"));
    body(file.get());
  }
  TlsIdentityPtr load() const {
    auto identity = TlsIdentity::load(folder / "cert", folder / "key");
    REQUIRE_MESSAGE(identity, identity.error().message);
    return *identity;
  }
  std::filesystem::path folder;
};

// A terminator, and what it hands out; everything blocks.
struct Desk {
  explicit Desk(TlsTerminator::Options options = {}) : terminator(files.load(), options) {}
  ~Desk() { stop(); }
  void stop() {
    if (std::exchange(stopped, true)) return;
    asio::co_spawn(io, terminator.stop(), [](std::exception_ptr) {});
    io.run();
  }
  // The client's end of a connection; `plain` will be the server's.
  tcp::socket connect() {
    std::array<int, 2> pair{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) == 0);
    auto handed = std::make_shared<std::promise<int>>();
    plain = handed->get_future();
    terminator.carry(pair[0], [handed](int one) { handed->set_value(one); });
    tcp::socket socket(io);
    socket.assign(tcp::v4(), pair[1]);
    return socket;
  }

  Files files;
  TlsTerminator terminator;
  asio::io_context io;
  std::future<int> plain;
  bool stopped = false;
};

std::string read_all(int descriptor) {
  std::string all;
  std::array<char, 1000> part{};
  for (ssize_t got = 0; (got = ::read(descriptor, part.data(), part.size())) > 0;) {
    all.append(part.data(), static_cast<std::size_t>(got));
  }
  return all;
}

}  // namespace

TEST_SUITE("net::TlsTerminator") {
  TEST_CASE("bytes come through both ways, and so do both ends") {
    Desk desk;
    asio::ssl::context any(asio::ssl::context::tls_client);
    asio::ssl::stream<tcp::socket> client(desk.connect(), any);
    client.handshake(asio::ssl::stream_base::client);
    const int plain = desk.plain.get();
    const std::string sent(1 << 20, 'u');
    auto received = std::async(std::launch::async, [plain] {
      std::string got(1 << 20, ' ');
      std::size_t at = 0;
      while (at < got.size()) {
        const ssize_t more = ::read(plain, got.data() + at, got.size() - at);
        if (more <= 0) break;
        at += static_cast<std::size_t>(more);
      }
      got.resize(at);
      return got;
    });
    asio::write(client, asio::buffer(sent));
    CHECK(received.get() == sent);
    REQUIRE(::write(plain, "answer", 6) == 6);
    ::shutdown(plain, SHUT_WR);
    std::string answer(100, ' ');
    asio::error_code error;
    answer.resize(asio::read(client, asio::buffer(answer), error));
    CHECK(answer == "answer");
    CHECK(error == asio::error::eof);  // and not "truncated": it said goodbye
    client.next_layer().close();
    CHECK(read_all(plain).empty());
    ::close(plain);
  }

  TEST_CASE("a client that goes ends the plain side") {
    Desk desk;
    asio::ssl::context any(asio::ssl::context::tls_client);
    asio::ssl::stream<tcp::socket> client(desk.connect(), any);
    client.handshake(asio::ssl::stream_base::client);
    const int plain = desk.plain.get();
    asio::write(client, asio::buffer(std::string("last")));
    client.next_layer().close();
    CHECK(read_all(plain) == "last");
    ::close(plain);
    CHECK(desk.terminator.stats().handshakes == 1);
  }

  TEST_CASE("a handshake that is none, and one that never ends, leave nothing behind") {
    Desk desk({10, base::Millis(20), base::Millis(20)});
    for (const std::string text : {"", "\x16\x03\x01", "nonsense that is no TLS at all"}) {
      auto socket = desk.connect();
      asio::write(socket, asio::buffer(text));
      CHECK(read_all(socket.native_handle()).find("200") == std::string::npos);
      CHECK_THROWS_AS(desk.plain.get(), std::future_error);  // nobody will ever get one
    }
    CHECK(desk.terminator.stats().failed == 3);
  }

  TEST_CASE("beyond the bound connections are closed") {
    Desk desk({1, base::Millis(10000), base::Millis(20)});
    auto first = desk.connect();
    auto second = desk.connect();
    CHECK(read_all(second.native_handle()).empty());
    CHECK(desk.terminator.stats().failed == 1);
  }

  TEST_CASE("what is open when it stops is closed in time") {
    asio::ssl::context any(asio::ssl::context::tls_client);
    Desk desk({10, base::Millis(1000), base::Millis(20)});
    asio::ssl::stream<tcp::socket> client(desk.connect(), any);
    client.handshake(asio::ssl::stream_base::client);
    const int plain = desk.plain.get();
    desk.stop();
    CHECK(read_all(plain).empty());
    ::close(plain);
  }
}

}  // namespace mahavishnu::net
