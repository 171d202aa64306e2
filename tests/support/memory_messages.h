// A store of messages without a disk: what it was given, and answers when the test says.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/asio.h"
#include "domain/bus_types.h"

namespace mahavishnu::support {

class MemoryMessages final : public domain::MessageStore {
 public:
  explicit MemoryMessages(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  void append(domain::BusChange change, std::function<void(base::Status)> done) override {
    changes.push_back(std::move(change));
    waiting_.push_back(std::move(done));
    if (!hold) release();
  }
  void release() {
    for (; !waiting_.empty(); waiting_.pop_front()) {
      asio::post(executor_, [done = std::move(waiting_.front()), failure = fail_with] {
        done(failure ? base::Status(base::fail(*failure)) : base::Status());
      });
    }
  }

  std::vector<domain::BusChange> changes;
  std::optional<base::Error> fail_with;
  bool hold = false;

 private:
  asio::any_io_executor executor_;
  std::deque<std::function<void(base::Status)>> waiting_;
};

}  // namespace mahavishnu::support
