// `mahavishnu config show` and `mahavishnu version`.
#include <algorithm>
#include <iostream>

#include "app/setup.h"
#include "app/verbs.h"

namespace mahavishnu::app {
namespace {

std::string shown(const Setting& setting, const Config::Value& value) {
  const bool list = setting.type == SettingType::List || setting.type == SettingType::PathList;
  std::string text;
  for (const auto& item : value.items) text += (text.empty() ? "" : ", ") + item;
  return list ? "[" + text + "]" : text;
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

}  // namespace

int version_verb(const Arguments&) {
  std::cout << "mahavishnu " << MAHAVISHNU_VERSION << "\n";
  return 0;
}

int config_verb(const Arguments& arguments) {
  if (arguments.words().empty() || arguments.words().front() != "show") {
    std::cerr << "mahavishnu config: say `mahavishnu config show`\n";
    return 2;
  }
  const auto setup = load_setup(arguments);
  if (!setup) return failed(setup.error());
  const Config& config = setup->config;
  std::cout << "# config file: " << config.file() << (config.file_found() ? "" : " (not there)")
            << "\n"
            << "# data directory: " << setup->data << "\n"
            << "# repositories file: " << setup->repos_file << "\n";
  std::size_t key_width = 0;
  std::size_t value_width = 0;
  for (const Setting& setting : settings()) {
    key_width = std::max(key_width, std::string_view(setting.key).size() + 1);
    value_width = std::max(value_width, shown(setting, config.value(setting.key)).size());
  }
  value_width = std::min<std::size_t>(value_width, 40);
  for (const Setting& setting : settings()) {
    const Config::Value& value = config.value(setting.key);
    std::cout << padded(std::string(setting.key) + ":", key_width) << " "
              << padded(shown(setting, value), value_width) << "  # " << value.origin << "\n";
  }
  return 0;
}

}  // namespace mahavishnu::app
