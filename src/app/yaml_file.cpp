#include "app/yaml_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

std::string place(const std::string& path, const YAML::Mark& mark) {
  if (mark.is_null()) return path;
  return path + ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1);
}

}  // namespace

Result<YAML::Node> load_yaml(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) {
    const auto code = errno == ENOENT ? ErrorCode::NotFound : ErrorCode::Unavailable;
    return fail(code, path + ": " + std::strerror(errno));
  }
  if (!S_ISREG(facts.st_mode)) return fail(ErrorCode::InvalidArgument, path + " is not a file");
  if (static_cast<std::size_t>(facts.st_size) > kMaxYamlBytes) {
    return fail(ErrorCode::InvalidArgument,
                path + " has " + std::to_string(facts.st_size) + " bytes; the limit is 50 MB");
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) {
    // An empty file sets failbit too: nothing was inserted.
    if (facts.st_size == 0) return YAML::Node();
    return fail(ErrorCode::Unavailable, path + " could not be read: " + std::strerror(errno));
  }
  return parse_yaml(text.str(), path);
}

Result<YAML::Node> parse_yaml(const std::string& text, const std::string& path) {
  if (text.find('\0') != std::string::npos) {
    return fail(ErrorCode::InvalidArgument, path + " holds a NUL byte; it is not a YAML text");
  }
  try {
    return YAML::Load(text);
  } catch (const YAML::Exception& broken) {
    return fail(ErrorCode::InvalidArgument, place(path, broken.mark) + ": not YAML: " + broken.msg);
  }
}

std::string place(const std::string& path, const YAML::Node& node) {
  return place(path, node.Mark());
}

std::string_view kind_of(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Scalar:
      return "a single value";
    case YAML::NodeType::Sequence:
      return "a list";
    case YAML::NodeType::Map:
      return "a map";
    case YAML::NodeType::Null:
    case YAML::NodeType::Undefined:
      return "nothing";
  }
  return "nothing";
}

}  // namespace mahavishnu::app
