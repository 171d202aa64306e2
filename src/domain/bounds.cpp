#include "domain/bounds.h"

#include <algorithm>

#include "domain/pool_settings.h"

namespace mahavishnu::domain {
namespace {

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

auto has_ended() { return fail(ErrorCode::Denied, "this credential has expired or was revoked"); }

}  // namespace

Result<std::string> Bounds::usual_pool() const {
  if (ended) return has_ended();
  if (pools.empty()) return std::string();
  if (pools.size() == 1) return pools.front();
  return fail(ErrorCode::Denied, "this credential is bound to pools; name one of " + listed(pools));
}

Status Bounds::check_pool(const std::string& name) const {
  if (ended) return has_ended();
  if (pools.empty() || has(pools, name)) return {};
  return fail(ErrorCode::Denied,
              "this credential may not use pool \"" + name + "\"; it is bound to " + listed(pools));
}

Status Bounds::check_repository(const Repository* repository) const {
  if (ended) return has_ended();
  if (!bind_repositories()) return {};
  const bool named =
      repositories.empty() || (repository != nullptr && has(repositories, repository->name));
  const bool tagged =
      tags.empty() ||
      (repository != nullptr && std::any_of(repository->tags.begin(), repository->tags.end(),
                                            [this](const auto& tag) { return has(tags, tag); }));
  if (named && tagged) return {};
  std::string allowed;
  if (!repositories.empty()) allowed = "the repositories " + listed(repositories);
  if (!tags.empty()) {
    allowed += (allowed.empty() ? "repositories" : ", and to those") +
               std::string(" with a tag of ") + listed(tags);
  }
  const std::string where = repository == nullptr
                                ? std::string("run work without a repository")
                                : "run work in repository \"" + repository->name + "\"";
  return fail(ErrorCode::Denied,
              "this credential may not " + where + "; it is bound to " + allowed);
}

}  // namespace mahavishnu::domain
