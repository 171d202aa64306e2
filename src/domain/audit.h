// The audit: who called which tool, what was decided, what came of it.
//
// A row tells of one call, or of `calls` of a kind that are only counted. Of arguments it holds a
// hash, never themselves: enough to say whether a call was the one somebody remembers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "domain/ports.h"
#include "domain/types.h"

namespace mahavishnu::domain {

enum class AuditDecision : std::uint8_t { Allowed, Denied, Limited };
std::string_view to_string(AuditDecision decision);
std::optional<AuditDecision> parse_audit_decision(std::string_view text);

struct AuditRow {
  std::uint64_t seq = 0;  // in the order of the calls; grows over all runs of the server
  WallTime time{};
  std::string caller;
  std::string tool;
  AuditDecision decision = AuditDecision::Allowed;
  std::uint32_t calls = 1;
  std::string arguments;  // SHA-256 in hex; "" where calls are counted
  std::string outcome;    // "ok", an error's code; "" : counted, or it never came to its end
  std::string made;       // the id of the task, batch, workflow or pool it made
};

// How a call that was written before ended.
struct AuditEnd {
  std::uint64_t seq = 0;
  std::string outcome;
  std::string made;
};

// Rows leave when they are older, or when there are more; the oldest first.
struct AuditLimits {
  WallTime since{};
  std::uint64_t rows = 0;
};

struct AuditChange {
  std::vector<AuditRow> rows;
  std::vector<AuditEnd> ends;
  std::optional<AuditLimits> limits;  // lets go of what is beyond them
};

struct AuditFilter {
  std::string caller, tool;  // "" : any
  std::optional<AuditDecision> decision;
  std::optional<WallTime> since, until;
};

// Kept in the system of record. Callbacks come on the control thread, unless it was stopped first.
class AuditTrail {
 public:
  virtual ~AuditTrail() = default;
  // On the disk together with or before every commit that is appended after it. `done` may be
  // empty; without it nothing waits for the disk, and the change goes with the next commit, or
  // within milliseconds.
  virtual void append(AuditChange change, std::function<void(Status)> done) = 0;
  // Newest first.
  virtual void find(AuditFilter filter, Page page,
                    std::function<void(Result<Listing<AuditRow>>)> answer) = 0;
  // Of the newest row; 0 when there is none. Blocks: for the start only.
  virtual Result<std::uint64_t> newest() = 0;
};

}  // namespace mahavishnu::domain
