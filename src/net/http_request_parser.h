// Bytes → HTTP/1.x requests, by http-parser, with the strictness that a server needs which may
// stand behind a proxy: whatever two readers could read differently is refused (RFC 9112
// sections 2.2, 5.1, 6.3, 7.1; "request smuggling").
//
// The library's Debian build is the lenient one, so line ends, blanks before a colon, folded lines
// and the ends of chunks are checked here. A head is looked at once it is whole. One thread.
#pragma once

#include <http_parser.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "net/http_request.h"

namespace mahavishnu::net {

class HttpRequestParser {
 public:
  explicit HttpRequestParser(std::size_t max_header_bytes) : max_header_bytes_(max_header_bytes) {}

  enum class Result { NeedMore, Ready, Failed };

  // Looks for a whole head at the start of `data`, which holds all that was not consumed before.
  // `consumed` is set when Ready, and to blank lines that were skipped.
  Result parse_head(std::string_view data, std::size_t& consumed);

  // After a head: takes what belongs to the body. Ready: the request is complete. `keep` false:
  // the body is read past and dropped.
  Result parse_body(std::string_view data, std::size_t max_body_bytes, bool keep,
                    std::size_t& consumed);

  // The request so far; moved out by the caller when it is complete.
  HttpRequest& request() { return request_; }

  // Why it Failed. The connection cannot be used any more.
  int failure_status() const { return failure_status_; }
  const std::string& failure() const { return failure_; }

 private:
  struct Callbacks;

  Result fail(int status, std::string reason);
  bool find_head_end(std::string_view data, std::size_t& end);
  bool check_line(std::string_view line);
  Result read_head(std::string_view head);
  bool is_request_line_exact() const;
  Result check_framing();
  Result split_target();
  Result parse_chunks(std::string_view data, std::size_t max_body_bytes, bool keep,
                      std::size_t& consumed);
  static bool is_printable(std::string_view size_line);
  bool check_chunk_segment(std::string_view segment, bool line);

  std::size_t max_header_bytes_;
  HttpRequest request_;
  int failure_status_ = 0;
  std::string failure_;

  // The head: where the next line starts, and how far it was searched.
  std::size_t line_begin_ = 0;
  std::size_t searched_ = 0;

  http_parser parser_{};
  std::uint64_t body_bytes_ = 0;  // taken or dropped so far
  bool keep_body_ = true;
  bool in_chunk_data_ = false;  // between a chunk's size line and its end
  bool complete_ = false;
  char before_last_ = 0;  // the last two bytes of chunk framing seen
  char last_ = 0;
};

}  // namespace mahavishnu::net
