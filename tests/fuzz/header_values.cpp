// mcp/http_headers. For every text, as a header's value and as the name it should be:
// - Base64 is strict: what is taken has exactly one way to be written, what is not is none;
// - a name is found again in its encoded header, and no other is;
// - refusals can be sent, whatever bytes they quote; the case of media types does not matter.
#include "mcp/http_headers.h"

#include <algorithm>

#include "fuzz.h"
#include "mcp/error_map.h"
#include "rpc/codec.h"

namespace mahavishnu::fuzzing {
namespace {

using namespace mcp;

constexpr std::string_view kOpen = "=?base64?";
constexpr std::string_view kClose = "?=";
constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string encoded(std::string_view bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto at = [&](std::size_t j) {
      return j < bytes.size() ? static_cast<unsigned char>(bytes[j]) : 0U;
    };
    const unsigned three = at(i) << 16U | at(i + 1) << 8U | at(i + 2);
    out += kDigits[three >> 18U & 63U];
    out += kDigits[three >> 12U & 63U];
    out += i + 1 < bytes.size() ? kDigits[three >> 6U & 63U] : '=';
    out += i + 2 < bytes.size() ? kDigits[three & 63U] : '=';
  }
  return out;
}

std::string wrapped(std::string_view bytes) {
  return std::string(kOpen) + encoded(bytes) + std::string(kClose);
}

bool is_wrapped(std::string_view text) {
  return text.size() >= kOpen.size() + kClose.size() && text.starts_with(kOpen) &&
         text.ends_with(kClose);
}

// Whether digits, then at most two '=' make whole bytes with no bit left over.
bool is_strict(std::string_view text) {
  if (text.size() % 4 != 0) return false;
  const auto digits = std::min(text.find('='), text.size());
  if (text.size() - digits > 2) return false;
  if (text.find_first_not_of('=', digits) != text.npos) return false;
  if (text.substr(0, digits).find_first_not_of(kDigits) != text.npos) return false;
  const auto over = digits % 4;  // 2: four bits are left over, 3: two
  if (over == 0) return true;
  return (kDigits.find(text[digits - 1]) & (over == 2 ? 15U : 3U)) == 0;
}

void check_decoding(std::string_view text) {
  const auto decoded = decode_header_value(text);
  if (!is_wrapped(text)) {
    expect(decoded == text, "what is not encoded is itself");
    return;
  }
  const auto inner = text.substr(kOpen.size(), text.size() - kOpen.size() - kClose.size());
  expect(decoded.has_value() == is_strict(inner), "only strict Base64 is taken");
  if (decoded) expect(wrapped(*decoded) == text, "there is one way to write it");
}

void check_refusal(const std::optional<rpc::RpcError>& refusal) {
  expect(refusal.has_value(), "another name is refused");
  expect(refusal->code == mcp::error_code::kHeaderMismatch, "with the code for it");
  const auto sent = rpc::decode(rpc::encode_error({}, *refusal));
  expect(std::holds_alternative<rpc::Response>(sent.messages.front()), "a refusal can be read");
}

void check_names(std::string_view name) {
  expect(decode_header_value(wrapped(name)) == name, "what is encoded comes back");
  RequestHeaders headers;
  check_refusal(check_name_header(headers, name));
  const std::string header = " " + wrapped(name) + "\t";
  headers.name = header;
  expect(!check_name_header(headers, name), "an encoded name is known");
  check_refusal(check_name_header(headers, std::string(name) + "x"));
  headers.name = headers.version = headers.method = name;
  check_refusal(check_name_header(headers, std::string(name) + "\xFF\x01"));
  expect(!check_version_header(headers, name), "a version is known");
  check_refusal(check_version_header(headers, std::string(name) + " "));
}

void check_media(std::string_view text) {
  std::string loud(text);
  for (char& c : loud) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  expect(is_json(text) == is_json(loud), "a media type has no case");
  expect(accepts_both(text) == accepts_both(loud), "accepted types have no case");
  const std::string more = std::string(text) + ", x/y;q=1";
  expect(accepts_both(text) == accepts_both(more), "another type takes nothing away");
  expect(accepts_both(more + ",*/*"), "everything is accepted with everything");
}

}  // namespace

void fuzz(std::string_view text) {
  check_decoding(text);
  check_decoding(std::string(kOpen) + std::string(text) + std::string(kClose));
  check_names(text);
  if (text.data() != nullptr) check_media(text);
}

}  // namespace mahavishnu::fuzzing
