#include "net/host_lookup.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

namespace mahavishnu::net {
namespace {

using Addresses = base::Result<std::vector<std::string>>;

constexpr std::chrono::seconds kKept{60};
constexpr std::chrono::seconds kFailureKept{1};

bool is_number(const std::string& host) {
  in6_addr room{};
  return ::inet_pton(AF_INET, host.c_str(), &room) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &room) == 1;
}

Addresses ask_name_service(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (failed != 0) {
    return base::fail(base::ErrorCode::Unavailable,
                      "no address of " + host + " is found: " + ::gai_strerror(failed));
  }
  std::vector<std::string> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST) == 0) {
      addresses.emplace_back(text.data());
    }
  }
  ::freeaddrinfo(found);
  if (addresses.empty()) {
    return base::fail(base::ErrorCode::Unavailable, host + " has no address");
  }
  return addresses;
}

}  // namespace

struct HostLookup::State {
  explicit State(std::string name) : host(std::move(name)) {}

  const std::string host;
  std::mutex mutex;
  std::condition_variable found;
  Addresses last = std::vector<std::string>();
  base::MonoTime good_until{};
  std::uint64_t answers = 0;
  bool looking = false;
};

HostLookup::HostLookup(std::string host) : state_(std::make_shared<State>(std::move(host))) {
  if (!is_number(state_->host)) return;
  state_->last = std::vector<std::string>{state_->host};
  state_->good_until = base::MonoTime::max();
}

Addresses HostLookup::addresses(base::MonoTime until) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  if (base::mono_now() < state.good_until) return state.last;
  if (!state.looking) {
    try {
      std::thread([shared = state_] {
        auto answer = ask_name_service(shared->host);
        const std::lock_guard locked(shared->mutex);
        shared->good_until =
            base::mono_now() + (answer ? base::Millis(kKept) : base::Millis(kFailureKept));
        shared->last = std::move(answer);
        shared->looking = false;
        ++shared->answers;
        shared->found.notify_all();
      }).detach();
    } catch (const std::system_error& error) {
      return base::fail(base::ErrorCode::Unavailable,
                        std::string("no thread to look up a host: ") + error.what());
    }
    state.looking = true;
  }
  const auto answers = state.answers;
  if (state.found.wait_until(lock, until, [&] { return state.answers != answers; })) {
    return state.last;
  }
  return base::fail(base::ErrorCode::Unavailable,
                    "the name service does not say where " + state.host + " is");
}

void HostLookup::forget() {
  const std::lock_guard lock(state_->mutex);
  if (state_->good_until != base::MonoTime::max()) state_->good_until = {};
}

}  // namespace mahavishnu::net
