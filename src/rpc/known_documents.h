// Documents that come again word for word, kept so that they are not built again: the metadata a
// client sends with every request costs more to build and to free than all the rest of a small one.
//
// The few last ones, of bounded size; compared in the order they were written, so that two equal
// texts are one document and a repeated key never hides. One thread.
#pragma once

#include <simdjson.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "rpc/json.h"

namespace mahavishnu::rpc {

class KnownDocuments {
 public:
  static constexpr std::size_t kKept = 4;
  static constexpr std::size_t kMaxParts = 64;    // keys and values; a longer one is not kept
  static constexpr std::size_t kMaxBytes = 1024;  // of its texts

  // The document that was added for the same text; null when there is none.
  std::shared_ptr<const Json> find(const simdjson::dom::element& text) const;
  // `document` is what `text` says, and was found good.
  void add(const simdjson::dom::element& text, std::shared_ptr<const Json> document);

 private:
  // One key or value, in the order of the text.
  struct Part {
    char kind = 0;
    std::uint64_t bits = 0;  // a number, or how many members follow
    std::string text;
  };
  struct Kept {
    std::vector<Part> parts;
    std::shared_ptr<const Json> document;
  };

  template <class Visit>
  static bool walk(const simdjson::dom::element& at, Visit& visit);

  std::array<Kept, kKept> kept_;
  std::size_t next_ = 0;  // the one that is replaced next
};

}  // namespace mahavishnu::rpc
