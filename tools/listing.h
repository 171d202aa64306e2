// A page of records as an answer that stays within its size.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "tools/json_views.h"
#include "tools/registry.h"

namespace mahavishnu::tools {

template <class Record>
using Fetch = std::function<base::awaitable<base::Result<domain::Listing<Record>>>(domain::Page)>;

// `head` with the records as `name` and the cursor after the last one shown. A cursor belongs to
// the end of a page, so when the page turns out too long it is asked for again, shorter.
template <class Record>
base::awaitable<mcp::ToolResult> list_page(Fetch<Record> fetch, domain::Page page, Json head,
                                           const char* name, Json (*view)(const Record&)) {
  while (true) {
    auto listing = co_await fetch(page);
    if (!listing) co_return base::fail(listing.error());
    ItemList list(head);
    for (const Record& record : listing->items) {
      if (!list.add(view(record))) break;
    }
    if (list.size() == listing->items.size()) co_return list.finish(name, listing->next_cursor);
    page.limit = static_cast<int>(list.size());
  }
}

}  // namespace mahavishnu::tools
