#include "mcp/schema_explain.h"

#include <regex>

#include "mcp/nearest.h"
#include "rpc/codec.h"

namespace mahavishnu::mcp {
namespace {

using rpc::Json;

bool is_type(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  return true;
}

// Characters, as minLength counts them: UTF-8 bytes that begin a sequence.
std::size_t length(const std::string& text) {
  std::size_t count = 0;
  for (const char byte : text) {
    if ((static_cast<unsigned char>(byte) & 0xC0) != 0x80) ++count;
  }
  return count;
}

std::string listed(const Json& values) {
  std::string out;
  for (const Json& value : values) {
    if (!out.empty()) out += ", ";
    out += rpc::dump(value);
  }
  return out;
}

class Explanation {
 public:
  Explanation(const Json& root_schema, std::string_view root, std::size_t most)
      : root_schema_(root_schema), root_(root), most_(most) {}

  void walk(const Json& schema_or_reference, const Json& value, const std::string& path) {
    const Json& schema = resolve(schema_or_reference);
    if (!schema.is_object() || full()) return;
    if (!type(schema, value, path)) return;  // whatever else is wrong follows from this
    choice(schema, value, path);
    if (value.is_number()) number(schema, value, path);
    if (value.is_string()) string(schema, value, path);
    if (value.is_array()) array(schema, value, path);
    if (value.is_object()) object(schema, value, path);
  }

  std::vector<std::string> take() { return std::move(sentences_); }

 private:
  bool full() const { return sentences_.size() >= most_; }

  void say(const std::string& sentence) {
    if (!full()) sentences_.push_back(sentence);
  }

  // Follows `$ref` inside the schema; bounded, because two may point at each other.
  const Json& resolve(const Json& schema) const {
    const Json* found = &schema;
    for (int hops = 0; hops < 16 && found->is_object() && found->contains("$ref"); ++hops) {
      const Json& reference = (*found)["$ref"];
      if (!reference.is_string()) return *found;
      const std::string text = reference.get<std::string>();
      if (!text.starts_with("#/")) return text == "#" ? root_schema_ : *found;
      const Json::json_pointer pointer(text.substr(1));
      if (!root_schema_.contains(pointer)) return *found;
      found = &root_schema_.at(pointer);
    }
    return *found;
  }

  bool type(const Json& schema, const Json& value, const std::string& path) {
    const auto found = schema.find("type");
    if (found == schema.end()) return true;
    std::string expected;
    for (const Json& type : found->is_array() ? *found : Json::array({*found})) {
      if (!type.is_string() || is_type(value, type.get<std::string>())) return true;
      expected += (expected.empty() ? "" : " or ") + type.get<std::string>();
    }
    say(path + ": expected " + expected + ", got " + describe(value));
    return false;
  }

  void choice(const Json& schema, const Json& value, const std::string& path) {
    if (const auto one = schema.find("const"); one != schema.end() && value != *one) {
      say(path + ": expected " + rpc::dump(*one) + ", got " + describe(value));
    }
    const auto found = schema.find("enum");
    if (found == schema.end() || !found->is_array()) return;
    std::vector<std::string_view> words;
    for (const Json& allowed : *found) {
      if (allowed == value) return;
      if (allowed.is_string()) words.push_back(allowed.get_ref<const std::string&>());
    }
    std::string sentence =
        path + ": expected one of " + listed(*found) + ", got " + describe(value);
    if (value.is_string()) sentence += did_you_mean(value.get_ref<const std::string&>(), words);
    say(sentence);
  }

  void bound(const Json& schema, const char* keyword, bool violated(double, double), double actual,
             const std::string& sentence) {
    const auto found = schema.find(keyword);
    if (found == schema.end() || !found->is_number() || !violated(actual, found->get<double>())) {
      return;
    }
    std::string text = sentence;
    text.replace(text.find('%'), 1, rpc::dump(*found));
    say(text);
  }

  static bool below(double actual, double limit) { return actual < limit; }
  static bool above(double actual, double limit) { return actual > limit; }
  static bool not_above(double actual, double limit) { return actual <= limit; }
  static bool not_below(double actual, double limit) { return actual >= limit; }

  void number(const Json& schema, const Json& value, const std::string& path) {
    const double actual = value.get<double>();
    const std::string came = ", got " + rpc::dump(value);
    bound(schema, "minimum", below, actual, path + ": expected at least %" + came);
    bound(schema, "maximum", above, actual, path + ": expected at most %" + came);
    bound(schema, "exclusiveMinimum", not_above, actual, path + ": expected more than %" + came);
    bound(schema, "exclusiveMaximum", not_below, actual, path + ": expected less than %" + came);
  }

  void string(const Json& schema, const Json& value, const std::string& path) {
    const std::string& text = value.get_ref<const std::string&>();
    const auto actual = static_cast<double>(length(text));
    const std::string came = ", got " + std::to_string(length(text));
    if (text.empty() && schema.value("minLength", Json(0)) == Json(1)) {
      say(path + ": expected a string that is not empty");
    } else {
      bound(schema, "minLength", below, actual, path + ": expected at least % characters" + came);
    }
    bound(schema, "maxLength", above, actual, path + ": expected at most % characters" + came);
    if (const auto found = schema.find("pattern"); found != schema.end() && found->is_string()) {
      const std::string& pattern = found->get_ref<const std::string&>();
      if (!std::regex_search(text, std::regex(pattern))) {
        say(path + ": expected a string like /" + pattern + "/, got " + describe(value));
      }
    }
  }

  void array(const Json& schema, const Json& value, const std::string& path) {
    const auto actual = static_cast<double>(value.size());
    const std::string came = ", got " + std::to_string(value.size());
    bound(schema, "minItems", below, actual, path + ": expected at least % items" + came);
    bound(schema, "maxItems", above, actual, path + ": expected at most % items" + came);
    if (schema.value("uniqueItems", Json(false)) == Json(true)) duplicates(value, path);
    const auto items = schema.find("items");
    if (items == schema.end()) return;
    for (std::size_t i = 0; i < value.size() && !full(); ++i) {
      if (items->is_array() && i >= items->size()) return;
      walk(items->is_array() ? (*items)[i] : *items, value[i], path + "/" + std::to_string(i));
    }
  }

  void duplicates(const Json& value, const std::string& path) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (value[i] != value[j]) continue;
        say(path + "/" + std::to_string(i) + ": expected no item twice, got " + describe(value[i]) +
            " again");
        return;
      }
    }
  }

  void object(const Json& schema, const Json& value, const std::string& path) {
    const bool outermost = path == root_;
    if (const auto required = schema.find("required");
        required != schema.end() && required->is_array()) {
      for (const Json& key : *required) {
        if (!key.is_string() || value.contains(key.get_ref<const std::string&>())) continue;
        const std::string name = in_quotes(key.get_ref<const std::string&>());
        say(outermost ? "missing required argument " + name : path + ": missing required " + name);
      }
    }
    const auto actual = static_cast<double>(value.size());
    const std::string came = ", got " + std::to_string(value.size());
    bound(schema, "minProperties", below, actual, path + ": expected at least % keys" + came);
    bound(schema, "maxProperties", above, actual, path + ": expected at most % keys" + came);
    members(schema, value, path);
  }

  void members(const Json& schema, const Json& value, const std::string& path) {
    static const Json kNone = Json::object();
    const auto found = schema.find("properties");
    const Json& properties = found != schema.end() && found->is_object() ? *found : kNone;
    const auto others = schema.find("additionalProperties");
    const bool patterns = schema.contains("patternProperties");
    for (const auto& [key, member] : value.items()) {
      if (full()) return;
      if (const auto known = properties.find(key); known != properties.end()) {
        walk(*known, member, path + "/" + key);
      } else if (others == schema.end() || patterns) {
        continue;
      } else if (others->is_object()) {
        walk(*others, member, path + "/" + key);
      } else if (*others == Json(false)) {
        unknown(properties, key, path);
      }
    }
  }

  void unknown(const Json& properties, const std::string& key, const std::string& path) {
    std::vector<std::string_view> names;
    for (const auto& property : properties.items()) names.push_back(property.key());
    const std::string kind = path == root_ ? "argument " : "key ";
    say(path + ": unknown " + kind + in_quotes(key) + did_you_mean(key, names));
  }

  const Json& root_schema_;
  const std::string root_;
  const std::size_t most_;
  std::vector<std::string> sentences_;
};

}  // namespace

std::string describe(const Json& value) {
  switch (value.type()) {
    case Json::value_t::object:
      return "object with " + std::to_string(value.size()) + (value.size() == 1 ? " key" : " keys");
    case Json::value_t::array:
      return "array of " + std::to_string(value.size());
    case Json::value_t::string:
      return "string " + in_quotes(value.get_ref<const std::string&>());
    case Json::value_t::number_float:
      return "number " + rpc::dump(value);
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      return "integer " + rpc::dump(value);
    default:
      return rpc::dump(value);
  }
}

std::vector<std::string> explain_violations(const Json& schema, const Json& document,
                                            std::string_view root, std::size_t most) {
  Explanation explanation(schema, root, most);
  explanation.walk(schema, document, std::string(root));
  return explanation.take();
}

}  // namespace mahavishnu::mcp
