#include "workers/wire.h"

#include <doctest/doctest.h>

#include "workers/messages.h"

using namespace mahavishnu::workers;

TEST_SUITE("wire") {
  TEST_CASE("frames come out whole, however they came in") {
    const std::string bytes = encode(Kind::Stop, "first") + encode(Kind::Read, "");
    FrameBuffer buffer;
    std::vector<Frame> frames;
    for (const char byte : bytes) {
      buffer.add({&byte, 1});
      while (auto frame = buffer.next()) frames.push_back(*frame);
    }
    REQUIRE(frames.size() == 2);
    CHECK(frames[0].kind == Kind::Stop);
    CHECK(frames[0].body == "first");
    CHECK(frames[1].kind == Kind::Read);
    CHECK(frames[1].body.empty());
  }

  TEST_CASE("a frame of impossible length is a broken stream") {
    FrameBuffer buffer;
    buffer.add(std::string(16, '\xFF'));
    CHECK_FALSE(buffer.next().has_value());
    CHECK(buffer.broken());
  }

  TEST_CASE("an order comes out as it went in, and a cut one not at all") {
    ShimOrder order;
    order.attempt.attempt = 3;
    order.attempt.fence = {5, 6};
    order.attempt.work.argv = {"a", "", std::string("b\0c", 3)};
    order.attempt.work.stdin_text = std::string(1000, '\xFF');
    order.attempt.work.env = {{"X", "1"}, {"Y", ""}};
    order.attempt.work.limits.processes = 9;
    order.attempt.timeouts.idle = mahavishnu::base::Millis(7);
    order.run_dir = "/run";
    order.attempt.calls_tool = true;
    FrameBuffer buffer;
    buffer.add(encode_order(order));
    const std::string body = buffer.next()->body;
    const auto out = decode_order(body);
    REQUIRE(out.has_value());
    CHECK(out->attempt.work.argv == order.attempt.work.argv);
    CHECK(out->attempt.work.env == order.attempt.work.env);
    CHECK(out->attempt.work.stdin_text == order.attempt.work.stdin_text);
    CHECK(out->attempt.fence == order.attempt.fence);
    CHECK(out->attempt.timeouts.idle.count() == 7);
    CHECK(out->attempt.work.limits.processes == 9);
    CHECK(out->run_dir == "/run");
    CHECK(out->attempt.calls_tool);
    for (std::size_t size = 0; size < body.size(); size += 13) {
      CHECK_FALSE(decode_order(body.substr(0, size)).has_value());
    }
  }

  TEST_CASE("an end comes out as it went in, its text made valid") {
    AttemptEnded end;
    end.fence = {1, 2};
    end.reason = Reason::Signal;
    end.signal = 9;
    end.result.text = "a\xFF";
    end.result.streams = "o1e1";
    end.result.unenforced = {"processes"};
    end.result.structured = "[1]";
    FrameBuffer buffer;
    buffer.add(encode_end(end));
    const auto out = decode_end(buffer.next()->body);
    REQUIRE(out.has_value());
    CHECK(out->fence == end.fence);
    CHECK(out->reason == Reason::Signal);
    CHECK(out->signal == 9);
    CHECK_FALSE(out->exit_code.has_value());
    CHECK(out->result.text == "a\xEF\xBF\xBD");
    CHECK(out->result.structured == "[1]");
    CHECK(out->result.streams == "o1e3");
    CHECK(out->result.unenforced == end.result.unenforced);
  }

  TEST_CASE("an end of a shim that knew of no structure is read") {
    AttemptEnded end;
    end.result.message = "it ended";
    FrameBuffer buffer;
    buffer.add(encode_end(end));
    std::string body = buffer.next()->body;
    body.resize(body.size() - 8);  // the length of none
    const auto out = decode_end(body);
    REQUIRE(out.has_value());
    CHECK(out->result.message == "it ended");
    CHECK(out->result.structured == "");
  }
}
