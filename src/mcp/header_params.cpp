#include "mcp/header_params.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <set>

#include "mcp/error_map.h"
#include "mcp/http_headers.h"
#include "mcp/nearest.h"

namespace mahavishnu::mcp {
namespace {

using rpc::Json;

constexpr const char* kAnnotation = "x-mcp-header";

// RFC 9110, section 5.6.2.
bool is_token(std::string_view text) {
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           kMarks.find(c) != std::string_view::npos;
  });
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::size_t count_annotations(const Json& schema) {
  std::size_t count = schema.is_object() ? schema.count(kAnnotation) : 0;
  if (schema.is_structured()) {
    for (const Json& member : schema) count += count_annotations(member);
  }
  return count;
}

// Walks the chains of `properties` only: an annotation elsewhere is none.
class Collector {
 public:
  base::Status visit(const Json& schema, std::vector<std::string> path) {
    const auto properties = schema.find("properties");
    if (properties == schema.end() || !properties->is_object()) return {};
    for (const auto& [name, property] : properties->items()) {
      if (!property.is_object()) continue;
      auto here = path;
      here.push_back(name);
      if (property.contains(kAnnotation)) {
        if (auto added = add(property, here); !added) return added;
      }
      if (auto visited = visit(property, std::move(here)); !visited) return visited;
    }
    return {};
  }

  std::vector<HeaderParam> found;

 private:
  base::Status add(const Json& property, const std::vector<std::string>& path) {
    const Json& value = property[kAnnotation];
    const auto refuse = [&path](const char* why) {
      return base::fail(base::ErrorCode::InvalidArgument,
                        "x-mcp-header of " + in_quotes(path.back()) + " " + why);
    };
    if (!value.is_string() || !is_token(value.get_ref<const std::string&>())) {
      return refuse("must be the token of a header's name");
    }
    const std::string type = property.value("type", Json()).is_string()
                                 ? property["type"].get<std::string>()
                                 : std::string();
    if (type != "string" && type != "integer" && type != "boolean") {
      return refuse("may stand at a string, an integer or a boolean only");
    }
    const auto& name = value.get_ref<const std::string&>();
    if (!names_.insert(lower(name)).second) return refuse("is there twice");
    found.push_back({"Mcp-Param-" + name, path});
    return {};
  }

  std::set<std::string> names_;
};

// The value at `path`; nullptr: there is none, or null.
const Json* value_at(const Json& arguments, const std::vector<std::string>& path) {
  const Json* at = &arguments;
  for (const std::string& name : path) {
    if (!at->is_object()) return nullptr;
    const auto member = at->find(name);
    if (member == at->end()) return nullptr;
    at = &*member;
  }
  return at->is_null() ? nullptr : at;
}

bool is_visible(std::string_view value) {
  return std::all_of(value.begin(), value.end(),
                     [](char c) { return (c >= ' ' && c <= '~') || c == '\t'; });
}

bool same_number(std::string_view text, const Json& number) {
  double value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failed == std::errc() && end == text.data() + text.size() && std::isfinite(value) &&
         value == number.get<double>();
}

bool says(std::string_view header, const Json& value) {
  const auto decoded = decode_header_value(header);
  if (!decoded || !is_visible(header)) return false;
  if (value.is_string()) return *decoded == value.get_ref<const std::string&>();
  if (value.is_boolean()) return *decoded == (value.get<bool>() ? "true" : "false");
  return value.is_number() && same_number(*decoded, value);
}

rpc::RpcError mismatch(const HeaderParam& param, const char* what) {
  return rpc_error(error_code::kHeaderMismatch, "header mismatch: " + param.header + " " + what +
                                                    "; tools/list says which parameters go there");
}

}  // namespace

base::Result<std::vector<HeaderParam>> header_params(const Json& schema) {
  Collector collector;
  if (auto visited = collector.visit(schema, {}); !visited) return base::fail(visited.error());
  if (count_annotations(schema) != collector.found.size()) {
    return base::fail(base::ErrorCode::InvalidArgument,
                      "x-mcp-header may stand only at properties reached by properties alone");
  }
  return std::move(collector.found);
}

std::optional<rpc::RpcError> check_header_params(const std::vector<HeaderParam>& params,
                                                 const Json& arguments,
                                                 const HeaderLookup& header) {
  for (const HeaderParam& param : params) {
    const auto given = header(param.header);
    const Json* value = value_at(arguments, param.path);
    if (!given && value == nullptr) continue;
    if (!given) return mismatch(param, "is missing, and the body has its value");
    if (value == nullptr) return mismatch(param, "is there, and the body has no value for it");
    if (!says(*given, *value)) return mismatch(param, "is not what the body says");
  }
  return std::nullopt;
}

}  // namespace mahavishnu::mcp
