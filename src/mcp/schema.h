// A JSON schema that was compiled once and checks many documents.
//
// valijson decides whether a document is valid; what is told about an invalid one is worked out
// here (schema_explain), because valijson names neither what was expected nor what came. Reads
// nothing from files or the network: a `$ref` points inside the schema or compiling fails. One
// thread at a time (compiled patterns are cached). Movable, not copyable.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rpc/json.h"

namespace mahavishnu::mcp {

class Schema {
 public:
  // InvalidArgument when `text` is not the schema of an object inside draft-07 ∩ 2020-12.
  static base::Result<Schema> compile(std::string_view text);

  Schema(Schema&&) noexcept;
  Schema& operator=(Schema&&) noexcept;
  ~Schema();

  // Nothing when `document` is valid; otherwise at most five sentences, each naming the path (from
  // `root` on), what was expected and what came. JSON has one kind of number: where an integer is
  // expected, 5.0 is one, and becomes 5 in `document`.
  std::vector<std::string> violations(rpc::Json& document,
                                      std::string_view root = "arguments") const;

  // The schema's text in one line, its keys in the order in which they were written.
  const std::string& text() const;

 private:
  struct Compiled;
  explicit Schema(std::unique_ptr<Compiled> compiled);
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace mahavishnu::mcp
