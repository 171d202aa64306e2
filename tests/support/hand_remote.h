// The servers behind pools, answered by hand.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "domain/pool_remote.h"

namespace mahavishnu::support {

// Keeps questions until the test answers them.
class HandRemote final : public domain::PoolRemote {
 public:
  void ask(const domain::PoolSpec& pool, base::Millis, Answer answer) override {
    asked.push_back(pool.name);
    open[pool.name] = std::move(answer);
  }
  void answer(const std::string& pool) {
    open.extract(pool).mapped()(domain::RemoteReading{"server of " + pool, "2026-07-28", {}});
  }
  void refuse(const std::string& pool) {
    open.extract(pool).mapped()(base::fail(base::ErrorCode::Unavailable, pool + " is down"));
  }

  std::vector<std::string> asked;
  std::map<std::string, Answer> open;
};

}  // namespace mahavishnu::support
