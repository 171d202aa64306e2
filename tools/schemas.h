// The tool schemas of schemas/*.json, embedded at build (schemas/embed.py).
#pragma once

#include <string>
#include <string_view>

namespace mahavishnu::tools {

struct SchemaText {
  const char* file;  // "task_submit.input.json"
  const char* text;  // compact JSON
};
extern const SchemaText kSchemas[];  // ends with {nullptr, nullptr}

// The text of `<tool>.input.json` or `<tool>.output.json`; asserts that it exists.
std::string schema(std::string_view tool, std::string_view kind);

}  // namespace mahavishnu::tools
