#include "net/stdio_connection.h"

#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "net/support.h"

using namespace mahavishnu;
using namespace mahavishnu::net;
using namespace mahavishnu::net::testing;
using base::ErrorCode;

namespace {

struct Stdio : Loop {
  std::unique_ptr<StreamConnection> open(int in, int out, StreamLimits limits = {}) {
    auto opened = open_stdio(io.get_executor(), in, out, limits);
    REQUIRE(opened.has_value());
    return std::move(*opened);
  }
  void read(rpc::Connection& from, int count) {
    const auto before = reads.size();
    group.spawn(read_into(from, reads, count));
    until([&] {
      return reads.size() >= before + static_cast<std::size_t>(count) || group.size() == 0;
    });
  }
  void write(rpc::Connection& to, std::vector<std::string> texts) {
    group.spawn(write_all(to, std::move(texts), writes));
    until([&] { return group.size() == 0; });
  }
  void drain(StreamConnection& connection) {
    group.spawn(connection.drain());
    until([&] { return group.size() == 0; });
  }
  std::vector<Read> reads;
  std::vector<base::Status> writes;
};

std::string file_text(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

int status_flags(const Fd& fd) { return ::fcntl(fd.number, F_GETFL); }

}  // namespace

TEST_SUITE("net::open_stdio") {
  TEST_CASE("many lines of one write are read one by one, and answers leave together") {
    Stdio stdio;
    auto in = make_pipe();
    auto out = make_pipe();
    auto connection = stdio.open(in.first.number, out.second.number);
    put(in.second, "one\ntwo\r\n\nthree\n");
    stdio.read(*connection, 3);
    CHECK(**stdio.reads.at(0) == "one");
    CHECK(**stdio.reads.at(1) == "two");
    CHECK(**stdio.reads.at(2) == "three");
    stdio.write(*connection, {"a", "b", "c"});
    stdio.drain(*connection);
    CHECK(get(out.first) == "a\nb\nc\n");
    CHECK(connection->name() == "stdio");
  }

  TEST_CASE("a message in pieces is one message") {
    Stdio stdio;
    auto in = make_pipe();
    auto connection = stdio.open(in.first.number, in.second.number);
    stdio.group.spawn(read_into(*connection, stdio.reads, 1));
    for (const char c : std::string("{\"x\":1}")) {
      put(in.second, std::string(1, c));
      stdio.poll();
    }
    CHECK(stdio.reads.empty());
    put(in.second, "\n");
    stdio.until([&] { return !stdio.reads.empty(); });
    CHECK(**stdio.reads[0] == "{\"x\":1}");
  }

  TEST_CASE("the last line without newline is delivered, then the end, for every kind of input") {
    TemporaryFolder folder;
    for (const std::string kind : {"pipe", "socket", "file"}) {
      CAPTURE(kind);
      Stdio stdio;
      FdPair pair;
      if (kind == "file") {
        std::ofstream(folder.path / "in") << "first\nlast";
        pair.first = Fd(::open((folder.path / "in").c_str(), O_RDONLY));
      } else {
        pair = kind == "pipe" ? make_pipe() : make_socketpair();
        put(pair.second, "first\nlast");
        pair.second.close();
      }
      auto out = make_pipe();
      auto connection = stdio.open(pair.first.number, out.second.number);
      stdio.read(*connection, 3);
      REQUIRE(stdio.reads.size() == 3);
      CHECK(**stdio.reads[1] == "last");
      CHECK(is_end(stdio.reads[2]));
    }
  }

  TEST_CASE("/dev/null is an end at once and swallows answers") {
    Stdio stdio;
    Fd null(::open("/dev/null", O_RDWR));
    auto connection = stdio.open(null.number, null.number);
    stdio.read(*connection, 1);
    CHECK(is_end(stdio.reads.at(0)));
    stdio.write(*connection, {"x"});
    CHECK(stdio.writes.at(0).has_value());
    stdio.drain(*connection);
  }

  TEST_CASE("answers append to a regular file at its offset") {
    TemporaryFolder folder;
    std::ofstream(folder.path / "out") << "before\n";
    Fd file(::open((folder.path / "out").c_str(), O_WRONLY | O_APPEND));
    Fd null(::open("/dev/null", O_RDONLY));
    Stdio stdio;
    auto connection = stdio.open(null.number, file.number);
    stdio.write(*connection, {"after"});
    stdio.drain(*connection);
    CHECK(file_text(folder.path / "out") == "before\nafter\n");
  }

  TEST_CASE("a full device is a peer that has gone") {
    Stdio stdio;
    Fd full(::open("/dev/full", O_WRONLY));
    Fd null(::open("/dev/null", O_RDONLY));
    auto connection = stdio.open(null.number, full.number);
    stdio.write(*connection, {"x"});
    stdio.drain(*connection);
    stdio.write(*connection, {"y"});
    CHECK(stdio.writes.at(1).error().code == ErrorCode::Unavailable);
  }

  // Needs devpts on /dev/pts.
  TEST_CASE("a terminal is read by lines until its end-of-file key" *
            doctest::skip(::access("/dev/pts/ptmx", F_OK) != 0)) {
    Fd master(::posix_openpt(O_RDWR | O_NOCTTY));
    REQUIRE(::grantpt(master.number) == 0);
    REQUIRE(::unlockpt(master.number) == 0);
    Fd terminal(::open(::ptsname(master.number), O_RDWR | O_NOCTTY));
    REQUIRE(terminal.number >= 0);
    const int flags = status_flags(terminal);
    Stdio stdio;
    auto connection = stdio.open(terminal.number, terminal.number);
    put(master, "typed\n\x04");
    stdio.read(*connection, 2);
    CHECK(**stdio.reads.at(0) == "typed");
    CHECK(is_end(stdio.reads.at(1)));
    CHECK(status_flags(terminal) == flags);  // the shell behind it notices nothing
  }

  TEST_CASE(
      "the flags of what others share are as they were, meanwhile for pipes, at last for sockets") {
    Stdio stdio;
    auto pipe = make_pipe();
    auto socket = make_socketpair();
    auto connection = stdio.open(pipe.first.number, socket.first.number);
    stdio.write(*connection, {"x"});
    stdio.drain(*connection);
    CHECK((status_flags(pipe.first) & O_NONBLOCK) == 0);
    connection.reset();
    stdio.poll();
    CHECK((status_flags(socket.first) & O_NONBLOCK) == 0);
  }

  TEST_CASE("one socket for both directions gets its flags back") {
    Stdio stdio;
    auto socket = make_socketpair();
    auto connection = stdio.open(socket.first.number, socket.first.number);
    put(socket.second, "ping\n");
    stdio.read(*connection, 1);
    CHECK(**stdio.reads.at(0) == "ping");
    connection.reset();
    stdio.poll();
    CHECK((status_flags(socket.first) & O_NONBLOCK) == 0);
  }

  TEST_CASE("a descriptor that is not open is an error by name") {
    Stdio stdio;
    const auto opened = open_stdio(stdio.io.get_executor(), 987, 1);
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().message.find("standard input") != std::string::npos);
  }
}

TEST_SUITE("net::StreamConnection") {
  TEST_CASE("a message over the limit is Exhausted, and reading goes on") {
    Stdio stdio;
    auto in = make_pipe();
    auto connection = stdio.open(in.first.number, in.second.number, {.max_message_bytes = 10});
    put(in.second, "0123456789x\n0123456789\n");
    stdio.read(*connection, 2);
    REQUIRE(stdio.reads.size() == 2);
    CHECK(stdio.reads[0].error().code == ErrorCode::Exhausted);
    CHECK(stdio.reads[0].error().message.find("10 bytes") != std::string::npos);
    CHECK(**stdio.reads[1] == "0123456789");
  }

  TEST_CASE("past the bound a write waits until the peer reads; nothing is lost or mixed") {
    Stdio stdio;
    auto out = make_pipe();
    auto connection = stdio.open(out.first.number, out.second.number, {.max_queued_bytes = 1000});
    const std::string text(40000, 'x');
    stdio.group.spawn(write_all(*connection, {text, text, text, text}, stdio.writes));
    stdio.poll();
    CHECK(stdio.writes.size() < 4);
    std::string all;
    const auto total = 4 * (text.size() + 1);
    while (all.size() < total) {
      all += get(out.first);
      stdio.poll();
    }
    CHECK(stdio.writes.size() == 4);
    CHECK(all == text + "\n" + text + "\n" + text + "\n" + text + "\n");
  }

  TEST_CASE("writers that wait together are all served") {
    Stdio stdio;
    auto out = make_pipe();
    auto connection = stdio.open(out.first.number, out.second.number, {.max_queued_bytes = 1});
    for (int i = 0; i < 20; ++i) {
      stdio.group.spawn(write_all(*connection, {std::string(10000, 'a')}, stdio.writes));
    }
    std::size_t got = 0;
    while (got < 20 * 10001u) {
      stdio.poll();
      got += get(out.first).size();
    }
    stdio.poll();
    CHECK(stdio.writes.size() == 20);
  }

  TEST_CASE("a peer that has gone fails the next write, and those that wait") {
    for (const bool socket : {false, true}) {
      Stdio stdio;
      auto out = socket ? make_socketpair() : make_pipe();
      Fd null(::open("/dev/null", O_RDONLY));
      auto connection = stdio.open(null.number, out.second.number, {.max_queued_bytes = 1});
      const std::string text(1 << 20, 'x');
      stdio.group.spawn(write_all(*connection, {text, text}, stdio.writes));
      stdio.poll();
      CHECK(stdio.writes.size() == 1);
      out.first.close();
      stdio.until([&] { return stdio.writes.size() == 2; });
      CHECK(stdio.writes[1].error().code == ErrorCode::Unavailable);
    }
  }

  TEST_CASE("close unblocks a read, twice is once, and what was written still arrives") {
    Stdio stdio;
    auto pair = make_socketpair();
    auto end = std::make_shared<StreamEnd>(stdio.io.get_executor(), ::dup(pair.first.number));
    StreamConnection connection(stdio.io.get_executor(), "socket:7", end, end, {});
    end.reset();
    pair.first.close();
    stdio.group.spawn(read_into(connection, stdio.reads, 1));
    stdio.poll();
    const std::string text(1 << 20, 'x');
    stdio.group.spawn(write_all(connection, {text}, stdio.writes));
    stdio.poll();
    connection.close();
    connection.close();
    stdio.until([&] { return !stdio.reads.empty(); });
    CHECK(stdio.reads[0].error().code == ErrorCode::Cancelled);
    std::size_t got = 0;
    for (std::string part = get(pair.second); !part.empty(); part = get(pair.second)) {
      got += part.size();
      stdio.poll();
    }
    CHECK(got == text.size() + 1);
    stdio.read(connection, 1);
    CHECK(stdio.reads.back().error().code == ErrorCode::Cancelled);
  }

  TEST_CASE("a cancelled reader ends and the next one goes on where it was") {
    Stdio stdio;
    auto in = make_pipe();
    auto connection = stdio.open(in.first.number, in.second.number);
    base::TaskGroup reader(stdio.io.get_executor(), "reader");
    reader.spawn(read_into(*connection, stdio.reads, 1));
    stdio.poll();
    reader.cancel();
    stdio.until([&] { return reader.size() == 0; });
    CHECK(stdio.reads.at(0).error().code == ErrorCode::Cancelled);
    put(in.second, "still here\n");
    stdio.read(*connection, 1);
    CHECK(**stdio.reads.at(1) == "still here");
  }

  TEST_CASE("a connection destroyed while it has something to say says it") {
    Stdio stdio;
    auto out = make_pipe();
    auto connection = stdio.open(out.first.number, out.second.number);
    const std::string text(200000, 'x');
    stdio.write(*connection, {text});
    connection.reset();
    std::size_t got = 0;
    while (got < text.size() + 1) {
      got += get(out.first).size();
      stdio.poll();
    }
    CHECK(got == text.size() + 1);
  }
}
