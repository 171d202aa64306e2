// Where a caller may run work: on which pools, in which repositories.
//
// Every list that is not empty must be met. They bind where work is handed in, not what the command
// then does: a shell can leave its directory. Pure; any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "domain/repositories.h"
#include "domain/types.h"

namespace mahavishnu::domain {

struct Bounds {
  std::vector<std::string> pools;         // names
  std::vector<std::string> repositories;  // names
  std::vector<std::string> tags;          // of the repository: one of them
  bool ended = false;                     // nowhere: the credential is no longer good

  bool none() const { return !ended && pools.empty() && repositories.empty() && tags.empty(); }
  bool bind_repositories() const { return ended || !repositories.empty() || !tags.empty(); }

  // The pool to use where none was named: the only one, or "" for any. Denied: one must be named.
  Result<std::string> usual_pool() const;
  // Denied names what is allowed.
  Status check_pool(const std::string& name) const;
  // nullptr: work in no repository.
  Status check_repository(const Repository* repository) const;
};

using BoundsPtr = std::shared_ptr<const Bounds>;  // null: anywhere

}  // namespace mahavishnu::domain
