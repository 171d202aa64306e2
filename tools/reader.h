// Takes a tool's arguments out of a document and says what is wrong with them.
//
// Every getter names its member, what is expected and, when that is not met, what came:
// `tasks[3].priority: expected an integer from 0 to 4, got 9`. The first problem is kept in the
// caller's `problem`; getters after it answer defaults, so that a handler reads everything and asks
// once. `finish` refuses members nobody asked for, with the nearest known name. The schemas say the
// same of a call as a whole; this says it of the parts a schema cannot reach (items of a batch,
// bytes instead of characters, NULs) and turns them into values.
// A reader borrows the document and the problem; it lives within one function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "domain/types.h"
#include "rpc/json.h"

namespace mahavishnu::tools {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;
using rpc::Json;

inline constexpr std::size_t kNameBytes = 128;
inline constexpr std::size_t kKeyBytes = 256;

class Reader {
 public:
  // `path` is how messages call the document ("" for the arguments themselves, "tasks[3]").
  Reader(const Json& document, std::string path, std::optional<Error>& problem);

  bool has(const char* name) const;

  // Text without NULs (they would cut it short on its way into a process); "" when absent.
  std::string text(const char* name, std::size_t max_bytes = kNameBytes);
  std::string required_text(const char* name, std::size_t max_bytes = kNameBytes);
  std::string any_text(const char* name, std::size_t max_bytes);  // NULs allowed
  std::int64_t integer(const char* name, std::int64_t fallback, std::int64_t least,
                       std::int64_t most);
  double number(const char* name, double fallback, double least, double most);
  bool flag(const char* name, bool fallback = false);
  std::vector<std::string> texts(const char* name, std::size_t max_items, std::size_t max_bytes);
  domain::StringMap map(const char* name, std::size_t max_entries, std::size_t max_bytes);
  std::optional<base::WallTime> time(const char* name);
  base::Millis millis(const char* name, base::Millis fallback, base::Millis most);

  // One of a closed set of words; `parse` answers nullopt for others, `words` is what is said then.
  template <class E>
  E choice(const char* name, E fallback, std::optional<E> (*parse)(std::string_view),
           std::string_view words) {
    const std::string word = text(name);
    if (word.empty() && !has(name)) return fallback;
    if (auto value = parse(word)) return *value;
    wrong(name, "one of " + std::string(words));
    return fallback;
  }

  // A nested object; an empty one when absent. It has to be finished by itself.
  Reader object(const char* name);
  // A nested object of any members, as it is; null when absent or wrong.
  const Json* any_object(const char* name);
  // A list of 1 to `max_items`, or null when absent or wrong.
  const Json* list(const char* name, std::size_t max_items);

  // Exactly one of these must be there; answers which one ("" when that is not so).
  std::string_view exactly_one(std::vector<const char*> names);

  // Records that `name` is not as it should be; what came is taken from the document.
  void wrong(const char* name, const std::string& expected);
  // Records a problem in the caller's words, after the path.
  void refuse(std::string message);

  // The first problem of this reader and those that share its `problem`; unknown members are one.
  Status finish();

  std::string where(std::string_view name) const;

 private:
  const Json* find(const char* name);
  const Json* find_string(const char* name, std::size_t max_bytes, bool nul_allowed);

  const Json* document_;  // null: absent, all members are
  std::string path_;
  std::optional<Error>* problem_;
  std::vector<const char*> known_;
};

}  // namespace mahavishnu::tools
