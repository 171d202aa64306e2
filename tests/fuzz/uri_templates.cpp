// mcp/uri_template. For every template and URI: what matches is what the template expands to with
// the values that came out, and values that leave no doubt come back from their expansion.
#include <algorithm>
#include <map>
#include <vector>

#include "fuzz.h"
#include "mcp/uri_template.h"
#include "rpc/json.h"

namespace mahavishnu::fuzzing {
namespace {

using mcp::UriTemplate;
using mcp::UriVariables;

// A template taken apart naively: literals, and the names between them.
struct Parts {
  std::vector<std::string> literals{""};
  std::vector<std::string> names;
};

Parts parts_of(std::string_view text) {
  Parts parts;
  while (!text.empty()) {
    if (text.front() == '{') {
      const auto end = text.find('}');
      expect(end != text.npos, "a taken template has whole expressions");
      parts.names.emplace_back(text.substr(1, end - 1));
      parts.literals.emplace_back();
      text.remove_prefix(end + 1);
    } else {
      parts.literals.back() += text.front();
      text.remove_prefix(1);
    }
  }
  return parts;
}

// RFC 6570, simple expansion: all but unreserved characters as percent and two capitals.
std::string encoded(std::string_view value) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      out += {'%', kDigits[byte >> 4U], kDigits[byte & 15U]};
    }
  }
  return out;
}

std::string expanded(const Parts& parts, const UriVariables& values) {
  std::string uri = parts.literals.front();
  for (std::size_t i = 0; i < parts.names.size(); ++i) {
    uri += encoded(values.at(parts.names[i])) + parts.literals[i + 1];
  }
  return uri;
}

// UTF-8, as another writer of JSON sees it, and without NUL.
bool is_text(const std::string& bytes) {
  using Handler = rpc::Json::error_handler_t;
  const rpc::Json text(bytes);
  return bytes.find('\0') == std::string::npos &&
         text.dump(-1, ' ', false, Handler::ignore) == text.dump(-1, ' ', false, Handler::replace);
}

// Whether each value ends where its literal is first found.
bool is_clear(const Parts& parts, const UriVariables& values) {
  for (std::size_t i = 0; i < parts.names.size(); ++i) {
    const std::string value = encoded(values.at(parts.names[i]));
    const std::string& literal = parts.literals[i + 1];
    if (!literal.empty() && (value + literal).find(literal) != value.size()) return false;
  }
  return true;
}

void check_match(const UriTemplate& uri_template, const Parts& parts, std::string_view uri) {
  const auto values = uri_template.match(uri);
  if (!values) return;
  expect(values->size() == parts.names.size(), "each name has a value");
  for (const auto& [name, value] : *values) {
    expect(uri_template.has(name), "a value is of a name");
    expect(!value.empty() && is_text(value), "a value is a text");
  }
  const auto again = uri_template.match(expanded(parts, *values));
  expect(again == values || !is_clear(parts, *values), "values come back from their expansion");
}

void check_expansion(const UriTemplate& uri_template, const Parts& parts, std::string_view text) {
  UriVariables values;
  for (const auto& name : parts.names) {
    const auto end = std::min(text.find('\n'), text.size());
    values[name] = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (values[name].empty() || !is_text(values[name])) return;
  }
  const std::string uri = expanded(parts, values);
  const auto found = uri_template.match(uri);
  if (uri.size() <= UriTemplate::kMaxUri && is_clear(parts, values)) {
    expect(found == values, "what was expanded is matched");
  }
  // A percent in the template's own text may stand for bytes that an expansion writes otherwise.
  if (found && uri_template.text().find('%') == std::string::npos) {
    expect(expanded(parts, *found) == uri, "what is matched expands to the URI");
  }
}

}  // namespace

// The template on the first line, then a URI and values, one a line.
void fuzz(std::string_view input) {
  const auto end = std::min(input.find('\n'), input.size());
  const auto text = input.substr(0, end);
  const auto rest = input.substr(std::min(end + 1, input.size()));
  const auto uri_template = UriTemplate::parse(text);
  if (!uri_template) {
    expect(!uri_template.error().message.empty(), "a refused template has a reason");
    return;
  }
  expect(uri_template->text() == text, "a template keeps its text");
  const Parts parts = parts_of(text);
  check_match(*uri_template, parts, rest);
  check_expansion(*uri_template, parts, rest);
}

}  // namespace mahavishnu::fuzzing
