#include "rpc/text_member.h"

#include <simdjson.h>

namespace mahavishnu::rpc {

std::string text_member(std::string_view document, std::string_view name) {
  thread_local simdjson::dom::parser parser;
  std::string_view member;
  const auto error = parser.parse(document.data(), document.size()).at_key(name).get(member);
  return error ? std::string() : std::string(member);
}

}  // namespace mahavishnu::rpc
