// The bytes of responses: heads, errors, events. Appends to a buffer; knows no socket. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "rpc/http_exchange.h"

namespace mahavishnu::net {

// What all responses of one exchange have in common.
struct ResponseFrame {
  bool http_1_1 = true;
  bool keep_alive = true;
  std::string_view date_line;    // "Date: …\r\n"
  std::string_view cors_origin;  // empty: no CORS headers
};

std::string_view reason_phrase(int status);

// Status line and headers up to the blank line. `extra` are whole lines. Bytes that would end a
// header line become blanks.
void append_head(std::string& out, const ResponseFrame& frame, int status,
                 std::string_view content_type, std::size_t body_bytes,
                 const rpc::HeaderList& headers, std::string_view extra = {});
void append_stream_head(std::string& out, const ResponseFrame& frame,
                        const rpc::HeaderList& headers);

// {"error":{"code":"…","message":"…"}}
std::string error_body(int status, std::string_view message);

// As one chunk when `chunked`; never empty (an empty chunk would end the body).
void append_chunk(std::string& out, std::string_view bytes, bool chunked);
std::string event_text(const rpc::Event& event);

}  // namespace mahavishnu::net
