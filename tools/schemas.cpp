#include "tools/schemas.h"

#include <cassert>

namespace mahavishnu::tools {

std::string schema(std::string_view tool, std::string_view kind) {
  const std::string wanted = std::string(tool) + "." + std::string(kind) + ".json";
  for (const SchemaText* entry = kSchemas; entry->file != nullptr; ++entry) {
    if (wanted == entry->file) return entry->text;
  }
  assert(false && "a tool without a schema");
  return "{}";
}

}  // namespace mahavishnu::tools
