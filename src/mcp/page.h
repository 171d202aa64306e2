// Lists in pages: which part of a list a cursor names. Pure.
//
// A cursor is opaque to clients and holds no state here: it names the list and a position in it, so
// it stays good across connections and restarts as long as the list is the same.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "rpc/json.h"

namespace mahavishnu::mcp {

struct Page {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::string next;  // the cursor of the page behind it; "": this is the last one
};

// The page that `params.cursor` names, the first one without it. InvalidArgument when the cursor is
// not one that this function gave for this list.
base::Result<Page> page_of(std::string_view list, const rpc::Json& params, std::size_t items,
                           std::size_t page_size);

}  // namespace mahavishnu::mcp
