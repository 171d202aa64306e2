// One text out of a document that is not needed otherwise. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace mahavishnu::rpc {

// The text that the JSON object `document` has under `name`; "": none. Builds no document.
std::string text_member(std::string_view document, std::string_view name);

}  // namespace mahavishnu::rpc
