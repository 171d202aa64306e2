#include "app/setup.h"

#include <algorithm>
#include <iostream>

namespace mahavishnu::app {

using base::ErrorCode;
using base::fail;
using base::Result;

Result<Setup> load_setup(const Arguments& arguments) {
  Config::Sources sources;
  sources.environment = process_environment();
  sources.working_folder = working_folder();
  sources.flags = arguments.settings();
  const std::string from_flag = arguments.value("config");
  const std::string named =
      from_flag.empty() ? lookup(sources.environment, "MAHAVISHNU_CONFIG") : from_flag;
  sources.file_required = !named.empty();
  sources.file = named.empty() ? config_folder(sources.environment) + "/config.yaml"
                               : absolute_path(named, sources.working_folder, sources.environment);
  auto config = Config::load(sources);
  if (!config) return fail(config.error());
  Setup setup{std::move(*config), {}, {}, false};
  setup.data = setup.config.text("data");
  if (setup.data.empty()) setup.data = default_data_folder(sources.environment);
  setup.repos_file = setup.config.text("repos");
  setup.repos_named = !setup.repos_file.empty();
  if (setup.repos_file.empty())
    setup.repos_file = config_folder(sources.environment) + "/repos.yaml";
  return setup;
}

std::map<std::string, std::string> settings_in_force(const Setup& setup) {
  std::map<std::string, std::string> all;
  for (const Setting& setting : settings()) all[setting.key] = setup.config.written(setting.key);
  all["data"] = setup.data;
  all["repos"] = setup.repos_file;
  return all;
}

std::optional<RepositoryIndexPtr> with_checkout(const domain::RepositoryIndex& index,
                                                const std::string& folder) {
  auto around = repositories_around(folder);
  if (around.empty()) return std::nullopt;
  domain::Repository& found = around.front();
  auto all = index.all();
  const auto is_taken = [&all](const std::string& name) {
    return std::any_of(all.begin(), all.end(), [&](const auto& one) { return one.name == name; });
  };
  for (const auto& one : all) {
    if (one.path == found.path) return std::nullopt;
  }
  const std::string name = found.name;
  for (int number = 2; is_taken(found.name); ++number) {
    found.name = name + "-" + std::to_string(number);
  }
  all.push_back(std::move(found));
  auto built = domain::RepositoryIndex::build(std::move(all));
  if (!built) return std::nullopt;
  return *built;
}

std::string note_without_file(const std::string& repos_file, const std::string& folder) {
  const std::string checkout = folder.empty() ? std::string() : checkout_around(folder);
  const std::string served =
      folder.empty()     ? "the git checkouts around its clients' folders are served"
      : checkout.empty() ? "no repository is served (" + folder + " is in no git checkout)"
                         : "the git checkout " + checkout + " is served";
  return "there is no " + repos_file + "; " + served + "; `mahavishnu repos scan DIR` writes one";
}

Result<Repositories> load_repositories(const Setup& setup, const std::string& folder) {
  Repositories repositories;
  repositories.version = RepositoryWatch::version_of(setup.repos_file);
  auto listed = read_repositories(setup.repos_file, setup.config.environment());
  if (!listed) {
    if (listed.error().code != ErrorCode::NotFound || setup.repos_named)
      return fail(listed.error());
    listed = folder.empty() ? std::vector<domain::Repository>() : repositories_around(folder);
    repositories.note = note_without_file(setup.repos_file, folder);
  }
  auto index = domain::RepositoryIndex::build(std::move(*listed));
  if (!index) return fail(index.error().code, setup.repos_file + ": " + index.error().message);
  repositories.index = std::move(*index);
  return repositories;
}

int failed(const base::Error& error) {
  std::cerr << "mahavishnu: " << error.message << "\n";
  return 1;
}

}  // namespace mahavishnu::app
