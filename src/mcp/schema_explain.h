// Says in words how a document misses a schema. Pure.
//
// It never decides whether a document is valid (Schema does): it walks the same path through schema
// and document and names what a person or a model has to change.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "rpc/json.h"

namespace mahavishnu::mcp {

// At most `most` sentences, outermost first: `arguments/timeouts/run_ms: expected integer, got
// string "5s"`. Empty when the violation lies in a keyword that is not walked (anyOf, not, …).
std::vector<std::string> explain_violations(const rpc::Json& schema, const rpc::Json& document,
                                            std::string_view root, std::size_t most);

// What a value is, short: `string "5s"`, `integer 7`, `array of 3`.
std::string describe(const rpc::Json& value);

}  // namespace mahavishnu::mcp
