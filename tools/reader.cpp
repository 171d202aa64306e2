#include "tools/reader.h"

#include <algorithm>
#include <cmath>

#include "domain/repositories.h"
#include "rpc/codec.h"

namespace mahavishnu::tools {
namespace {

constexpr std::size_t kShown = 60;  // bytes of a wrong value a message repeats

std::string shown(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list of " + std::to_string(value.size());
  if (value.is_string() && value.get_ref<const std::string&>().size() > kShown) {
    return "a text of " + std::to_string(value.get_ref<const std::string&>().size()) + " bytes";
  }
  return rpc::dump(value);
}

std::string number_text(double value) { return rpc::dump(Json(value)); }

}  // namespace

Reader::Reader(const Json& document, std::string path, std::optional<Error>& problem)
    : document_(&document), path_(std::move(path)), problem_(&problem) {
  if (document.is_object()) return;
  document_ = nullptr;
  if (problem_->has_value()) return;
  *problem_ = Error{
      ErrorCode::InvalidArgument,
      (path_.empty() ? "arguments" : path_) + ": expected an object, got " + shown(document), 0};
}

std::string Reader::where(std::string_view name) const {
  return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

bool Reader::has(const char* name) const {
  return document_ != nullptr && document_->contains(name);
}

const Json* Reader::find(const char* name) {
  known_.push_back(name);
  if (document_ == nullptr) return nullptr;
  const auto at = document_->find(name);
  return at == document_->end() ? nullptr : &*at;
}

void Reader::refuse(std::string message) {
  if (problem_->has_value()) return;
  *problem_ = Error{ErrorCode::InvalidArgument,
                    path_.empty() ? std::move(message) : path_ + ": " + message, 0};
}

void Reader::wrong(const char* name, const std::string& expected) {
  if (problem_->has_value()) return;
  std::string message = where(name) + ": expected " + expected;
  if (has(name)) message += ", got " + shown(document_->at(name));
  *problem_ = Error{ErrorCode::InvalidArgument, std::move(message), 0};
}

const Json* Reader::find_string(const char* name, std::size_t max_bytes, bool nul_allowed) {
  const Json* value = find(name);
  if (value == nullptr) return nullptr;
  if (!value->is_string()) {
    wrong(name, "a text");
    return nullptr;
  }
  const auto& text = value->get_ref<const std::string&>();
  if (text.size() > max_bytes) {
    wrong(name, "a text of at most " + std::to_string(max_bytes) + " bytes");
    return nullptr;
  }
  if (!nul_allowed && text.find('\0') != std::string::npos) {
    wrong(name, "a text without NUL characters");
    return nullptr;
  }
  return value;
}

std::string Reader::text(const char* name, std::size_t max_bytes) {
  const Json* value = find_string(name, max_bytes, false);
  return value == nullptr ? std::string() : value->get<std::string>();
}

std::string Reader::required_text(const char* name, std::size_t max_bytes) {
  std::string value = text(name, max_bytes);
  if (value.empty()) wrong(name, "a text that is not empty");
  return value;
}

std::string Reader::any_text(const char* name, std::size_t max_bytes) {
  const Json* value = find_string(name, max_bytes, true);
  return value == nullptr ? std::string() : value->get<std::string>();
}

std::int64_t Reader::integer(const char* name, std::int64_t fallback, std::int64_t least,
                             std::int64_t most) {
  const Json* value = find(name);
  if (value == nullptr) return fallback;
  // 1.0 is an integer to JSON Schema, so it is one here.
  const double as_double = value->is_number() ? value->get<double>() : 0.0;
  const bool inside =
      as_double >= static_cast<double>(least) && as_double <= static_cast<double>(most);
  if (!value->is_number() || !inside || std::trunc(as_double) != as_double) {
    wrong(name, "an integer from " + std::to_string(least) + " to " + std::to_string(most));
    return fallback;
  }
  return value->get<std::int64_t>();
}

double Reader::number(const char* name, double fallback, double least, double most) {
  const Json* value = find(name);
  if (value == nullptr) return fallback;
  if (!value->is_number() || value->get<double>() < least || value->get<double>() > most) {
    wrong(name, "a number from " + number_text(least) + " to " + number_text(most));
    return fallback;
  }
  return value->get<double>();
}

bool Reader::flag(const char* name, bool fallback) {
  const Json* value = find(name);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) {
    wrong(name, "true or false");
    return fallback;
  }
  return value->get<bool>();
}

std::vector<std::string> Reader::texts(const char* name, std::size_t max_items,
                                       std::size_t max_bytes) {
  std::vector<std::string> all;
  const Json* value = find(name);
  if (value == nullptr) return all;
  if (!value->is_array() || value->size() > max_items) {
    wrong(name, "a list of at most " + std::to_string(max_items) + " texts");
    return all;
  }
  for (const Json& item : *value) {
    if (!item.is_string() || item.get_ref<const std::string&>().size() > max_bytes ||
        item.get_ref<const std::string&>().find('\0') != std::string::npos) {
      refuse(std::string(name) + "[" + std::to_string(all.size()) +
             "]: expected a text of at most " + std::to_string(max_bytes) +
             " bytes without NUL characters, got " + shown(item));
      return {};
    }
    all.push_back(item.get<std::string>());
  }
  return all;
}

domain::StringMap Reader::map(const char* name, std::size_t max_entries, std::size_t max_bytes) {
  domain::StringMap all;
  const Json* value = find(name);
  if (value == nullptr) return all;
  if (!value->is_object() || value->size() > max_entries) {
    wrong(name, "an object of at most " + std::to_string(max_entries) + " texts");
    return all;
  }
  for (const auto& [key, item] : value->items()) {
    if (key.empty() || key.size() > kKeyBytes || key.find('=') != std::string::npos ||
        key.find('\0') != std::string::npos) {
      refuse(std::string(name) + ": \"" + key.substr(0, kShown) +
             "\" is no name; names have 1 to 256 bytes, no = and no NUL");
      return {};
    }
    if (!item.is_string() || item.get_ref<const std::string&>().size() > max_bytes ||
        item.get_ref<const std::string&>().find('\0') != std::string::npos) {
      refuse(std::string(name) + "." + key + ": expected a text of at most " +
             std::to_string(max_bytes) + " bytes without NUL characters, got " + shown(item));
      return {};
    }
    all.emplace(key, item.get<std::string>());
  }
  return all;
}

std::optional<base::WallTime> Reader::time(const char* name) {
  const std::string value = text(name);
  if (!has(name)) return std::nullopt;
  auto parsed = base::parse_rfc3339(value);
  if (parsed) return *parsed;
  wrong(name, "an RFC 3339 time such as 2026-11-21T19:35:55Z");
  return std::nullopt;
}

base::Millis Reader::millis(const char* name, base::Millis fallback, base::Millis most) {
  return base::Millis{integer(name, fallback.count(), 0, most.count())};
}

Reader Reader::object(const char* name) {
  static const Json kNothing = Json::object();
  const Json* value = find(name);
  return Reader(value == nullptr ? kNothing : *value, where(name), *problem_);
}

const Json* Reader::any_object(const char* name) {
  const Json* value = find(name);
  if (value == nullptr || value->is_object()) return value;
  wrong(name, "an object");
  return nullptr;
}

const Json* Reader::list(const char* name, std::size_t max_items) {
  const Json* value = find(name);
  if (value != nullptr && value->is_array() && !value->empty() && value->size() <= max_items)
    return value;
  if (value != nullptr) wrong(name, "a list of 1 to " + std::to_string(max_items));
  return nullptr;
}

std::string_view Reader::exactly_one(std::vector<const char*> names) {
  std::string_view given;
  int count = 0;
  for (const char* name : names) {
    known_.push_back(name);
    if (!has(name)) continue;
    given = name;
    ++count;
  }
  if (count == 1) return given;
  std::string list;
  for (const char* name : names) list += (list.empty() ? "" : ", ") + std::string(name);
  refuse("give exactly one of " + list + (count == 0 ? "; none came" : "; more than one came"));
  return {};
}

Status Reader::finish() {
  if (!problem_->has_value() && document_ != nullptr && document_->size() > 0) {
    for (const auto& [key, value] : document_->items()) {
      const auto same = [&key](const char* name) { return key == name; };
      if (std::any_of(known_.begin(), known_.end(), same)) continue;
      const std::string close = domain::nearest(key, {known_.begin(), known_.end()});
      refuse("unknown argument \"" + key.substr(0, kShown) + "\"" +
             (close.empty() ? "" : "; did you mean \"" + close + "\"?"));
      break;
    }
  }
  if (problem_->has_value()) return fail(**problem_);
  return {};
}

}  // namespace mahavishnu::tools
