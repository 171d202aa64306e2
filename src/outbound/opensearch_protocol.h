// What is said to OpenSearch, and what its answers mean.
//
// Events become documents of one index a day, by `_bulk` with `create` actions: a document's id is
// made of its history, its number and its time, so one that is sent twice is refused the second
// time. A template gives the indexes their mappings. A bulk is answered document by document, also
// where it says 200. Pure functions; nothing here is more than the documented REST API.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/event_feed.h"
#include "net/http_client.h"
#include "outbound/bulk_backlog.h"
#include "outbound/replies.h"

namespace mahavishnu::outbound {

// InvalidArgument: OpenSearch would not take it as the beginning of an index's name.
base::Status check_index(const std::string& prefix);

// The value of an Authorization header, "" without a user.
std::string basic_credentials(const std::string& user, const std::string& password);

struct EventSource {
  std::string index;    // beginning of the indexes' names
  std::string history;  // FeedPlace::history
  std::string node;
};
BulkItem bulk_item(const EventSource& source, const domain::FedEntry& fed);
std::string bulk_body(const BulkBacklog::Bulk& bulk);
std::string template_body(const std::string& index);

// How a call came out.
struct BulkVerdict {
  enum class Kind : std::uint8_t {
    Answered,  // `items`: one for each document sent
    TooLarge,  // the body
    Busy,      // it works, and takes nothing for now
    Trouble,   // it does not work, for whatever is sent
    Cancelled,
  };
  Kind kind = Kind::Answered;
  std::string error = {};
  base::Millis pause{0};  // it asks to be left alone for so long
  std::vector<ItemOutcome> items = {};
};
BulkVerdict judge_bulk(const base::Result<net::HttpReply>& reply, const BulkBacklog::Bulk& bulk,
                       base::WallTime now);
// Answered with no items, also when templates are not for this user or not known there: `error`
// says so then.
BulkVerdict judge_template(const base::Result<net::HttpReply>& reply, base::WallTime now);

}  // namespace mahavishnu::outbound
