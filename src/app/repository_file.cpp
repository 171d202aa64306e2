#include "app/repository_file.h"

#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <set>

#include "app/yaml_file.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;
using domain::Repository;

const std::vector<std::string> kKeys = {"name", "path", "nicknames", "tags", "role", "description"};

// Reads one document; every function names the place of what it refuses.
class Reader {
 public:
  Reader(const std::string& file, const Environment& environment)
      : file_(file),
        folder_(std::filesystem::path(file).parent_path().string()),
        environment_(environment) {}

  Result<std::vector<Repository>> read(const YAML::Node& document) {
    if (document.IsNull()) return std::vector<Repository>{};
    if (!document.IsMap()) return refuse(document, "expected `repos:`, found " + what(document));
    YAML::Node list;
    for (const auto& entry : document) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      if (key != "repos") return unknown(entry.first, {"repos"});
      list.reset(entry.second);
    }
    if (!list.IsDefined() || list.IsNull()) return std::vector<Repository>{};
    if (!list.IsSequence()) return refuse(list, "repos: expected a list, found " + what(list));
    std::vector<Repository> repositories;
    for (const auto& item : list) {
      auto repository = read_one(item);
      if (!repository) return fail(repository.error());
      repositories.push_back(std::move(*repository));
    }
    return repositories;
  }

 private:
  tl::unexpected<base::Error> refuse(const YAML::Node& node, const std::string& why) const {
    return fail(ErrorCode::InvalidArgument, place(file_, node) + ": " + why);
  }

  tl::unexpected<base::Error> unknown(const YAML::Node& key,
                                      const std::vector<std::string>& known) const {
    if (!key.IsScalar()) return refuse(key, "a key must be a word");
    const std::string near = domain::nearest(key.Scalar(), known);
    return refuse(key, "unknown key " + key.Scalar() +
                           (near.empty() ? std::string() : "; did you mean " + near + "?"));
  }

  static std::string what(const YAML::Node& node) { return std::string(kind_of(node)); }

  Result<Repository> read_one(const YAML::Node& item) {
    if (!item.IsMap())
      return refuse(item, "expected a map with name and path, found " + what(item));
    Repository repository;
    std::set<std::string> seen;
    for (const auto& entry : item) {
      if (!budget_.spend()) return refuse(item, "more than a million nodes (aliases of aliases?)");
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      if (!seen.insert(key).second) return refuse(entry.first, key + " is given twice");
      if (auto read = read_key(repository, key, entry.first, entry.second); !read) {
        return fail(read.error());
      }
    }
    if (repository.name.empty()) return refuse(item, "a repository without a name");
    if (repository.path.empty())
      return refuse(item, "repository " + repository.name + " has no path");
    return repository;
  }

  Status read_key(Repository& repository, const std::string& key, const YAML::Node& key_node,
                  const YAML::Node& node) {
    if (key == "name") return read_text(node, key, repository.name);
    if (key == "role") return read_text(node, key, repository.role);
    if (key == "description") return read_text(node, key, repository.description);
    if (key == "nicknames") return read_list(node, key, repository.nicknames);
    if (key == "tags") return read_list(node, key, repository.tags);
    if (key != "path") return unknown(key_node, kKeys);
    if (auto read = read_text(node, key, repository.path); !read) return read;
    if (!repository.path.empty()) {
      repository.path = absolute_path(repository.path, folder_, environment_);
    }
    return {};
  }

  Status read_text(const YAML::Node& node, const std::string& key, std::string& target) const {
    if (node.IsNull()) return {};
    if (!node.IsScalar()) return refuse(node, key + ": expected a text, found " + what(node));
    target = node.Scalar();
    return {};
  }

  Status read_list(const YAML::Node& node, const std::string& key,
                   std::vector<std::string>& target) {
    if (node.IsNull()) return {};
    if (!node.IsSequence()) {
      return refuse(node, key + ": expected a list such as [a, b], found " + what(node));
    }
    for (const auto& item : node) {
      if (!budget_.spend()) return refuse(node, "more than a million nodes (aliases of aliases?)");
      if (!item.IsScalar()) return refuse(item, key + ": expected a text, found " + what(item));
      target.push_back(item.Scalar());
    }
    return {};
  }

  const std::string file_;
  const std::string folder_;
  const Environment& environment_;
  NodeBudget budget_;
};

}  // namespace

Result<std::vector<Repository>> read_repositories(const std::string& file,
                                                  const Environment& environment) {
  const auto document = load_yaml(file);
  if (!document) return fail(document.error());
  return Reader(file, environment).read(*document);
}

Result<std::vector<Repository>> parse_repositories(const std::string& text, const std::string& file,
                                                   const Environment& environment) {
  const auto document = parse_yaml(text, file);
  if (!document) return fail(document.error());
  return Reader(file, environment).read(*document);
}

std::string write_repositories(const std::vector<Repository>& repositories) {
  YAML::Emitter out;
  out << YAML::BeginMap << YAML::Key << "repos" << YAML::Value << YAML::BeginSeq;
  for (const auto& repository : repositories) {
    out << YAML::BeginMap << YAML::Key << "name" << YAML::Value << repository.name;
    out << YAML::Key << "path" << YAML::Value << repository.path;
    if (!repository.nicknames.empty()) {
      out << YAML::Key << "nicknames" << YAML::Value << YAML::Flow << repository.nicknames;
    }
    if (!repository.tags.empty()) {
      out << YAML::Key << "tags" << YAML::Value << YAML::Flow << repository.tags;
    }
    if (!repository.role.empty()) out << YAML::Key << "role" << YAML::Value << repository.role;
    if (!repository.description.empty()) {
      out << YAML::Key << "description" << YAML::Value << repository.description;
    }
    out << YAML::EndMap;
  }
  out << YAML::EndSeq << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

}  // namespace mahavishnu::app
