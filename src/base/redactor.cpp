// The naive way replaces one pattern after another, a pass over the text each. Nearly no text has a
// secret in it: one pass of an RE2::Set says which patterns have to be run, and mostly none has.
#include "base/redactor.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>

namespace mahavishnu::base {
namespace {

struct Builtin {
  const char* pattern;
  const char* replacement;
};

#define REDACTED "[redacted]"

// \1 and \2 are what stays: the name of what was there, and what follows it. Order matters: the
// ones that take most come first.
constexpr Builtin kBuiltin[] = {
    {R"((?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----.*?(-----END [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----|\z))",
     REDACTED},
    // The end of such a block, whose beginning was cut off.
    {R"((?:[A-Za-z0-9+/=]{16,}\s+)*[A-Za-z0-9+/=]*\s*-----END [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----)",
     REDACTED},
    {R"((?i)(authorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|digest|token|negotiate|apikey)\s+)?)[^\s"',]+)",
     R"(\1)" REDACTED},
    {R"((?i)(\bbearer\s+)[a-z0-9._~+/=-]{16,})", R"(\1)" REDACTED},
    {R"((?i)(\b(?:set-)?cookie\s*:\s*)[^\r\n"']+)", R"(\1)" REDACTED},
    {R"(\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*)", REDACTED},
    {R"(\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b)", REDACTED},
    {R"(\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}))", REDACTED},
    {R"(\bgl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas)-[A-Za-z0-9_.-]{16,})", REDACTED},
    {R"(\bxox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,})", REDACTED},
    {R"((https://hooks\.slack\.com/)[^\s"']+)", R"(\1)" REDACTED},
    {R"(\b(?:sk|pk|rk)[_-][A-Za-z0-9_-]{20,}|\bnpm_[A-Za-z0-9]{30,}|\bmhv_[A-Za-z0-9_-]{40,}|\bpypi-[A-Za-z0-9_-]{16,}|\bAIza[A-Za-z0-9_-]{35})",
     REDACTED},
    {R"(([A-Za-z][A-Za-z0-9+.-]*://[^\s/:@"']*:)[^\s/@"']+(@))", R"(\1)" REDACTED R"(\2)"},
    {R"((?i)([a-z0-9_.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|secret[_-]?key)\\?["']?\s*(?::=|=>|[:=])\s*\\?)("[^"\n]*"|'[^'\n]*'|[^\s"',;&)}]+))",
     R"(\1)" REDACTED},
    {R"((?i)(--?(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key)\s+)("[^"\n]*"|'[^'\n]*'|[^\s"']+))",
     R"(\1)" REDACTED},
    {R"((\s(?:-u|--user|--proxy-user)[= ]*["']?[^\s:"'/]+:)[^\s"']+)", R"(\1)" REDACTED},
};

RE2::Options quiet() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(16 << 20);
  return options;
}

std::int64_t mixed(std::int64_t so_far, std::string_view text) {
  auto hash = static_cast<std::uint64_t>(so_far);
  for (const char c : text) {  // FNV-1a
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  }
  return static_cast<std::int64_t>((hash ^ 0xFFU) * 0x100000001B3ULL);
}

}  // namespace

struct Redactor::Patterns {
  struct One {
    std::unique_ptr<RE2> expression;
    std::string replacement;
  };
  std::vector<One> all;
  RE2::Set any{quiet(), RE2::UNANCHORED};
};

Redactor::Redactor() : patterns_(std::make_unique<Patterns>()) {}
Redactor::~Redactor() = default;

Status Redactor::check(const std::string& pattern) {
  const RE2 expression(pattern, quiet());
  if (!expression.ok()) {
    return fail(ErrorCode::InvalidArgument, "the pattern \"" + pattern + "\" is not understood: " +
                                                expression.error() + "; patterns are those of RE2");
  }
  if (RE2::FullMatch("", expression)) {
    return fail(ErrorCode::InvalidArgument, "the pattern \"" + pattern +
                                                "\" meets the empty text; let it ask for at least "
                                                "one character");
  }
  return {};
}

Result<std::shared_ptr<const Redactor>> Redactor::make(const std::vector<std::string>& more) {
  std::shared_ptr<Redactor> redactor(new Redactor);
  Patterns& patterns = *redactor->patterns_;
  const auto add = [&](const std::string& pattern, const std::string& replacement) {
    patterns.all.push_back({std::make_unique<RE2>(pattern, quiet()), replacement});
    patterns.any.Add(pattern, nullptr);
    redactor->fingerprint_ = mixed(mixed(redactor->fingerprint_, pattern), replacement);
  };
  for (const Builtin& builtin : kBuiltin) add(builtin.pattern, builtin.replacement);
  for (const std::string& pattern : more) {
    if (auto good = check(pattern); !good) return fail(std::move(good.error()));
    add(pattern, REDACTED);
  }
  if (!patterns.any.Compile()) {
    return fail(ErrorCode::InvalidArgument,
                "the patterns are too large together; give fewer or shorter ones");
  }
  return std::shared_ptr<const Redactor>(std::move(redactor));
}

std::string Redactor::redact(std::string text) const {
  std::vector<int> found;
  RE2::Set::ErrorInfo trouble{RE2::Set::kNoError};
  const bool none = !patterns_->any.Match(text, &found, &trouble);
  if (none && trouble.kind == RE2::Set::kNoError) return text;
  std::sort(found.begin(), found.end());
  for (std::size_t i = 0; i < patterns_->all.size(); ++i) {
    // When the first pass ran out of memory, all of them are tried.
    if (!none && !std::binary_search(found.begin(), found.end(), static_cast<int>(i))) continue;
    const auto& [expression, replacement] = patterns_->all[i];
    RE2::GlobalReplace(&text, *expression, replacement);
  }
  return text;
}

}  // namespace mahavishnu::base
