// `mahavishnu token new|list|revoke`: the named tokens of a data directory.
//
// They change the file; a running server notices by itself.
#include <algorithm>
#include <iostream>

#include "app/data_directory.h"
#include "app/settings.h"
#include "app/setup.h"
#include "app/token_file.h"
#include "app/token_watch.h"
#include "app/verbs.h"
#include "domain/pool_settings.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr int kNotUnderstood = 2;

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text + " ";
}

std::string bounds_text(const domain::Bounds& bounds) {
  std::string text;
  const auto add = [&text](const char* what, const std::vector<std::string>& names) {
    if (names.empty()) return;
    text += text.empty() ? "" : "; ";
    text += what;
    for (const auto& name : names) text += (&name == &names.front() ? " " : ",") + name;
  };
  add("pools", bounds.pools);
  add("repos", bounds.repositories);
  add("tags", bounds.tags);
  return text.empty() ? "any" : text;
}

Result<NamedToken> token_of(const Arguments& arguments) {
  NamedToken token;
  token.name = arguments.words()[1];
  token.created = base::wall_now();
  auto scope = parse_scopes(arguments.values("scope"));
  if (!scope) return fail(scope.error());
  token.scope = *scope;
  if (arguments.has("expires")) {
    const auto time = parse_duration(arguments.value("expires"));
    if (!time) return fail(time.error());
    if (*time == 0) return fail(ErrorCode::InvalidArgument, "--expires: 0 is no time");
    token.expires = token.created + base::Millis(*time);
  }
  token.bounds.pools = arguments.values("pools");
  token.bounds.repositories = arguments.values("repos");
  token.bounds.tags = arguments.values("tags");
  return token;
}

int make(const std::string& file, const Arguments& arguments) {
  auto token = token_of(arguments);
  if (!token) {
    failed(token.error());
    return kNotUnderstood;
  }
  const NamedToken told = *token;
  const auto text = add_token(file, std::move(*token));
  if (!text) return failed(text.error());
  std::cerr << "mahavishnu: made the token " << told.name << ": scope " << to_string(told.scope)
            << ", " << bounds_text(told.bounds)
            << (told.expires ? ", until " + base::to_rfc3339(*told.expires)
                             : std::string(", without an end"))
            << ". It is shown this once:\n";
  std::cout << *text << std::endl;
  return 0;
}

int list(const std::string& file) {
  const auto tokens = read_tokens(file);
  if (!tokens) return failed(tokens.error());
  const TokenUse used = read_token_use(file);
  const base::WallTime now = base::wall_now();
  std::cout << padded("name", 20) << padded("scope", 6) << padded("created", 24)
            << padded("expires", 24) << padded("last used", 24) << "allowed\n";
  for (const NamedToken& token : *tokens) {
    const auto use = used.find(token.name);
    // A token made anew under an old name was not used before it was made.
    const bool was_used = use != used.end() && use->second >= token.created;
    std::cout << padded(token.name, 20) << padded(std::string(to_string(token.scope)), 6)
              << padded(base::to_rfc3339(token.created), 24)
              << padded(token.expired(now) ? "expired"
                        : token.expires    ? base::to_rfc3339(*token.expires)
                                           : "never",
                        24)
              << padded(was_used ? base::to_rfc3339(use->second) : "never", 24)
              << bounds_text(token.bounds) << "\n";
  }
  return 0;
}

int revoke(const std::string& file, const std::string& name) {
  if (auto removed = remove_token(file, name); !removed) return failed(removed.error());
  std::cout << "revoked the token " << name << "\n";
  return 0;
}

}  // namespace

int token_verb(const Arguments& arguments) {
  const auto& words = arguments.words();
  const std::string what = words.empty() ? "" : words.front();
  const bool lists = what == "list" && words.size() == 1;
  const bool changes = (what == "new" || what == "revoke") && words.size() == 2;
  if (!lists && !changes) {
    std::cerr << "mahavishnu token: say `mahavishnu token new NAME`, `mahavishnu token list` or "
                 "`mahavishnu token revoke NAME`\n";
    return kNotUnderstood;
  }
  const auto setup = load_setup(arguments);
  if (!setup) return failed(setup.error());
  const std::string file = tokens_file(setup->data);
  if (lists) return list(file);
  if (auto made = make_private_folder(setup->data); !made) return failed(made.error());
  return what == "new" ? make(file, arguments) : revoke(file, words[1]);
}

}  // namespace mahavishnu::app
