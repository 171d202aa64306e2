#include "base/cache.h"

#include <doctest/doctest.h>

using namespace mahavishnu::base;

namespace {

using Texts = Cache<std::string, std::string>;
using Done = std::function<void(Result<std::string>)>;

std::size_t length(const std::string& text) { return text.size(); }

// A cache with a clock moved by hand, and loads that end when the test says.
struct Shelf {
  explicit Shelf(CacheLimits limits = {}) : cache(limits, length, [this] { return now; }) {}

  std::string find(const std::string& key) {
    const std::string* value = cache.find(key);
    return value == nullptr ? "-" : *value;
  }
  void get(const std::string& key) {
    cache.get(
        key, [this](Done done) { loads.push_back(std::move(done)); },
        [this](const Result<std::string>& got) {
          told.push_back(got ? *got : got.error().message);
        });
  }
  void end(std::size_t load, Result<std::string> result) {
    const Done done = std::exchange(loads.at(load), nullptr);
    done(std::move(result));
  }

  MonoTime now{std::chrono::seconds(1)};
  Texts cache;
  std::vector<Done> loads;
  std::vector<std::string> told;
};

CacheLimits limits(std::size_t entries, std::size_t bytes = 1000, Millis ttl = Millis{0}) {
  return {entries, bytes, ttl};
}

using Told = std::vector<std::string>;

}  // namespace

TEST_SUITE("cache") {
  TEST_CASE("the least recently used leaves first") {
    Shelf shelf(limits(2));
    shelf.cache.put("a", "1");
    shelf.cache.put("b", "2");
    CHECK(shelf.find("a") == "1");
    shelf.cache.put("c", "3");
    CHECK(shelf.find("a") == "1");
    CHECK(shelf.find("b") == "-");
    CHECK(shelf.find("c") == "3");
    CHECK(shelf.cache.stats().evicted == 1);
  }

  TEST_CASE("a look that keeps entries up to date is no use of them") {
    Shelf shelf(limits(2));
    shelf.cache.put("a", "1");
    shelf.cache.put("b", "2");
    CHECK(*shelf.cache.peek("a") == "1");
    CHECK(shelf.cache.peek("z") == nullptr);
    shelf.cache.put("c", "3");
    CHECK(shelf.find("a") == "-");
  }

  TEST_CASE("bytes are bounded, and add up when a value is replaced") {
    Shelf shelf(limits(100, 10));
    shelf.cache.put("a", "1234");
    shelf.cache.put("b", "1234");
    shelf.cache.put("a", "12");
    CHECK(shelf.cache.stats().bytes == 6);
    shelf.cache.put("c", "12345");
    CHECK(shelf.find("b") == "-");
    CHECK(shelf.find("a") == "12");
    CHECK(shelf.cache.stats().bytes == 7);
  }

  TEST_CASE("a value larger than all may be is not kept, nor what it replaces") {
    Shelf shelf(limits(100, 10));
    shelf.cache.put("a", "1");
    shelf.cache.put("b", "2");
    shelf.cache.put("a", "12345678901");
    CHECK(shelf.find("a") == "-");
    CHECK(shelf.find("b") == "2");
  }

  TEST_CASE("entries age from when they were put") {
    Shelf shelf(limits(10, 1000, Millis{5000}));
    shelf.cache.put("a", "1");
    shelf.now += Millis{4999};
    CHECK(shelf.find("a") == "1");
    shelf.now += Millis{1};
    CHECK(shelf.find("a") == "-");
    CHECK(shelf.cache.stats().expired == 1);
    CHECK(shelf.cache.stats().entries == 0);
  }

  TEST_CASE("hits and misses are counted") {
    Shelf shelf;
    CHECK(shelf.cache.stats().hit_ratio() == 0);
    shelf.cache.put("a", "1");
    shelf.find("a");
    shelf.find("a");
    shelf.find("a");
    shelf.find("b");
    CHECK(shelf.cache.stats().hits == 3);
    CHECK(shelf.cache.stats().misses == 1);
    CHECK(shelf.cache.stats().hit_ratio() == 0.75);
  }

  TEST_CASE("what is invalidated is gone, all of it when it is cleared") {
    Shelf shelf;
    shelf.cache.put("a", "1");
    shelf.cache.put("b", "2");
    shelf.cache.put("c", "3");
    shelf.cache.invalidate("a");
    shelf.cache.invalidate("nobody");
    CHECK(shelf.find("a") == "-");
    CHECK(shelf.cache.clear() == 2);
    CHECK(shelf.find("b") == "-");
    CHECK(shelf.cache.stats().bytes == 0);
    CHECK(shelf.cache.stats().invalidated == 3);
  }
}

TEST_SUITE("cache, single flight") {
  TEST_CASE("those who ask at once share one load; later ones find it kept") {
    Shelf shelf;
    shelf.get("a");
    shelf.get("a");
    shelf.get("b");
    CHECK(shelf.loads.size() == 2);
    shelf.end(0, std::string("1"));
    CHECK(shelf.told == Told{"1", "1"});
    shelf.get("a");
    CHECK(shelf.told == Told{"1", "1", "1"});
    CHECK(shelf.cache.stats().joined == 1);
    CHECK(shelf.cache.stats().hits == 1);
  }

  TEST_CASE("an error is for those who waited, and the next one tries again") {
    Shelf shelf;
    shelf.get("a");
    shelf.get("a");
    shelf.end(0, fail(ErrorCode::Unavailable, "down"));
    CHECK(shelf.told == Told{"down", "down"});
    shelf.get("a");
    CHECK(shelf.loads.size() == 2);
  }

  TEST_CASE("a load that a change overtook is done again before anybody is answered") {
    Shelf shelf;
    shelf.get("a");
    shelf.cache.invalidate("a");
    shelf.get("a");
    CHECK(shelf.loads.size() == 1);
    shelf.end(0, std::string("old"));
    CHECK(shelf.told.empty());
    REQUIRE(shelf.loads.size() == 2);
    shelf.end(1, std::string("new"));
    CHECK(shelf.told == Told{"new", "new"});
    CHECK(shelf.find("a") == "new");
  }

  TEST_CASE("what is put while a load is under way is the answer") {
    Shelf shelf;
    shelf.get("a");
    shelf.cache.put("a", "new");
    shelf.end(0, std::string("old"));
    CHECK(shelf.told == Told{"new"});
    CHECK(shelf.find("a") == "new");
    CHECK(shelf.loads.size() == 1);
  }

  TEST_CASE("a change of another key overtakes nothing; clearing overtakes all") {
    Shelf shelf;
    shelf.get("a");
    shelf.get("b");
    shelf.cache.overtake("b");
    shelf.end(0, std::string("1"));
    CHECK(shelf.told == Told{"1"});
    shelf.get("c");
    shelf.cache.clear();
    shelf.end(2, std::string("old"));
    CHECK(shelf.told == Told{"1"});
  }

  TEST_CASE("a load ages from its beginning") {
    Shelf shelf(limits(10, 1000, Millis{5000}));
    shelf.get("a");
    shelf.now += Millis{4000};
    shelf.end(0, std::string("1"));
    shelf.now += Millis{999};
    CHECK(shelf.find("a") == "1");
    shelf.now += Millis{1};
    CHECK(shelf.find("a") == "-");
  }

  TEST_CASE("a load that answers at once, and an answer that asks again") {
    Texts cache({});
    std::vector<std::string> told;
    const Texts::Load load = [](Done done) { done(std::string("1")); };
    cache.get("a", load, [&](const Result<std::string>& first) {
      told.push_back(*first);
      cache.get("b", load, [&](const Result<std::string>& second) { told.push_back(*second); });
    });
    CHECK(told == Told{"1", "1"});
  }

  TEST_CASE("a load that ends after the cache does nothing") {
    Done late;
    std::vector<std::string> told;
    {
      Texts cache({});
      cache.get(
          "a", [&late](Done done) { late = std::move(done); },
          [&told](const Result<std::string>& got) { told.push_back(*got); });
    }
    late(std::string("1"));
    CHECK(told.empty());
  }
}

TEST_SUITE("caches") {
  TEST_CASE("by name, with what they did, and emptied one by one") {
    Texts one(limits(5)), two(limits(7));
    Caches caches;
    caches.add("one", one);
    caches.add("two", two);
    one.put("a", "1");
    two.put("a", "1");
    REQUIRE(caches.all().size() == 2);
    CHECK(caches.all()[1].name == "two");
    CHECK(caches.all()[1].limits.max_entries == 7);
    CHECK(caches.all()[0].stats().entries == 1);
    CHECK(caches.all()[0].clear() == 1);
    CHECK(one.find("a") == nullptr);
    CHECK(two.find("a") != nullptr);
  }
}
