#include "net/http_request.h"

#include <algorithm>

namespace mahavishnu::net {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return x == y || lower(x) == lower(y);
         });
}

std::string_view HttpRequest::header(std::string_view name) const {
  for (const auto& field : fields) {
    if (field.name.size == name.size() && equal_ignoring_case(text(field.name), name)) {
      return text(field.value);
    }
  }
  return {};
}

std::size_t HttpRequest::count(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(fields.begin(), fields.end(), [&](const Field& f) {
    return equal_ignoring_case(text(f.name), name);
  }));
}

}  // namespace mahavishnu::net
