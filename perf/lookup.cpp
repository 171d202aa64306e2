// How long it takes to find repositories by name, tag and role, however many there are.
//
// usage: lookup REPOSITORIES LOOKUPS
//
// Every tag and every role has ten repositories, spread over the file. Prints nanoseconds a look-up
// of each kind, and of a scan of the list for a tag, which is what an index saves.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "domain/repositories.h"

namespace {

using namespace mahavishnu::domain;

constexpr std::size_t kOfEach = 10;

std::vector<Repository> repositories(std::size_t count) {
  std::vector<Repository> all;
  const std::size_t kinds = count / kOfEach;
  for (std::size_t i = 0; i < count; ++i) {
    Repository one;
    one.name = "repository-" + std::to_string(i);
    one.path = "/src/" + one.name;
    one.nicknames = {"r" + std::to_string(i)};
    one.tags = {"tag-" + std::to_string(i % kinds), "all"};
    one.role = "role-" + std::to_string(i % kinds);
    all.push_back(std::move(one));
  }
  return all;
}

// Nanoseconds of `look` for one of the given words; it answers how many it found.
template <class Look>
double clocked(const std::vector<std::string>& words, std::size_t times, std::size_t expected,
               Look look) {
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < times; ++i) {
    if (look(words[i % words.size()]) != expected) std::abort();
  }
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - start;
  return took.count() / static_cast<double>(times);
}

// A hundred words all over the list, so that the same memory is at hand however long it is.
std::vector<std::string> words(const std::string& prefix, std::size_t count) {
  std::vector<std::string> some;
  const std::size_t step = std::max<std::size_t>(1, count / 100);
  for (std::size_t i = 0; i < count; i += step) some.push_back(prefix + std::to_string(i));
  return some;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto count = static_cast<std::size_t>(std::atol(argv[1]));
  const auto times = static_cast<std::size_t>(std::atol(argv[2]));
  const auto index = *RepositoryIndex::build(repositories(count));
  const auto tags = words("tag-", count / kOfEach);
  const auto roles = words("role-", count / kOfEach);
  const auto by_name = clocked(words("repository-", count), times, 1, [&](const std::string& name) {
    return std::size_t{index->find(name).has_value()};
  });
  const auto by_tag = clocked(tags, times, kOfEach,
                              [&](const std::string& tag) { return index->with_tag(tag).size(); });
  const auto by_role = clocked(roles, times, kOfEach, [&](const std::string& role) {
    return index->with_role(role).size();
  });
  const auto selected = clocked(tags, times / 10, kOfEach, [&](const std::string& tag) {
    RepositoryQuery query;
    query.tag = tag;
    query.role = "role-" + tag.substr(4);
    return index->select(query)->size();
  });
  const auto scanned = clocked(
      tags, std::max<std::size_t>(100, times / count), kOfEach, [&](const std::string& tag) {
        std::size_t found = 0;
        for (const Repository& one : index->all()) {
          found += static_cast<std::size_t>(std::count(one.tags.begin(), one.tags.end(), tag));
        }
        return found;
      });
  std::printf(
      "{\"by name\": %.1f, \"by tag\": %.1f, \"by role\": %.1f, \"by tag and role together\": "
      "%.1f, "
      "\"a scan of the list for a tag\": %.1f}\n",
      by_name, by_tag, by_role, selected, scanned);
  return 0;
}
