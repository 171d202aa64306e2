// Messages → text. Built by appending: the replies of hot paths never become a document.
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "rpc/codec.h"

namespace mahavishnu::rpc {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Eight bytes at once: the high bit of each byte that is '"', '\\', a control or not ASCII.
std::uint64_t special_bytes(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
  constexpr std::uint64_t kHigh = 0x8080808080808080ULL;
  const std::uint64_t quote = word ^ (kOnes * '"');
  const std::uint64_t slash = word ^ (kOnes * '\\');
  return ((word - kOnes * 0x20) | (quote - kOnes) | (slash - kOnes) | word) & kHigh;
}

bool is_special(unsigned char c) { return c < 0x20 || c == '"' || c == '\\' || c >= 0x80; }

// The first byte at or after `at` that cannot be copied as it is. A borrow may raise a false alarm
// in the byte above a true one, never alone: the lowest alarm is true.
std::size_t find_special(std::string_view text, std::size_t at) {
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    const std::uint64_t special = special_bytes(word);
    if (special != 0) return at + static_cast<std::size_t>(std::countr_zero(special)) / 8;
  }
  while (at < text.size() && !is_special(static_cast<unsigned char>(text[at]))) ++at;
  return at;
}

struct Sequence {
  std::size_t length = 1;  // bytes of it, or of the ill-formed part that one U+FFFD stands for
  bool valid = false;
};

// One UTF-8 sequence by the table of well-formed bytes (Unicode 15, table 3-7).
Sequence sequence_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char lead = byte(0);
  const std::size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4) return {};
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  std::size_t length = 1;
  for (; length < want; ++length) {
    if (at + length >= text.size() || byte(length) < low || byte(length) > high) {
      return {length, false};
    }
    low = 0x80;
    high = 0xBF;
  }
  return {length, true};
}

void append_escape(std::string& out, unsigned char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    default:
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
  }
}

void begin(std::string& out) { out += R"({"jsonrpc":"2.0")"; }

void append_id(std::string& out, const RequestId& id) {
  out += R"(,"id":)";
  if (const auto* number = std::get_if<RequestId::Number>(&id.value)) {
    out += number->text;
  } else if (const auto* name = std::get_if<std::string>(&id.value)) {
    append_json_string(out, *name);
  } else {
    out += "null";
  }
}

void append_call(std::string& out, std::string_view method, const Json& params) {
  out += R"(,"method":)";
  append_json_string(out, method);
  if (!params.is_null()) {
    out += R"(,"params":)";
    out += dump(params);
  }
  out += '}';
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t clean = 0;  // start of what is copied as it is
  std::size_t at = find_special(text, 0);
  while (at < text.size()) {
    const auto c = static_cast<unsigned char>(text[at]);
    const Sequence sequence = c < 0x80 ? Sequence{1, false} : sequence_at(text, at);
    if (!sequence.valid) {
      out.append(text, clean, at - clean);
      if (c < 0x80) {
        append_escape(out, c);
      } else {
        out += kReplacement;
      }
      clean = at + sequence.length;
    }
    at = find_special(text, at + sequence.length);
  }
  out.append(text, clean, std::string_view::npos);
  out += '"';
}

std::string encode_result(const RequestId& id, std::string_view result_json) {
  std::string out;
  out.reserve(result_json.size() + 64);
  begin_result(out, id);
  out += result_json;
  end_result(out);
  return out;
}

void begin_result(std::string& out, const RequestId& id) {
  begin(out);
  append_id(out, id);
  out += R"(,"result":)";
}

void end_result(std::string& out) { out += '}'; }

std::string encode_error(const RequestId& id, const RpcError& error) {
  std::string out;
  out.reserve(error.message.size() + 96);
  begin(out);
  append_id(out, id);
  out += R"(,"error":{"code":)";
  std::array<char, 16> code{};
  out.append(code.data(), std::to_chars(code.data(), code.data() + code.size(), error.code).ptr);
  out += R"(,"message":)";
  append_json_string(out, error.message);
  if (!error.data.is_null()) {
    out += R"(,"data":)";
    out += dump(error.data);
  }
  out += "}}";
  return out;
}

std::string encode_notification(std::string_view method, const Json& params) {
  std::string out;
  begin(out);
  append_call(out, method, params);
  return out;
}

std::string encode_request(const RequestId& id, std::string_view method, const Json& params) {
  std::string out;
  begin(out);
  append_id(out, id);
  append_call(out, method, params);
  return out;
}

std::string dump(const Json& document) {
  return document.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace mahavishnu::rpc
