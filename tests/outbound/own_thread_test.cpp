// The thread on which one server is dealt with.
#include "outbound/own_thread.h"

#include <doctest/doctest.h>

#include <future>
#include <vector>

using namespace mahavishnu;

TEST_SUITE("own thread") {
  TEST_CASE("it rests only once all that is posted is done, and goes on afterwards") {
    int done = 0;
    std::vector<int> done_before_rests;
    std::promise<void> rested;
    outbound::OwnThread thread([] {},
                               [&] {
                                 done_before_rests.push_back(done);
                                 if (done_before_rests.size() == 1) rested.set_value();
                                 return true;
                               });
    for (int i = 0; i < 3; ++i) asio::post(thread.io(), [&done] { ++done; });
    thread.start();
    rested.get_future().wait();
    asio::post(thread.io(), [&] {
      ++done;
      thread.release();
    });
    thread.join();
    REQUIRE(done_before_rests.size() == 2);
    CHECK(done_before_rests[0] == 3);
    CHECK(done_before_rests[1] == 4);
  }
}
