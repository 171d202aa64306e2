#include "tools/lookups.h"

namespace mahavishnu::tools {

std::string canonical_repo(const Context& context, std::string name) {
  if (name.empty()) return name;
  const auto found = context.service.repositories()->find(name);
  return found ? (*found)->name : name;
}

std::optional<domain::PoolId> pool_meant(const Context& context, const std::string& name_or_id) {
  if (auto pool = context.service.pool(name_or_id)) return pool->record.id;
  if (auto id = domain::PoolId::parse(name_or_id)) return *id;
  return std::nullopt;
}

Json cancel_sums(const control::CancelOutcome& outcome) {
  int cancelled = 0;
  int already_ended = 0;
  int still_ending = 0;
  int processes_left = 0;
  for (const auto& item : outcome.items) {
    ++(item.already_ended ? already_ended : cancelled);
    if (!item.ended) ++still_ending;
    if (item.ended) processes_left += item.processes_left;
  }
  return {{"cancelled", cancelled},
          {"already_ended", already_ended},
          {"still_ending", still_ending},
          {"processes_left", processes_left}};
}

}  // namespace mahavishnu::tools
