// Finding git checkouts on disk. A checkout is a folder with a `.git` in it, a folder or (in a
// worktree or submodule) a file; nothing below one is looked at.
#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>
#include <set>

#include "app/repository_file.h"

namespace mahavishnu::app {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;
using base::fail;
using base::Result;
using domain::Repository;

bool is_checkout(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / ".git", error);
}

// What to guess a tag from: a file in the checkout and the tag it stands for.
const std::vector<std::pair<const char*, const char*>> kMarks = {
    {"package.json", "node"},  {"pyproject.toml", "python"},
    {"setup.py", "python"},    {"Cargo.toml", "rust"},
    {"go.mod", "go"},          {"meson.build", "cpp"},
    {"CMakeLists.txt", "cpp"}, {"pom.xml", "java"},
    {"build.gradle", "java"},  {"Gemfile", "ruby"},
    {"composer.json", "php"},  {"Dockerfile", "docker"},
};

Repository describe(const fs::path& folder) {
  Repository repository;
  repository.path = folder.string();
  repository.name = folder.filename().string();
  if (repository.name.empty()) repository.name = "root";
  std::error_code error;
  for (const auto& [file, tag] : kMarks) {
    if (!fs::exists(folder / file, error)) continue;
    const auto& tags = repository.tags;
    if (std::find(tags.begin(), tags.end(), tag) == tags.end()) repository.tags.emplace_back(tag);
  }
  return repository;
}

// Two checkouts of one name become `parent-name`, then `name-2`, `name-3`, …
void make_names_unique(std::vector<Repository>& repositories) {
  std::map<std::string, int> times;
  for (const auto& repository : repositories) ++times[repository.name];
  std::set<std::string> taken;
  for (auto& repository : repositories) {
    if (times[repository.name] > 1) {
      repository.name =
          fs::path(repository.path).parent_path().filename().string() + "-" + repository.name;
    }
    const std::string wanted = repository.name;
    for (int number = 2; !taken.insert(repository.name).second; ++number) {
      repository.name = wanted + "-" + std::to_string(number);
    }
  }
}

bool is_entered(const fs::directory_entry& entry) {
  std::error_code error;
  const std::string name = entry.path().filename().string();
  return !name.starts_with('.') && name != "node_modules" && !entry.is_symlink(error) &&
         entry.is_directory(error);
}

}  // namespace

std::string checkout_around(const std::string& folder) {
  fs::path path = folder;
  while (true) {
    if (is_checkout(path)) return path.string();
    if (!path.has_parent_path() || path == path.parent_path()) return {};
    path = path.parent_path();
  }
}

std::vector<Repository> repositories_around(const std::string& folder) {
  const std::string checkout = checkout_around(folder);
  if (checkout.empty()) return {};
  return {describe(checkout)};
}

Result<std::vector<Repository>> scan_for_repositories(const std::string& folder,
                                                      const ScanOptions& options) {
  std::error_code error;
  const fs::path top = fs::canonical(folder, error);
  if (error) return fail(ErrorCode::NotFound, folder + ": " + error.message());
  if (!fs::is_directory(top, error))
    return fail(ErrorCode::InvalidArgument, folder + " is not a folder");
  std::vector<Repository> found;
  std::deque<std::pair<fs::path, int>> open{{top, 0}};
  for (std::size_t looked = 0; !open.empty(); ++looked) {
    if (looked == options.max_folders) {
      return fail(ErrorCode::Exhausted, folder + " holds more than " +
                                            std::to_string(options.max_folders) +
                                            " folders; scan a smaller one");
    }
    const auto [path, depth] = open.front();
    open.pop_front();
    if (is_checkout(path)) {
      found.push_back(describe(path));
      continue;
    }
    if (depth == options.max_depth) continue;
    // A folder that may not be read holds nothing for us.
    for (fs::directory_iterator entry(path, fs::directory_options::skip_permission_denied, error),
         end;
         !error && entry != end; entry.increment(error)) {
      if (is_entered(*entry)) open.emplace_back(entry->path(), depth + 1);
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Repository& a, const Repository& b) { return a.path < b.path; });
  make_names_unique(found);
  return found;
}

}  // namespace mahavishnu::app
