// How much is taken of every limit that several pools share: the server, repositories, workflows.
//
// Plain numbers, taken and given back in the same step that places or ends an attempt; nothing
// waits here and nothing is locked. A task takes all it needs or none. A pool's own slots are its
// own.
#pragma once

#include <cstdint>
#include <vector>

#include "domain/slab.h"

namespace mahavishnu::domain {

enum class Limit : std::uint8_t { None, Server, Repo, Flow };

// What one attempt takes. kNone: not in a repository, or in a workflow without a limit.
struct Claim {
  std::uint32_t repo = kNone;
  std::uint32_t flow = kNone;
  std::uint32_t max_per_repo = 1;
};

class Ledger {
 public:
  explicit Ledger(int max_running) : max_running_(max_running) {}

  bool server_has_room() const { return max_running_ <= 0 || running_ < max_running_; }
  int running() const { return running_; }
  int max_running() const { return max_running_; }
  std::uint32_t in_repo(std::uint32_t repo) const { return at(repos_, repo).taken; }
  std::uint32_t in_flow(std::uint32_t flow) const { return at(flows_, flow).taken; }
  std::uint32_t flow_limit(std::uint32_t flow) const { return at(flows_, flow).limit; }
  void set_flow_limit(std::uint32_t flow, std::uint32_t limit);

  // The first limit that has no room for it.
  Limit blocked(const Claim& claim) const;
  void take(const Claim& claim);
  void give(const Claim& claim);

 private:
  struct Account {
    std::uint32_t taken = 0;
    std::uint32_t limit = 0;
  };
  static Account at(const std::vector<Account>& accounts, std::uint32_t slot) {
    return slot < accounts.size() ? accounts[slot] : Account{};
  }
  static Account& open(std::vector<Account>& accounts, std::uint32_t slot) {
    if (slot >= accounts.size()) accounts.resize(slot + 1);
    return accounts[slot];
  }

  int max_running_;
  int running_ = 0;
  std::vector<Account> repos_, flows_;
};

}  // namespace mahavishnu::domain
