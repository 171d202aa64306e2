#include "app/setup.h"

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

Result<Repositories> load_repositories(const Setup& setup, const std::string& folder) {
  Repositories repositories;
  repositories.version = RepositoryWatch::version_of(setup.repos_file);
  auto listed = read_repositories(setup.repos_file, setup.config.environment());
  if (!listed) {
    if (listed.error().code != ErrorCode::NotFound || setup.repos_named)
      return fail(listed.error());
    listed = repositories_around(folder);
    repositories.note = "there is no " + setup.repos_file + "; ";
    repositories.note += listed->empty()
                             ? "no repository is served (" + folder + " is in no git checkout)"
                             : "the git checkout " + listed->front().path + " is served";
    repositories.note += "; `mahavishnu repos scan DIR` writes one";
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
