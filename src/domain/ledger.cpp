#include "domain/ledger.h"

namespace mahavishnu::domain {

void Ledger::set_flow_limit(std::uint32_t flow, std::uint32_t limit) {
  open(flows_, flow).limit = limit;
}

Limit Ledger::blocked(const Claim& claim) const {
  if (!server_has_room()) return Limit::Server;
  if (claim.flow != kNone && in_flow(claim.flow) >= flow_limit(claim.flow)) return Limit::Flow;
  if (claim.repo != kNone && in_repo(claim.repo) >= claim.max_per_repo) return Limit::Repo;
  return Limit::None;
}

void Ledger::take(const Claim& claim) {
  ++running_;
  if (claim.flow != kNone) ++open(flows_, claim.flow).taken;
  if (claim.repo != kNone) ++open(repos_, claim.repo).taken;
}

void Ledger::give(const Claim& claim) {
  --running_;
  if (claim.flow != kNone) --open(flows_, claim.flow).taken;
  if (claim.repo != kNone) --open(repos_, claim.repo).taken;
}

}  // namespace mahavishnu::domain
