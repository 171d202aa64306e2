// The repositories work may run in, indexed by name, nickname, tag and role when they are loaded.
//
// Immutable once built: a reload builds a new index and swaps the pointer, so a reader never sees
// half of one. Look-ups are O(1) in the number of repositories. Any thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "domain/types.h"

namespace mahavishnu::domain {

struct Repository {
  std::string name;
  std::string path;  // absolute
  std::vector<std::string> nicknames;
  std::vector<std::string> tags;
  std::string role;
  std::string description;
};

// Filters that intersect; `all` or at least one filter. Empty fields meet everything.
struct RepositoryQuery {
  bool all = false;
  std::string tag;
  std::string role;
  std::vector<std::string> names;  // names or nicknames
};

class RepositoryIndex {
 public:
  // Refuses duplicate names or nicknames, empty names and relative paths, naming the culprit.
  static Result<std::shared_ptr<const RepositoryIndex>> build(std::vector<Repository> repositories);

  const std::vector<Repository>& all() const { return repositories_; }  // as in the file
  // By name or nickname; NotFound names the nearest known one.
  Result<const Repository*> find(std::string_view name) const;
  const std::vector<const Repository*>& with_tag(std::string_view tag) const;
  const std::vector<const Repository*>& with_role(std::string_view role) const;
  // What a workflow runs over, in file order. InvalidArgument when it meets nothing (says which
  // filter met nothing) or when neither `all` nor a filter is given.
  Result<std::vector<const Repository*>> select(const RepositoryQuery& query) const;

 private:
  using Bucket = std::unordered_map<std::string, std::vector<const Repository*>>;
  std::vector<Repository> repositories_;
  std::unordered_map<std::string, const Repository*> by_name_;
  Bucket by_tag_, by_role_;
};

// The known word closest to `word` (edit distance ≤ 1/3 of its length), or "".
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace mahavishnu::domain
