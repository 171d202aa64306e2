// A search in the events OpenSearch has, with the filters of log_search: what is asked, and what
// the answer holds.
//
// Newest first, in the order (time, number, history), which is total: a page begins behind the last
// event of the one before (`search_after`), wherever new ones come in. Pure functions.
#pragma once

#include <string>

#include "base/result.h"
#include "domain/log_archive.h"
#include "net/http_client.h"

namespace mahavishnu::outbound {

// The page behind `page.cursor` of what a filter meets. InvalidArgument: the cursor is none.
base::Result<std::string> search_body(const domain::LogFilter& filter, const domain::Page& page,
                                      base::Millis limit);
// Unavailable, Deadline or Cancelled: there is no answer, or none to this; `trouble` says whether
// it is the server's.
struct Searched {
  base::Result<domain::LogPage> page;
  bool trouble = false;
};
Searched judge_search(const base::Result<net::HttpReply>& reply, int limit);

}  // namespace mahavishnu::outbound
