#include "app/paths.h"

#include <pwd.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

namespace mahavishnu::app {
namespace {

// $HOME, else what the user database says (a service may run without HOME).
std::string home_folder(const Environment& environment) {
  const std::string home = lookup(environment, "HOME");
  if (!home.empty()) return home;
  const passwd* entry = ::getpwuid(::getuid());
  return entry != nullptr && entry->pw_dir != nullptr ? entry->pw_dir : "/";
}

std::string xdg_folder(const Environment& environment, std::string_view variable,
                       std::string_view below_home) {
  const std::string set = lookup(environment, variable);
  // The XDG base directory specification: a relative path there is invalid and to be ignored.
  const std::string base = !set.empty() && set.front() == '/'
                               ? set
                               : home_folder(environment) + "/" + std::string(below_home);
  return base + "/mahavishnu";
}

}  // namespace

Environment process_environment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

std::string lookup(const Environment& environment, std::string_view name) {
  const auto found = environment.find(std::string(name));
  return found == environment.end() ? std::string() : found->second;
}

std::string config_folder(const Environment& environment) {
  return xdg_folder(environment, "XDG_CONFIG_HOME", ".config");
}

std::string default_data_folder(const Environment& environment) {
  return xdg_folder(environment, "XDG_STATE_HOME", ".local/state");
}

std::string absolute_path(std::string_view path, const std::string& base,
                          const Environment& environment) {
  std::filesystem::path result;
  if (path == "~" || path.starts_with("~/")) {
    result = home_folder(environment) + std::string(path.substr(1));
  } else if (!path.empty() && path.front() == '/') {
    result = std::string(path);
  } else {
    result = std::filesystem::path(base) / std::string(path);
  }
  std::string text = result.lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

std::string working_folder() {
  std::error_code error;
  const auto folder = std::filesystem::current_path(error);
  return error ? "/" : folder.string();
}

}  // namespace mahavishnu::app
