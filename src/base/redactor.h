// Takes secrets out of a text: what looks like a token, a key or a password becomes "[redacted]".
//
// Patterns are RE2's, so that no text and no pattern takes more than linear time; a first pass over
// all of them at once finds out which are in the text at all. It knows forms, not secrets: a
// password in plain prose stays. Immutable; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mahavishnu::base {

class Redactor {
 public:
  // The built-in patterns and these: of `more` each match is replaced as a whole. InvalidArgument
  // names the pattern that is none, and what is wrong with it.
  static Result<std::shared_ptr<const Redactor>> make(const std::vector<std::string>& more = {});
  // Whether `pattern` is one.
  static Status check(const std::string& pattern);
  ~Redactor();

  // `text` is valid UTF-8; so is the answer.
  std::string redact(std::string text) const;

  // Differs when the patterns do: texts that were redacted by others can be told.
  std::int64_t fingerprint() const { return fingerprint_; }

 private:
  struct Patterns;
  Redactor();
  std::unique_ptr<Patterns> patterns_;
  std::int64_t fingerprint_ = 0;
};

}  // namespace mahavishnu::base
