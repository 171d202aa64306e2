// The requests about resources, prompts and completions: their parameters checked, and either the
// result's members at once or the work that makes them. Knows no transport and runs nothing. One
// executor. Lifetime: longer than the work it gave.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "base/asio.h"
#include "base/result.h"
#include "mcp/call.h"
#include "mcp/catalog.h"
#include "mcp/eras.h"
#include "rpc/message.h"

namespace mahavishnu::mcp {

// What a handler must be run for.
struct OfferWork {
  std::function<base::awaitable<base::Result<Json>>(Call&)> run;  // the result's members
  std::string what;                                               // for messages: `prompt "x"`
  std::string uri;  // of the resource that is read; "" otherwise
  bool asks = false;
};

// A page of a list: its array, and the cursor of the next one or "".
struct ListPage {
  std::string member;  // "resources"
  Json items;
  std::string next;
};

class OfferRequests {
 public:
  // `catalog` must outlive this.
  OfferRequests(const Catalog& catalog, std::size_t page_size)
      : catalog_(catalog), page_size_(page_size) {}

  // Nothing: it is none of its methods. `params` is an object or null.
  using Taken = std::variant<rpc::RpcError, ListPage, OfferWork>;
  std::optional<Taken> take(const std::string& method, const Json& params, Revision revision) const;

 private:
  Taken list(const char* member, const Json& params, Revision revision, std::size_t items,
             Json (Catalog::*item)(std::size_t, Revision) const) const;
  Taken read(const Json& params, Revision revision) const;
  Taken get(const Json& params, Revision revision) const;
  Taken complete(const Json& params) const;

  const Catalog& catalog_;
  std::size_t page_size_;
};

// A failure of `work` on the wire. A resource that is not there is -32602 in the modern era and
// -32002 in the others, with its URI.
rpc::RpcError offer_error(const base::Error& error, const std::string& uri, Revision revision);

}  // namespace mahavishnu::mcp
