#include "domain/audit.h"

#include <array>

namespace mahavishnu::domain {
namespace {

constexpr std::array<std::string_view, 3> kDecisions{"allowed", "denied", "limited"};

}  // namespace

std::string_view to_string(AuditDecision decision) {
  return kDecisions[static_cast<std::size_t>(decision)];
}

std::optional<AuditDecision> parse_audit_decision(std::string_view text) {
  for (std::size_t i = 0; i < kDecisions.size(); ++i) {
    if (kDecisions[i] == text) return static_cast<AuditDecision>(i);
  }
  return std::nullopt;
}

}  // namespace mahavishnu::domain
