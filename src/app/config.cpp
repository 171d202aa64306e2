#include "app/config.h"

#include <algorithm>
#include <cassert>
#include <filesystem>
#include <set>

#include "app/yaml_file.h"
#include "base/redactor.h"
#include "domain/repositories.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr std::size_t kMostProblems = 10;

// Variables of ours that are no settings: where the configuration is, what the client verbs use,
// and what work finds in its environment (a `mahavishnu run` inside a task must not fail on them).
const std::set<std::string, std::less<>> kOtherVariables = {"MAHAVISHNU_CONFIG", "MAHAVISHNU_TOKEN",
                                                            "MAHAVISHNU_URL"};

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    auto item = text.substr(0, end);
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (!item.empty()) items.emplace_back(item);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return items;
}

bool is_list(const Setting& setting) {
  return setting.type == SettingType::List || setting.type == SettingType::PathList;
}

bool is_path(const Setting& setting) {
  return setting.type == SettingType::Path || setting.type == SettingType::PathList;
}

bool is_number(const Setting& setting) {
  return setting.type == SettingType::Integer || setting.type == SettingType::Size ||
         setting.type == SettingType::Duration;
}

std::string nearest_hint(const std::string& word, const std::vector<std::string>& known) {
  const std::string near = domain::nearest(word, known);
  return near.empty() ? std::string() : "; did you mean " + near + "?";
}

}  // namespace

// Fills one Config from its sources, in rising order, and collects what is wrong with them.
class ConfigReader {
 public:
  explicit ConfigReader(const Config::Sources& sources) : sources_(sources) {
    config_.file_ = sources.file;
    config_.environment_ = sources.environment;
  }

  Result<Config> read() {
    for (const Setting& setting : settings()) {
      const auto items = is_list(setting) ? split(setting.fallback, ',')
                                          : std::vector<std::string>{setting.fallback};
      set(setting, items, "default", "/");
    }
    read_file();
    read_environment();
    for (const auto& flag : sources_.flags) {
      const Setting* setting = find_setting(flag.key);
      assert(setting != nullptr && "a flag for a setting that does not exist");
      set_text(*setting, flag.text, flag.flag);
    }
    if (problems_.empty()) return std::move(config_);
    std::string message;
    for (const auto& problem : problems_) message += (message.empty() ? "" : "\n") + problem;
    return fail(ErrorCode::InvalidArgument, message);
  }

 private:
  void problem(std::string text) {
    if (problems_.size() < kMostProblems) problems_.push_back(std::move(text));
  }

  // `base` is where relative paths start; "" items stand for "not set".
  void set(const Setting& setting, std::vector<std::string> items, std::string origin,
           const std::string& base) {
    Config::Value value;
    value.origin = std::move(origin);
    if (!is_list(setting)) {
      const auto checked = check_value(setting, items.front());
      if (!checked) return problem(value.origin + ": " + checked.error().message);
    }
    if (std::string_view(setting.key) == "memory.redact") {
      for (const auto& item : items) {
        const auto good = base::Redactor::check(item);
        if (!good) return problem(value.origin + ": memory.redact: " + good.error().message);
      }
    }
    if (is_number(setting)) {
      value.number = *parse_number(setting, items.front());
    } else if (is_path(setting)) {
      for (auto& item : items) {
        if (!item.empty()) item = absolute_path(item, base, sources_.environment);
      }
    }
    value.items = std::move(items);
    config_.values_[setting.key] = std::move(value);
  }

  void set_text(const Setting& setting, const std::string& text, const std::string& origin) {
    set(setting, is_list(setting) ? split(text, ',') : std::vector<std::string>{text}, origin,
        sources_.working_folder);
  }

  void read_file() {
    if (sources_.file.empty()) return;
    const auto document = load_yaml(sources_.file);
    if (!document) {
      const bool missing = document.error().code == ErrorCode::NotFound;
      if (!missing || sources_.file_required) problem(document.error().message);
      return;
    }
    config_.file_found_ = true;
    if (document->IsNull()) return;
    if (!document->IsMap()) {
      return problem(place(sources_.file, *document) +
                     ": expected settings such as `http:`, found " +
                     std::string(kind_of(*document)));
    }
    read_map(*document, "");
  }

  void read_map(const YAML::Node& map, const std::string& prefix) {
    for (const auto& entry : map) {
      if (problems_.size() >= kMostProblems) return;
      if (!budget_.spend()) {
        return problem(sources_.file + ": more than a million nodes (aliases of aliases?)");
      }
      if (!entry.first.IsScalar()) {
        problem(place(sources_.file, entry.first) + ": a key must be a word");
        continue;
      }
      read_entry(prefix + entry.first.Scalar(), entry.first, entry.second);
    }
  }

  void read_entry(const std::string& key, const YAML::Node& key_node, const YAML::Node& node) {
    const Setting* setting = find_setting(key);
    if (setting == nullptr && is_section(key)) {
      if (node.IsMap()) return read_map(node, key + ".");
      if (!node.IsNull()) {
        problem(place(sources_.file, node) + ": " + key + ": expected a map of settings, found " +
                std::string(kind_of(node)));
      }
      return;
    }
    if (setting == nullptr) {
      return problem(place(sources_.file, key_node) + ": unknown key " + key +
                     nearest_hint(key, known_keys()));
    }
    if (!seen_.insert(key).second) {
      return problem(place(sources_.file, key_node) + ": " + key + " is set twice");
    }
    read_value(*setting, node);
  }

  void read_value(const Setting& setting, const YAML::Node& node) {
    const std::string origin = place(sources_.file, node);
    const std::string base = std::filesystem::path(sources_.file).parent_path().string();
    std::vector<std::string> items;
    bool fits = true;
    if (is_list(setting)) {
      fits = node.IsSequence() || node.IsScalar();
      if (node.IsScalar()) items = split(node.Scalar(), ',');
      for (std::size_t i = 0; node.IsSequence() && i < node.size(); ++i) {
        if (!budget_.spend()) return problem(origin + ": too many items");
        if (node[i].IsScalar()) {
          items.push_back(node[i].Scalar());
        } else {
          fits = false;
        }
      }
    } else {
      fits = node.IsScalar();
      if (fits) items.push_back(node.Scalar());
    }
    if (!fits) {
      return problem(origin + ": " + setting.key + ": expected " + expected(setting) + ", found " +
                     std::string(kind_of(node)));
    }
    set(setting, std::move(items), origin, base);
  }

  void read_environment() {
    // Inside a task the environment holds what the server gave to the work besides.
    const bool inside_task = sources_.environment.contains("MAHAVISHNU_ATTEMPT");
    std::map<std::string, const Setting*> by_name;
    for (const Setting& setting : settings())
      by_name.emplace(environment_name(setting.key), &setting);
    for (const auto& [name, text] : sources_.environment) {
      if (!name.starts_with("MAHAVISHNU_") || kOtherVariables.contains(name)) continue;
      const auto found = by_name.find(name);
      if (found != by_name.end()) {
        set_text(*found->second, text, name);
      } else if (!inside_task) {
        std::vector<std::string> known;
        for (const auto& entry : by_name) known.push_back(entry.first);
        problem("environment: unknown variable " + name + nearest_hint(name, known));
      }
    }
  }

  static std::vector<std::string> known_keys() {
    std::vector<std::string> keys;
    for (const Setting& setting : settings()) {
      const std::string key = setting.key;
      for (auto dot = key.find('.'); dot != std::string::npos; dot = key.find('.', dot + 1)) {
        keys.push_back(key.substr(0, dot));
      }
      keys.push_back(key);
    }
    return keys;
  }

  static bool is_section(const std::string& key) {
    const auto& table = settings();
    return std::any_of(table.begin(), table.end(), [&](const Setting& setting) {
      return std::string_view(setting.key).starts_with(key + ".");
    });
  }

  const Config::Sources& sources_;
  Config config_;
  NodeBudget budget_;
  std::set<std::string> seen_;
  std::vector<std::string> problems_;
};

Result<Config> Config::load(const Sources& sources) { return ConfigReader(sources).read(); }

const Config::Value& Config::value(std::string_view key) const {
  const auto found = values_.find(key);
  assert(found != values_.end() && "a setting that is not in the table");
  return found->second;
}

const std::string& Config::text(std::string_view key) const { return value(key).items.front(); }
std::int64_t Config::number(std::string_view key) const { return value(key).number; }
std::string Config::written(std::string_view key) const {
  const Value& found = value(key);
  const SettingType type = find_setting(key)->type;
  const bool is_number =
      type == SettingType::Integer || type == SettingType::Size || type == SettingType::Duration;
  if (is_number) return std::to_string(found.number);
  std::string text;
  for (const std::string& item : found.items) text += (text.empty() ? "" : ",") + item;
  return text;
}
base::Millis Config::duration(std::string_view key) const {
  return base::Millis(value(key).number);
}
const std::vector<std::string>& Config::list(std::string_view key) const {
  return value(key).items;
}
bool Config::is_default(std::string_view key) const { return value(key).origin == "default"; }

}  // namespace mahavishnu::app
