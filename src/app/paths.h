// Where things are on this machine, from the environment alone, so that a test gives its own.
//
// Pure functions of what they are given. Any thread.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace mahavishnu::app {

// The environment as a value: taken once at start.
using Environment = std::map<std::string, std::string>;

Environment process_environment();

// "" when it is not set or empty.
std::string lookup(const Environment& environment, std::string_view name);

// $XDG_CONFIG_HOME/mahavishnu, else ~/.config/mahavishnu.
std::string config_folder(const Environment& environment);
// $XDG_STATE_HOME/mahavishnu, else ~/.local/state/mahavishnu ($MAHAVISHNU_DATA is the setting
// `data`).
std::string default_data_folder(const Environment& environment);

// Absolute and normal: `~` and `~/…` become the home folder, a relative path is taken from `base`.
std::string absolute_path(std::string_view path, const std::string& base,
                          const Environment& environment);

// The working directory; "/" when it has been deleted.
std::string working_folder();

}  // namespace mahavishnu::app
