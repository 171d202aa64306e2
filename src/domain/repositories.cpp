#include "domain/repositories.h"

#include <algorithm>
#include <numeric>
#include <set>

namespace mahavishnu::domain {
namespace {

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

// Edit distance where two neighbours that changed places are one edit (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(last.begin(), last.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({change, row[j - 1] + 1, last[j] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    before.swap(last);
    last.swap(row);
  }
  return last.back();
}

Error unknown_word(const std::string& what, std::string_view word,
                   const std::vector<std::string>& known, const std::string& way_out) {
  std::string message = "no " + what + " " + quoted(word);
  const std::string near = nearest(word, known);
  message += near.empty() ? "; " + way_out : "; did you mean " + quoted(near) + "?";
  return Error{ErrorCode::NotFound, std::move(message), 0};
}

template <class Map>
std::vector<std::string> keys_of(const Map& map) {
  std::vector<std::string> keys;
  keys.reserve(map.size());
  for (const auto& entry : map) keys.push_back(entry.first);
  std::sort(keys.begin(), keys.end());
  return keys;
}

// What a filter that met nothing says.
tl::unexpected<Error> meets_nothing(const std::string& filter, std::string_view word,
                                    const std::vector<std::string>& known) {
  const std::string near = nearest(word, known);
  return fail(ErrorCode::InvalidArgument,
              "no repository has " + filter + " " + quoted(word) +
                  (near.empty() ? "; repo_list shows what there is"
                                : "; did you mean " + quoted(near) + "?"));
}

// Those that the narrowest filter leaves, in the file's order (they lie one after another).
Result<std::vector<const Repository*>> candidates(const RepositoryIndex& index,
                                                  const RepositoryQuery& query) {
  if (!query.names.empty()) {
    std::set<const Repository*> named;
    for (const std::string& name : query.names) {
      auto found = index.find(name);
      if (!found) return fail(found.error());
      named.insert(*found);
    }
    return std::vector<const Repository*>(named.begin(), named.end());
  }
  const auto& tagged = index.with_tag(query.tag);
  const auto& in_role = index.with_role(query.role);
  if (!query.tag.empty() && (query.role.empty() || tagged.size() <= in_role.size())) return tagged;
  if (!query.role.empty()) return in_role;
  std::vector<const Repository*> all;
  all.reserve(index.all().size());
  for (const Repository& repository : index.all()) all.push_back(&repository);
  return all;
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(word.size() / 3, 1) + 1;
  for (const std::string& candidate : known) {
    const std::size_t longer = std::max(candidate.size(), word.size());
    if (longer - std::min(candidate.size(), word.size()) >= best_distance) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance && distance < longer) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

Result<std::shared_ptr<const RepositoryIndex>> RepositoryIndex::build(
    std::vector<Repository> repositories) {
  auto index = std::make_shared<RepositoryIndex>();
  index->repositories_ = std::move(repositories);
  const auto add_name = [&](const std::string& name, const Repository& repository) -> Status {
    if (name.empty()) {
      return fail(ErrorCode::InvalidArgument, "the repository at " + quoted(repository.path) +
                                                  " has an empty name or nickname; name it");
    }
    const auto [at, fresh] = index->by_name_.emplace(name, &repository);
    if (fresh) return {};
    return fail(ErrorCode::InvalidArgument, quoted(name) + " names both " +
                                                quoted(at->second->path) + " and " +
                                                quoted(repository.path) + "; rename one of them");
  };
  for (const Repository& repository : index->repositories_) {
    if (Status named = add_name(repository.name, repository); !named) return fail(named.error());
    if (!repository.path.starts_with('/')) {
      return fail(ErrorCode::InvalidArgument, "the path " + quoted(repository.path) +
                                                  " of repository " + quoted(repository.name) +
                                                  " is not absolute");
    }
    for (const std::string& tag : repository.tags) {
      auto& bucket = index->by_tag_[tag];
      if (bucket.empty() || bucket.back() != &repository) bucket.push_back(&repository);
    }
    if (!repository.role.empty()) index->by_role_[repository.role].push_back(&repository);
  }
  // Names win over nicknames in what an error says, so nicknames come after all names.
  for (const Repository& repository : index->repositories_) {
    for (const std::string& nickname : repository.nicknames) {
      if (Status named = add_name(nickname, repository); !named) return fail(named.error());
    }
  }
  return std::shared_ptr<const RepositoryIndex>(std::move(index));
}

Result<const Repository*> RepositoryIndex::find(std::string_view name) const {
  const auto at = by_name_.find(std::string(name));
  if (at != by_name_.end()) return at->second;
  return fail(unknown_word("repository", name, keys_of(by_name_), "repo_list shows what there is"));
}

const std::vector<const Repository*>& RepositoryIndex::with_tag(std::string_view tag) const {
  static const std::vector<const Repository*> none;
  const auto at = by_tag_.find(std::string(tag));
  return at == by_tag_.end() ? none : at->second;
}

const std::vector<const Repository*>& RepositoryIndex::with_role(std::string_view role) const {
  static const std::vector<const Repository*> none;
  const auto at = by_role_.find(std::string(role));
  return at == by_role_.end() ? none : at->second;
}

Result<std::vector<const Repository*>> RepositoryIndex::select(const RepositoryQuery& query) const {
  if (!query.all && query.tag.empty() && query.role.empty() && query.names.empty()) {
    return fail(ErrorCode::InvalidArgument,
                "over names no repository; give all: true, or a tag, a role or repos");
  }
  if (!query.tag.empty() && with_tag(query.tag).empty()) {
    return meets_nothing("the tag", query.tag, keys_of(by_tag_));
  }
  if (!query.role.empty() && with_role(query.role).empty()) {
    return meets_nothing("the role", query.role, keys_of(by_role_));
  }
  auto some = candidates(*this, query);
  if (!some) return fail(std::move(some.error()));
  std::vector<const Repository*> chosen;
  for (const Repository* repository : *some) {
    if (!query.role.empty() && repository->role != query.role) continue;
    if (!query.tag.empty() && std::find(repository->tags.begin(), repository->tags.end(),
                                        query.tag) == repository->tags.end()) {
      continue;
    }
    chosen.push_back(repository);
  }
  if (chosen.empty()) {
    return fail(ErrorCode::InvalidArgument,
                repositories_.empty()
                    ? "no repository is configured; mahavishnu repos scan DIR writes a first list"
                    : "no repository meets all filters at once; give fewer of them");
  }
  return chosen;
}

}  // namespace mahavishnu::domain
