#include "mcp/page.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/base64.h"

namespace mahavishnu::mcp {
namespace {

std::string cursor_at(std::string_view list, std::size_t position) {
  return base::encode_base64(std::string(list) + ":" + std::to_string(position));
}

std::optional<std::size_t> position_of(std::string_view list, const std::string& cursor) {
  const auto text = base::decode_base64(cursor);
  if (!text || !text->starts_with(list)) return std::nullopt;
  std::string_view rest = std::string_view(*text).substr(list.size());
  if (rest.empty() || rest.front() != ':') return std::nullopt;
  rest.remove_prefix(1);
  std::size_t position = 0;
  const auto [end, failed] = std::from_chars(rest.data(), rest.data() + rest.size(), position);
  if (failed != std::errc() || end != rest.data() + rest.size()) return std::nullopt;
  return position;
}

}  // namespace

base::Result<Page> page_of(std::string_view list, const rpc::Json& params, std::size_t items,
                           std::size_t page_size) {
  Page page;
  if (params.is_object() && params.contains("cursor")) {
    const rpc::Json& cursor = params["cursor"];
    const auto position =
        cursor.is_string() ? position_of(list, cursor.get_ref<const std::string&>()) : std::nullopt;
    if (!position || *position == 0 || *position >= items || *position % page_size != 0) {
      return base::fail(base::ErrorCode::InvalidArgument,
                        "params.cursor is not one of this server's");
    }
    page.begin = *position;
  }
  page.end = std::min(items, page.begin + page_size);
  if (page.end < items) page.next = cursor_at(list, page.end);
  return page;
}

}  // namespace mahavishnu::mcp
