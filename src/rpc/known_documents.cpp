#include "rpc/known_documents.h"

#include <bit>
#include <utility>

namespace mahavishnu::rpc {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

constexpr char kKey = 'k';

}  // namespace

// False as soon as `visit(kind, bits, text)` is.
template <class Visit>
bool KnownDocuments::walk(const element& at, Visit& visit) {
  const auto type = at.type();
  const char kind = static_cast<char>(type);
  switch (type) {
    case element_type::OBJECT: {
      const simdjson::dom::object object = at.get_object().value_unsafe();
      if (!visit(kind, object.size(), {})) return false;
      for (const auto [key, value] : object) {
        if (!visit(kKey, 0, key) || !walk(value, visit)) return false;
      }
      return true;
    }
    case element_type::ARRAY: {
      const simdjson::dom::array array = at.get_array().value_unsafe();
      if (!visit(kind, array.size(), {})) return false;
      for (const auto value : array) {
        if (!walk(value, visit)) return false;
      }
      return true;
    }
    case element_type::STRING:
      return visit(kind, 0, at.get_string().value_unsafe());
    case element_type::DOUBLE:
      return visit(kind, std::bit_cast<std::uint64_t>(at.get_double().value_unsafe()), {});
    case element_type::UINT64:
      return visit(kind, at.get_uint64().value_unsafe(), {});
    case element_type::INT64:
      return visit(kind, std::bit_cast<std::uint64_t>(at.get_int64().value_unsafe()), {});
    case element_type::BOOL:
      return visit(kind, at.get_bool().value_unsafe() ? 1 : 0, {});
    case element_type::NULL_VALUE:
      return visit(kind, 0, {});
  }
  return false;
}

std::shared_ptr<const Json> KnownDocuments::find(const element& text) const {
  for (const Kept& kept : kept_) {
    std::size_t at = 0;
    const auto same = [&](char kind, std::uint64_t bits, std::string_view written) {
      if (at == kept.parts.size()) return false;
      const Part& part = kept.parts[at++];
      return part.kind == kind && part.bits == bits && part.text == written;
    };
    if (kept.document && walk(text, same) && at == kept.parts.size()) return kept.document;
  }
  return nullptr;
}

void KnownDocuments::add(const element& text, std::shared_ptr<const Json> document) {
  Kept fresh;
  std::size_t bytes = 0;
  const auto take = [&](char kind, std::uint64_t bits, std::string_view written) {
    bytes += written.size();
    if (fresh.parts.size() == kMaxParts || bytes > kMaxBytes) return false;
    fresh.parts.push_back({kind, bits, std::string(written)});
    return true;
  };
  if (!walk(text, take)) return;
  fresh.document = std::move(document);
  kept_[next_] = std::move(fresh);
  next_ = (next_ + 1) % kKept;
}

}  // namespace mahavishnu::rpc
