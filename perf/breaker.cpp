// What a circuit breaker adds to a call it allows: asked before it, told how it came out after it.
//
// usage: breaker one|locked|atomic THREADS CALLS
//
// one: the product's breaker as a value, one for each thread. locked: the product's, shared by all
// threads behind its lock, which is how outgoing calls use it. atomic: what is often written
// instead, a state and a count of failures in two atomics; it lets more than one probe through.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "domain/breaker.h"
#include "outbound/breaker_board.h"

namespace {

using namespace mahavishnu;

class AtomicBreaker {
 public:
  bool ask() {
    allowed_.fetch_add(1);
    return open_until_.load() == 0;
  }
  void succeeded() { failures_.store(0); }

 private:
  std::atomic<std::int64_t> open_until_{0};
  std::atomic<int> failures_{0};
  std::atomic<std::uint64_t> allowed_{0};
};

void must(bool allowed) {
  if (!allowed) std::abort();
}

void calls_of_one(long calls) {
  domain::Breaker breaker;
  const auto now = base::mono_now();
  for (long i = 0; i < calls; ++i) {
    const auto pass = breaker.ask(now);
    must(pass.allowed());
    breaker.succeeded(pass, now);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const std::string kind = argv[1];
  const long threads = std::atol(argv[2]);
  const long calls = std::atol(argv[3]);
  outbound::BreakerBoard board;
  const auto fuse = board.fuse("target");
  AtomicBreaker atomic;
  std::function<void()> work = [&] { calls_of_one(calls); };
  if (kind == "locked") {
    work = [&] {
      for (long i = 0; i < calls; ++i) {
        const auto pass = fuse->ask();
        must(pass.allowed());
        fuse->succeeded(pass);
      }
    };
  } else if (kind == "atomic") {
    work = [&] {
      for (long i = 0; i < calls; ++i) {
        must(atomic.ask());
        atomic.succeeded();
      }
    };
  }
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> all;
  for (long i = 0; i < threads; ++i) all.emplace_back(work);
  for (auto& thread : all) thread.join();
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  std::printf("{\"ns\": %.2f}\n", took.count() / static_cast<double>(threads * calls));
}
