// What was typed: a verb, its flags and its words, checked against a table of verbs.
//
// The help of every verb, the errors about unknown ones and the settings that flags override come
// from the same table. Knows nothing of what a verb does. Any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "base/result.h"

namespace mahavishnu::app {

struct Flag {
  const char* name;   // "http", typed as --http
  const char* value;  // "HOST:PORT"; nullptr: a switch
  const char* help;
  const char* setting = nullptr;  // the configuration key it overrides
};

// What was given to one verb.
class Arguments {
 public:
  bool has(std::string_view flag) const { return flags_.contains(flag); }
  // "" when it was not given; the last one when it was given more than once.
  const std::string& value(std::string_view flag) const;
  // All of them, each split at commas.
  std::vector<std::string> values(std::string_view flag) const;
  const std::vector<std::string>& words() const { return words_; }
  // What stood behind `--`; nullopt when there was none.
  const std::optional<std::vector<std::string>>& command() const { return command_; }
  const std::vector<Config::FlagValue>& settings() const { return settings_; }

 private:
  friend class CommandLine;
  std::map<std::string, std::vector<std::string>, std::less<>> flags_;
  std::vector<std::string> words_;
  std::optional<std::vector<std::string>> command_;
  std::vector<Config::FlagValue> settings_;
};

struct Verb {
  const char* name;     // "serve"
  const char* usage;    // "serve [--stdio] …"
  const char* summary;  // one line
  const char* more;     // paragraphs and examples
  std::size_t most_words;
  bool takes_command;  // words behind `--`
  std::vector<Flag> flags;
  int (*run)(const Arguments&);
};

class CommandLine {
 public:
  explicit CommandLine(std::vector<Verb> verbs) : verbs_(std::move(verbs)) {}

  // Runs the verb and answers its exit code: 0 done, 1 failed, 2 not understood.
  int run(const std::vector<std::string>& words) const;

  // InvalidArgument names the nearest known flag.
  static base::Result<Arguments> parse(const Verb& verb, const std::vector<std::string>& words);
  std::string help() const;
  static std::string help(const Verb& verb);

 private:
  const Verb* find(std::string_view name) const;

  std::vector<Verb> verbs_;
};

}  // namespace mahavishnu::app
