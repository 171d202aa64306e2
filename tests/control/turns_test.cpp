#include "control/turns.h"

#include <doctest/doctest.h>

#include <string>

#include "base/task_group.h"
#include "support/polled_loop.h"

using namespace mahavishnu;
using base::Millis;
using control::Turn;
using control::Turns;

namespace {

constexpr Turns::Key kBread{1, 1};
constexpr Turns::Key kMilk{2, 1};

// A shop in which customers wait for bread; what happened to each is written down.
struct Shop : support::PolledLoop {
  control::Alarms alarms{timers};
  control::Watchers watchers{io.get_executor(), alarms, 100};
  std::size_t bread = 0;
  std::vector<Turns::Key> offered;
  Turns turns{watchers, [this](Turns::Key key) {
                offered.push_back(key);
                turns.wake(key, bread);
              }};
  std::string told;
  base::TaskGroup group{io.get_executor(), "shop"};

  void bake(std::size_t more) {
    bread += more;
    turns.wake(kBread, bread);
    poll();
  }
  base::MonoTime in(int ms) { return timers.now().mono + Millis{ms}; }
  void enter(base::TaskGroup& where, char name, int ms, int tries = 0);
};

// Waits for one loaf; `tries` turns bring nothing before.
base::awaitable<void> customer(Shop& shop, char name, base::MonoTime until, int tries) {
  Turn turn(shop.turns, kBread);
  while (true) {
    auto came = co_await turn.wait(until);
    shop.told += name;
    if (!came || !*came) {
      shop.told += came ? '-' : '!';
      co_return;
    }
    if (tries-- > 0) continue;
    --shop.bread;
    co_return;
  }
}

void Shop::enter(base::TaskGroup& where, char name, int ms, int tries) {
  where.spawn(customer(*this, name, in(ms), tries));
  poll();
}

}  // namespace

TEST_SUITE("turns") {
  TEST_CASE("as many are woken as can have something, in the order they came") {
    Shop shop;
    for (const char name : {'a', 'b', 'c', 'd'}) shop.enter(shop.group, name, 1000);
    shop.bake(2);
    CHECK(shop.told == "ab");
    CHECK(shop.bread == 0);
    shop.bake(1);
    CHECK(shop.told == "abc");
    shop.group.cancel();
    shop.poll();
    CHECK(shop.told == "abcd!");
  }

  TEST_CASE("who was woken and has not come to its end yet counts") {
    Shop shop;
    for (const char name : {'a', 'b'}) shop.enter(shop.group, name, 1000);
    shop.bread = 1;
    shop.turns.wake(kBread, 1);
    shop.turns.wake(kBread, 1);
    shop.poll();
    CHECK(shop.told == "a");
    shop.bake(1);
  }

  TEST_CASE("a turn that brought nothing is waited for again in front") {
    Shop shop;
    shop.enter(shop.group, 'a', 1000, 1);
    shop.enter(shop.group, 'b', 1000, 0);
    shop.bake(1);
    CHECK(shop.told == "a");
    shop.turns.wake(kBread, shop.bread);
    shop.poll();
    CHECK(shop.told == "aa");
    shop.bake(1);
    CHECK(shop.told == "aab");
  }

  TEST_CASE("who is woken and cancelled before it comes passes its turn on") {
    Shop shop;
    base::TaskGroup other(shop.io.get_executor(), "other");
    shop.enter(other, 'a', 1000, 5);
    shop.enter(shop.group, 'b', 1000, 0);
    shop.bread = 1;
    shop.turns.wake(kBread, 1);
    other.cancel();
    shop.poll();
    // It leaves without having had its turn, which is offered again.
    shop.turns.wake(kBread, shop.bread);
    shop.poll();
    CHECK(shop.told.find('b') != std::string::npos);
    CHECK(shop.bread == 0);
  }

  TEST_CASE("who leaves when its time is over was not woken and passes nothing on") {
    Shop shop;
    shop.enter(shop.group, 'a', 100, 0);
    shop.enter(shop.group, 'b', 1000, 0);
    shop.timers.advance(Millis{100});
    shop.poll();
    CHECK(shop.told == "a-");
    CHECK(shop.offered.empty());
    shop.bake(1);
    CHECK(shop.told == "a-b");
  }

  TEST_CASE("keys of one kind are offered by themselves") {
    Shop shop;
    shop.turns.offer_all(1);
    CHECK(shop.offered.empty());
    {
      const Turn bread(shop.turns, kBread);
      const Turn more(shop.turns, {1, 7});
      const Turn milk(shop.turns, kMilk);
      shop.turns.offer_all(1);
      CHECK(shop.offered == std::vector<Turns::Key>{kBread, {1, 7}});
    }
    shop.offered.clear();
    shop.turns.offer_all(2);
    CHECK(shop.offered.empty());
  }
}
