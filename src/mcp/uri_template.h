// A URI template of RFC 6570, level 1: literal text and `{name}` expressions, used the other way
// round, to take the values out of a URI.
//
// A value is one or more unreserved characters or percent-encoded bytes, as an expansion of level 1
// writes it; so it never crosses a `/`. It is decoded strictly and must be UTF-8. Pure, without
// backtracking, and bounded: templates and URIs come from outside.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mahavishnu::mcp {

using UriVariables = std::map<std::string, std::string, std::less<>>;

class UriTemplate {
 public:
  static constexpr std::size_t kMaxTemplate = 2048;  // bytes
  static constexpr std::size_t kMaxNames = 16;
  static constexpr std::size_t kMaxUri = 8192;  // bytes; a longer one matches nothing

  // InvalidArgument names what is beyond level 1: operators, modifiers, an unclosed brace, a name
  // twice, two expressions with nothing between them.
  static base::Result<UriTemplate> parse(std::string_view text);

  // The values of a URI that the template could have made; nothing for any other. Between two
  // literals a value ends where the second is first found.
  std::optional<UriVariables> match(std::string_view uri) const;

  const std::string& text() const { return text_; }
  bool has(std::string_view name) const;

 private:
  UriTemplate() = default;
  std::string text_;
  std::vector<std::string> names_;
  std::vector<std::string> literals_;  // one more than names: before, between and after them
};

}  // namespace mahavishnu::mcp
