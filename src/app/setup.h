// What every verb starts from: the configuration in force and the folders it names.
#pragma once

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

// What is served: the file, or without one the git checkout around `folder`.
struct Repositories {
  RepositoryIndexPtr index;          // never null
  RepositoryWatch::Version version;  // of the file, before it was read
  std::string note;                  // what a person should be told ("" : nothing)
};
base::Result<Repositories> load_repositories(const Setup& setup, const std::string& folder);

// Prints "mahavishnu: …" to stderr and answers exit code 1.
int failed(const base::Error& error);

}  // namespace mahavishnu::app
