// The configuration in force: the defaults, then config.yaml, then MAHAVISHNU_… variables, then
// flags; each value remembers where it came from.
//
// Immutable after load(). A key that is not in the table of settings.h is a bug when asked for and
// an error when read. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "app/paths.h"
#include "app/settings.h"
#include "base/result.h"
#include "base/time.h"

namespace mahavishnu::app {

class Config {
 public:
  // One value given on the command line.
  struct FlagValue {
    std::string flag;  // "--http", as it was typed
    std::string key;   // "http.listen"
    std::string text;
  };
  struct Sources {
    std::string file;            // config.yaml
    bool file_required = false;  // it was named: a missing one is an error
    Environment environment;
    std::vector<FlagValue> flags;
    std::string working_folder;  // relative paths of variables and flags start here
  };
  // An error tells all that is wrong (at most ten lines), each with its place and the nearest known
  // key.
  static base::Result<Config> load(const Sources& sources);

  struct Value {
    std::vector<std::string> items;  // one, but for lists
    std::int64_t number = 0;
    std::string origin;  // "default", "/…/config.yaml:3:9", "MAHAVISHNU_DATA", "--data"
  };
  const Value& value(std::string_view key) const;
  // As it could be written in a variable: "30000", "a,b".
  std::string written(std::string_view key) const;
  const std::string& text(std::string_view key) const;
  std::int64_t number(std::string_view key) const;
  base::Millis duration(std::string_view key) const;
  const std::vector<std::string>& list(std::string_view key) const;
  bool is_default(std::string_view key) const;

  const std::string& file() const { return file_; }
  bool file_found() const { return file_found_; }
  const Environment& environment() const { return environment_; }

 private:
  friend class ConfigReader;
  std::string file_;
  bool file_found_ = false;
  Environment environment_;
  std::map<std::string, Value, std::less<>> values_;
};

}  // namespace mahavishnu::app
