#include "app/command_line.h"

#include <algorithm>
#include <cxxopts.hpp>
#include <iostream>

#include "domain/repositories.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr int kNotUnderstood = 2;

std::string hint(std::string_view word, const std::vector<std::string>& known,
                 std::string_view prefix) {
  const std::string near = domain::nearest(word, known);
  return near.empty() ? std::string() : "; did you mean " + std::string(prefix) + near + "?";
}

// The flag's own name in "--name=value".
std::string flag_name(const std::string& word) {
  const auto start = word.find_first_not_of('-');
  if (start == std::string::npos) return {};
  return word.substr(start, word.find('=', start) - start);
}

bool is_flag(const std::string& word) { return word.size() > 1 && word.front() == '-'; }

std::string pad(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size() + 2), ' ');
  return text;
}

}  // namespace

const std::string& Arguments::value(std::string_view flag) const {
  static const std::string kNone;
  const auto found = flags_.find(flag);
  return found == flags_.end() || found->second.empty() ? kNone : found->second.back();
}

std::vector<std::string> Arguments::values(std::string_view flag) const {
  std::vector<std::string> all;
  const auto found = flags_.find(flag);
  if (found == flags_.end()) return all;
  for (std::string_view text : found->second) {
    while (!text.empty()) {
      const auto end = std::min(text.find(','), text.size());
      if (end > 0) all.emplace_back(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
  }
  return all;
}

Result<Arguments> CommandLine::parse(const Verb& verb, const std::vector<std::string>& words) {
  Arguments arguments;
  auto end = std::find(words.begin(), words.end(), "--");
  if (end != words.end()) {
    if (!verb.takes_command) return fail(ErrorCode::InvalidArgument, "`--` has no meaning here");
    arguments.command_.emplace(end + 1, words.end());
  }
  cxxopts::Options options(verb.name);
  options.allow_unrecognised_options();
  for (const Flag& flag : verb.flags) {
    if (flag.value == nullptr) {
      options.add_options()(flag.name, flag.help);
    } else {
      // One text an occurrence; cxxopts' own vectors would split JSON at its commas.
      options.add_options()(flag.name, flag.help, cxxopts::value<std::string>());
    }
  }
  std::vector<const char*> argv{verb.name};
  for (auto word = words.begin(); word != end; ++word) argv.push_back(word->c_str());
  try {
    const auto parsed = options.parse(static_cast<int>(argv.size()), argv.data());
    for (const auto& entry : parsed.arguments()) {
      arguments.flags_[entry.key()].push_back(entry.value());
    }
    for (const auto& word : parsed.unmatched()) {
      if (is_flag(word)) {
        std::vector<std::string> known{"help"};
        for (const Flag& flag : verb.flags) known.emplace_back(flag.name);
        return fail(ErrorCode::InvalidArgument,
                    "unknown flag " + word + hint(flag_name(word), known, "--"));
      }
      arguments.words_.push_back(word);
    }
  } catch (const cxxopts::exceptions::exception& wrong) {
    return fail(ErrorCode::InvalidArgument, wrong.what());
  }
  if (arguments.words_.size() > verb.most_words) {
    return fail(ErrorCode::InvalidArgument,
                "unexpected word \"" + arguments.words_[verb.most_words] + "\"");
  }
  for (const Flag& flag : verb.flags) {
    if (flag.setting == nullptr || !arguments.has(flag.name)) continue;
    const auto checked = check_value(*find_setting(flag.setting), arguments.value(flag.name));
    if (!checked) return fail(checked.error());
    arguments.settings_.push_back(
        {std::string("--") + flag.name, flag.setting, arguments.value(flag.name)});
  }
  return arguments;
}

const Verb* CommandLine::find(std::string_view name) const {
  const auto found = std::find_if(verbs_.begin(), verbs_.end(),
                                  [&](const Verb& verb) { return name == verb.name; });
  return found == verbs_.end() ? nullptr : &*found;
}

int CommandLine::run(const std::vector<std::string>& words) const {
  if (words.empty()) {
    std::cerr << help();
    return kNotUnderstood;
  }
  const std::string& name = words.front();
  const bool asks_help = name == "help" || name == "--help" || name == "-h";
  if (asks_help && words.size() == 1) {
    std::cout << help();
    return 0;
  }
  const std::string& verb_name = asks_help ? words[1] : name == "--version" ? "version" : name;
  const Verb* verb = find(verb_name);
  if (verb == nullptr) {
    std::vector<std::string> known;
    for (const Verb& entry : verbs_) known.emplace_back(entry.name);
    std::cerr << "mahavishnu: unknown command " << verb_name << hint(verb_name, known, "")
              << "\nSee mahavishnu --help\n";
    return kNotUnderstood;
  }
  const std::vector<std::string> rest(words.begin() + 1, words.end());
  const auto end = std::find(rest.begin(), rest.end(), "--");
  if (asks_help ||
      std::any_of(rest.begin(), end, [](const auto& w) { return w == "--help" || w == "-h"; })) {
    std::cout << help(*verb);
    return 0;
  }
  const auto arguments = parse(*verb, rest);
  if (!arguments) {
    std::cerr << "mahavishnu " << verb->name << ": " << arguments.error().message
              << "\nSee mahavishnu help " << verb->name << "\n";
    return kNotUnderstood;
  }
  return verb->run(*arguments);
}

std::string CommandLine::help() const {
  std::string text =
      "Mahavishnu runs real work on pools of workers across many repositories, over MCP.\n\n"
      "Usage: mahavishnu COMMAND …\n\n";
  for (const Verb& verb : verbs_) text += "  " + pad(verb.name, 10) + verb.summary + "\n";
  return text +
         "\nmahavishnu help COMMAND tells more.\n"
         "\nExamples:\n"
         "  mahavishnu repos scan ~/src                     find repositories, write repos.yaml\n"
         "  mahavishnu run --all -- git status --short      run a command in every repository\n"
         "  mahavishnu serve                                serve MCP over HTTP on 127.0.0.1:8680\n"
         "  mahavishnu serve --stdio                        serve MCP on stdin and stdout\n";
}

std::string CommandLine::help(const Verb& verb) {
  std::string text = "Usage: mahavishnu " + std::string(verb.usage) + "\n\n" + verb.summary + ".\n";
  if (!verb.flags.empty()) text += "\n";
  for (const Flag& flag : verb.flags) {
    std::string left = std::string("--") + flag.name;
    if (flag.value != nullptr) left += std::string(" ") + flag.value;
    text += "  " + pad(left, 22) + flag.help + "\n";
  }
  if (*verb.more != '\0') text += std::string("\n") + verb.more + "\n";
  return text;
}

}  // namespace mahavishnu::app
