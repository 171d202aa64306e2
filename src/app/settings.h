// Every setting there is, as one table: parsing, checking, `config show`, the environment's names
// and the errors about unknown keys all come from it. Adding a setting means adding a row.
//
// Constant after start; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mahavishnu::app {

enum class SettingType {
  Text,
  Path,  // made absolute when it is read
  Integer,
  Size,      // bytes: 4194304 or 4MiB
  Duration,  // milliseconds: 30000 or 30s
  List,      // YAML list; comma-separated in the environment and in flags
  PathList,
};

struct Setting {
  const char* key;  // "http.listen"
  SettingType type;
  const char* fallback;  // as it would be written in the environment
  std::int64_t min;      // numbers only, in bytes or milliseconds
  std::int64_t max;
  const char* choices;  // Text only: "a|b|c"; "" is anything
  const char* help;
};

const std::vector<Setting>& settings();

// nullptr when there is none.
const Setting* find_setting(std::string_view key);

// "MAHAVISHNU_HTTP_LISTEN" for "http.listen".
std::string environment_name(std::string_view key);

// What a value of this type looks like, for messages: "a duration such as 30s, 500ms or 1500".
std::string expected(const Setting& setting);

// The number behind an Integer, Size or Duration, within its bounds.
base::Result<std::int64_t> parse_number(const Setting& setting, std::string_view text);

// Whether `text` can be the value of a setting that is no list; the error names the key.
base::Status check_value(const Setting& setting, std::string_view text);

// "4MiB", "64KiB", "1GB", "4096" → bytes. "30s", "500ms", "10m", "2h", "1500" → milliseconds.
base::Result<std::int64_t> parse_size(std::string_view text);
base::Result<std::int64_t> parse_duration(std::string_view text);

}  // namespace mahavishnu::app
