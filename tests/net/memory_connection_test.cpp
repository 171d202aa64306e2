#include "net/memory_connection.h"

#include <doctest/doctest.h>

#include "base/task_group.h"

using namespace mahavishnu;
using base::awaitable;
using base::ErrorCode;
using Connection = rpc::Connection;
using Read = base::Result<std::optional<std::string>>;

namespace {

awaitable<void> read_line_into(Connection& from, std::vector<Read>& seen, int count) {
  for (int i = 0; i < count; ++i) {
    auto read = co_await from.read();
    const bool more = read.has_value() && read->has_value();
    seen.push_back(std::move(read));
    if (!more) co_return;
  }
}

awaitable<void> write_each(Connection& to, int count, std::size_t size,
                           std::vector<base::Status>& done) {
  for (int i = 0; i < count; ++i) {
    std::string text(size, static_cast<char>('a' + i % 26));
    done.push_back(co_await to.write(std::move(text)));
  }
}

struct Pair {
  explicit Pair(std::size_t bound = 1u << 20) : group(io.get_executor(), "test") {
    std::tie(left, right) = net::memory_pair(io.get_executor(), bound);
  }
  ~Pair() {
    group.cancel();
    run();
  }
  void run() {
    io.restart();
    io.poll();
  }

  asio::io_context io;
  std::unique_ptr<Connection> left, right;
  base::TaskGroup group;
  std::vector<Read> reads;
  std::vector<base::Status> writes;
};

}  // namespace

TEST_SUITE("net::memory_pair") {
  TEST_CASE("texts arrive whole and in order, both ways") {
    Pair pair;
    pair.group.spawn(write_each(*pair.left, 3, 5, pair.writes));
    pair.group.spawn(read_line_into(*pair.right, pair.reads, 3));
    pair.run();
    REQUIRE(pair.reads.size() == 3);
    CHECK(**pair.reads[2] == "ccccc");
    pair.group.spawn(write_each(*pair.right, 1, 2, pair.writes));
    pair.group.spawn(read_line_into(*pair.left, pair.reads, 1));
    pair.run();
    CHECK(**pair.reads.back() == "aa");
  }

  TEST_CASE("a reader that waits is woken by a write") {
    Pair pair;
    pair.group.spawn(read_line_into(*pair.right, pair.reads, 1));
    pair.run();
    CHECK(pair.reads.empty());
    pair.group.spawn(write_each(*pair.left, 1, 1, pair.writes));
    pair.run();
    CHECK(pair.reads.size() == 1);
  }

  TEST_CASE("the peer's close is the orderly end, after what it wrote") {
    Pair pair;
    pair.group.spawn(write_each(*pair.left, 2, 1, pair.writes));
    pair.run();
    pair.left.reset();
    pair.group.spawn(read_line_into(*pair.right, pair.reads, 9));
    pair.run();
    REQUIRE(pair.reads.size() == 3);
    REQUIRE(pair.reads[2].has_value());
    CHECK_FALSE(pair.reads[2]->has_value());
  }

  TEST_CASE("one's own close unblocks a read with Cancelled") {
    Pair pair;
    pair.group.spawn(read_line_into(*pair.right, pair.reads, 1));
    pair.run();
    pair.right->close();
    pair.right->close();
    pair.run();
    REQUIRE(pair.reads.size() == 1);
    CHECK(pair.reads[0].error().code == ErrorCode::Cancelled);
  }

  TEST_CASE("a write to a peer that has gone says so") {
    Pair pair;
    pair.right.reset();
    pair.group.spawn(write_each(*pair.left, 1, 1, pair.writes));
    pair.run();
    CHECK(pair.writes.at(0).error().code == ErrorCode::Unavailable);
  }

  TEST_CASE("past the bound a write waits until the peer reads") {
    Pair pair(10);
    pair.group.spawn(write_each(*pair.left, 3, 6, pair.writes));
    pair.run();
    CHECK(pair.writes.size() == 2);
    pair.group.spawn(read_line_into(*pair.right, pair.reads, 1));
    pair.run();
    CHECK(pair.writes.size() == 3);
  }

  TEST_CASE("cancelling a waiting coroutine ends its read") {
    Pair pair;
    pair.group.spawn(read_line_into(*pair.right, pair.reads, 1));
    pair.run();
    pair.group.cancel();
    pair.run();
    CHECK(pair.group.size() == 0);
    CHECK(pair.reads.at(0).error().code == ErrorCode::Cancelled);
  }
}
