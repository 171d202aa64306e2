// What every verb starts from: the configuration in force and the folders it names.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "app/command_line.h"
#include "app/config.h"
#include "app/repository_file.h"
#include "app/repository_watch.h"
#include "base/result.h"

namespace mahavishnu::app {

struct Setup {
  Config config;
  std::string data;          // data directory, absolute; perhaps not made yet
  std::string repos_file;    // repos.yaml, absolute; perhaps not there
  bool repos_named = false;  // the user named it: then it must be there
};

// From --config, the process's environment and the flags of `arguments`.
base::Result<Setup> load_setup(const Arguments& arguments);

// Every setting and its value in force, in words that can be compared.
std::map<std::string, std::string> settings_in_force(const Setup& setup);

// What is served: the file, or without one the git checkout around `folder` ("" : none).
struct Repositories {
  RepositoryIndexPtr index;          // never null
  RepositoryWatch::Version version;  // of the file, before it was read
  std::string note;                  // what a person should be told ("" : nothing)
};
base::Result<Repositories> load_repositories(const Setup& setup, const std::string& folder);

// The same with the checkout around `folder` added, under a name of its own; nothing when it is
// served already or there is none.
std::optional<RepositoryIndexPtr> with_checkout(const domain::RepositoryIndex& index,
                                                const std::string& folder);

// What is served around `folder` because there is no repositories file, in words.
std::string note_without_file(const std::string& repos_file, const std::string& folder);

// Prints "mahavishnu: …" to stderr and answers exit code 1.
int failed(const base::Error& error);

}  // namespace mahavishnu::app
