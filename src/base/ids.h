// Distinct identifier types around one ULID (128 bits: 48 of milliseconds, 80 of chance).
//
// An id prints as its kind's prefix and 26 Crockford base-32 characters: `task_01J…`. Ids sort by
// the time they were made. They are handed to the core, never made by it. Plain values; any thread.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace mahavishnu::base {

struct Ulid {
  std::uint64_t high = 0;  // 48 bits of Unix milliseconds, then 16 of chance
  std::uint64_t low = 0;   // 64 bits of chance

  auto operator<=>(const Ulid&) const = default;
  bool is_null() const { return high == 0 && low == 0; }
};

std::string to_string(Ulid ulid);                 // 26 characters, upper case
Result<Ulid> parse_ulid(std::string_view text);   // upper or lower case; refuses overflow

template <class Kind>
struct Id {
  Ulid value;

  auto operator<=>(const Id&) const = default;
  bool is_null() const { return value.is_null(); }
  explicit operator bool() const { return !value.is_null(); }
  std::string str() const { return std::string(Kind::prefix) + to_string(value); }

  // NotFound-free: a text that is not of this kind is InvalidArgument and says what was expected.
  static Result<Id> parse(std::string_view text) {
    if (!text.starts_with(Kind::prefix)) {
      return fail(ErrorCode::InvalidArgument, "\"" + std::string(text) + "\" is not an id of the form " +
                                                  std::string(Kind::prefix) + "…");
    }
    auto ulid = parse_ulid(text.substr(Kind::prefix.size()));
    if (!ulid) return fail(ulid.error());
    return Id{*ulid};
  }
};

struct TaskKind { static constexpr std::string_view prefix = "task_"; };
struct BatchKind { static constexpr std::string_view prefix = "batch_"; };
struct PoolKind { static constexpr std::string_view prefix = "pool_"; };
struct WorkflowKind { static constexpr std::string_view prefix = "wf_"; };

using TaskId = Id<TaskKind>;
using BatchId = Id<BatchKind>;
using PoolId = Id<PoolKind>;
using WorkflowId = Id<WorkflowKind>;

// Makes ULIDs that grow strictly within one source, even inside one millisecond, so that ids of one
// server sort in the order they were made. One thread; seeded from the system's randomness, or by a
// test. The time is given so that a simulated clock works.
class UlidSource {
 public:
  UlidSource();
  explicit UlidSource(std::uint64_t seed);
  Ulid next(WallTime now);

  // 64 bits of chance (for jitter and the like).
  std::uint64_t random();

 private:
  std::uint64_t state_[2];
  Ulid last_;
};

}  // namespace mahavishnu::base

template <class Kind>
struct std::hash<mahavishnu::base::Id<Kind>> {
  size_t operator()(const mahavishnu::base::Id<Kind>& id) const noexcept {
    return static_cast<size_t>(id.value.low ^ (id.value.high * 0x9E3779B97F4A7C15ULL));
  }
};
