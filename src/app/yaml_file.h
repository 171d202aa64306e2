// A YAML file read with its limits, so that a broken or hostile one is an error and never a crash.
//
// yaml-cpp shares the nodes that aliases name, so parsing is linear in the text; walking is not
// (ten lines can stand for 10^9 nodes). Whoever walks a document spends from a NodeBudget.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mahavishnu::app {

inline constexpr std::size_t kMaxYamlBytes = 50'000'000;
inline constexpr std::size_t kMaxYamlNodes = 1'000'000;

// Nodes that may still be visited, aliases counted as often as they are used.
class NodeBudget {
 public:
  explicit NodeBudget(std::size_t nodes = kMaxYamlNodes) : left_(nodes) {}
  bool spend() { return left_ != 0 && left_-- != 0; }

 private:
  std::size_t left_;
};

// NotFound when there is no such file; InvalidArgument names file:line:column and what is wrong.
// An empty file is a null node.
base::Result<YAML::Node> load_yaml(const std::string& path);
base::Result<YAML::Node> parse_yaml(const std::string& text, const std::string& path);

// "repos.yaml:3:5", counted from 1.
std::string place(const std::string& path, const YAML::Node& node);

// "a list", "a map", "a text": what came where something else was expected.
std::string_view kind_of(const YAML::Node& node);

}  // namespace mahavishnu::app
