// repos.yaml: which repositories there are.
//
//   repos:
//     - name: api
//       path: ~/src/api          # absolute, ~, or relative to this file
//       nicknames: [backend]
//       tags: [python, service]
//       role: service
//       description: The public API.
//
// Reading is strict: an unknown key is an error that names the nearest known one. Any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/paths.h"
#include "base/result.h"
#include "domain/repositories.h"

namespace mahavishnu::app {

using RepositoryIndexPtr = std::shared_ptr<const domain::RepositoryIndex>;

// NotFound when there is no such file; otherwise InvalidArgument names file:line:column and the
// fault.
base::Result<std::vector<domain::Repository>> read_repositories(const std::string& file,
                                                                const Environment& environment);
base::Result<std::vector<domain::Repository>> parse_repositories(const std::string& text,
                                                                 const std::string& file,
                                                                 const Environment& environment);

// The text of a repos.yaml that reads back as these.
std::string write_repositories(const std::vector<domain::Repository>& repositories);

// The git checkout that holds `folder` (a `.git` at or above it), or "".
std::string checkout_around(const std::string& folder);

// What a server without a repos.yaml serves: the checkout around `folder`, or nothing.
std::vector<domain::Repository> repositories_around(const std::string& folder);

struct ScanOptions {
  int max_depth = 4;                 // folders below the given one
  std::size_t max_folders = 100000;  // looked into
};
// Every git checkout at or below `folder`, sorted by path, with names made unique. Hidden folders,
// node_modules and symbolic links are not entered, nor is anything below a checkout.
base::Result<std::vector<domain::Repository>> scan_for_repositories(
    const std::string& folder, const ScanOptions& options = {});

}  // namespace mahavishnu::app
