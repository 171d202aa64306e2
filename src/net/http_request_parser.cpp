#include "net/http_request_parser.h"

#include <algorithm>

namespace mahavishnu::net {
namespace {

constexpr std::size_t kMaxFields = 100;
constexpr std::size_t kUsualFields = 16;
constexpr std::uint64_t kReserved = 1U << 20U;  // for a body whose length was told

}  // namespace

// http-parser's C callbacks. A head is parsed in one piece, so each part arrives whole.
struct HttpRequestParser::Callbacks {
  static HttpRequestParser& self(http_parser* parser) {
    return *static_cast<HttpRequestParser*>(parser->data);
  }
  static HttpRequest::Place place(HttpRequest& request, const char* at, std::size_t size) {
    return {static_cast<std::uint32_t>(at - request.head.data()), static_cast<std::uint32_t>(size)};
  }
  static int url(http_parser* parser, const char* at, std::size_t size) {
    auto& request = self(parser).request_;
    request.target = place(request, at, size);
    return 0;
  }
  static int field(http_parser* parser, const char* at, std::size_t size) {
    auto& request = self(parser).request_;
    if ((parser->flags & F_TRAILING) != 0) return 0;  // trailers are read past
    const auto name = place(request, at, size);
    request.fields.push_back({name, {name.at + name.size, 0}});
    return 0;
  }
  static int value(http_parser* parser, const char* at, std::size_t size) {
    auto& request = self(parser).request_;
    if ((parser->flags & F_TRAILING) != 0 || request.fields.empty()) return 0;
    while (size > 0 && (at[size - 1] == ' ' || at[size - 1] == '\t')) --size;
    request.fields.back().value = place(request, at, size);
    return 0;
  }
  static int headers_complete(http_parser* parser) {
    auto& request = self(parser).request_;
    request.keep_alive = http_should_keep_alive(parser) != 0;
    request.chunked = (parser->flags & F_CHUNKED) != 0;
    const bool has_length = (parser->flags & F_CONTENTLENGTH) != 0;
    request.content_length = has_length ? parser->content_length : 0;
    parser->upgrade = 0;  // no other protocol is spoken here: an offer of one is ignored
    return 0;
  }
  static int body(http_parser* parser, const char* at, std::size_t size) {
    auto& me = self(parser);
    if (!me.keep_body_) return 0;
    std::string& body = me.request_.body;
    if (body.empty()) body.reserve(std::min<std::uint64_t>(me.request_.content_length, kReserved));
    body.append(at, size);
    return 0;
  }
  static int chunk_header(http_parser* parser) {
    auto& me = self(parser);
    me.body_bytes_ += parser->content_length;
    me.in_chunk_data_ = parser->content_length > 0;
    http_parser_pause(parser, 1);  // to look at the line just read
    return 0;
  }
  static int chunk_complete(http_parser* parser) {
    if ((parser->flags & F_TRAILING) == 0) http_parser_pause(parser, 1);
    return 0;
  }
  static int message_complete(http_parser* parser) {
    self(parser).complete_ = true;
    http_parser_pause(parser, 1);
    return 0;
  }

  static const http_parser_settings& settings() {
    static const http_parser_settings all = [] {
      http_parser_settings s;
      http_parser_settings_init(&s);
      s.on_url = url;
      s.on_header_field = field;
      s.on_header_value = value;
      s.on_headers_complete = headers_complete;
      s.on_body = body;
      s.on_chunk_header = chunk_header;
      s.on_chunk_complete = chunk_complete;
      s.on_message_complete = message_complete;
      return s;
    }();
    return all;
  }
};

HttpRequestParser::Result HttpRequestParser::fail(int status, std::string reason) {
  failure_status_ = status;
  failure_ = std::move(reason);
  return Result::Failed;
}

HttpRequestParser::Result HttpRequestParser::parse_head(std::string_view data,
                                                        std::size_t& consumed) {
  consumed = 0;
  while (line_begin_ == 0 && data.starts_with("\r\n")) {  // RFC 9112 2.2: blank lines before it
    data.remove_prefix(2);
    consumed += 2;
    searched_ = 0;
  }
  if (data.empty() || data == "\r") return Result::NeedMore;
  if (data.front() < 'A' || data.front() > 'z') {
    return fail(400, "this is not HTTP (is it TLS? this port speaks plain HTTP)");
  }
  std::size_t end = 0;
  const bool whole = find_head_end(data, end);
  if (failure_status_ != 0) return Result::Failed;
  if (whole ? end > max_header_bytes_ : data.size() >= max_header_bytes_) {
    return fail(431,
                "the request head is longer than " + std::to_string(max_header_bytes_) + " bytes");
  }
  if (!whole) return Result::NeedMore;
  consumed += end;
  line_begin_ = searched_ = 0;
  return read_head(data.substr(0, end));
}

bool HttpRequestParser::find_head_end(std::string_view data, std::size_t& end) {
  for (;;) {
    const auto newline = data.find('\n', searched_);
    if (newline == std::string_view::npos) {
      searched_ = data.size();
      return false;
    }
    if (!check_line(data.substr(line_begin_, newline - line_begin_))) return false;
    const bool blank = newline == line_begin_ + 1;
    line_begin_ = searched_ = newline + 1;
    if (blank) {
      end = newline + 1;
      return true;
    }
  }
}

// `line` is without its LF.
bool HttpRequestParser::check_line(std::string_view line) {
  if (line.empty() || line.back() != '\r' || line.find('\r') != line.size() - 1) {
    fail(400, "a line of the head does not end with CR LF");
    return false;
  }
  if (line_begin_ > 0 && (line.front() == ' ' || line.front() == '\t')) {
    fail(400, "a header is folded over two lines");
    return false;
  }
  return true;
}

HttpRequestParser::Result HttpRequestParser::read_head(std::string_view head) {
  request_ = HttpRequest{};
  request_.head = head;
  request_.fields.reserve(kUsualFields);
  body_bytes_ = 0;
  in_chunk_data_ = complete_ = false;
  before_last_ = last_ = 0;
  http_parser_init(&parser_, HTTP_REQUEST);
  parser_.data = this;
  http_parser_execute(&parser_, &Callbacks::settings(), request_.head.data(), request_.head.size());
  const auto error = HTTP_PARSER_ERRNO(&parser_);
  if (error == HPE_INVALID_METHOD) return fail(501, "this method is not known");
  if (error == HPE_HEADER_OVERFLOW) return fail(431, "the request head is too long");
  if (error != HPE_OK && error != HPE_PAUSED) {
    return fail(400, std::string("bad request: ") + http_errno_description(error));
  }
  request_.method = http_method_str(static_cast<http_method>(parser_.method));
  if (parser_.http_major != 1) return fail(505, "this server speaks HTTP/1.1 and HTTP/1.0");
  request_.http_1_1 = parser_.http_minor >= 1;
  if (!is_request_line_exact()) {
    return fail(400, "the request line is not a method, a target and HTTP/1.1, a blank between");
  }
  if (request_.fields.size() > kMaxFields) return fail(431, "the request has over 100 headers");
  return check_framing();
}

// The lenient build takes any letters for those of "HTTP", and more than one blank (RFC 9112 3).
bool HttpRequestParser::is_request_line_exact() const {
  const std::string_view line(request_.head.data(), request_.head.find('\r'));
  const auto target_end = request_.target.at + request_.target.size;
  const auto version = line.substr(std::min<std::size_t>(target_end, line.size()));
  return request_.target.at == request_.method.size() + 1 && version.starts_with(" HTTP/1.") &&
         version.size() == std::string_view(" HTTP/1.1").size();
}

HttpRequestParser::Result HttpRequestParser::check_framing() {
  for (const auto& field : request_.fields) {
    if (request_.text(field.name).find(' ') != std::string_view::npos) {
      return fail(400, "there is a blank between a header's name and its colon");
    }
    const auto value = request_.text(field.value);
    if (!value.empty() && static_cast<unsigned char>(value.front()) < 0x20) {
      return fail(400, "a header's value starts with a control character");
    }
  }
  const auto hosts = request_.count("host");
  if (hosts > 1 || (hosts == 0 && request_.http_1_1)) {
    return fail(400, "a request has exactly one Host header");
  }
  if (request_.count("authorization") > 1) {
    return fail(400, "a request has at most one Authorization header");
  }
  const auto codings = request_.count("transfer-encoding");
  if (codings > 0) {
    if (!request_.http_1_1 || codings > 1 || request_.count("content-length") > 0) {
      return fail(400, "the length of the body is told in two ways");
    }
    if (!equal_ignoring_case(request_.header("transfer-encoding"), "chunked")) {
      return fail(501, "the only transfer coding taken is \"chunked\"");
    }
  }
  return split_target();
}

HttpRequestParser::Result HttpRequestParser::split_target() {
  const auto target = request_.text(request_.target);
  const bool clean = std::all_of(target.begin(), target.end(),
                                 [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
  std::size_t path = 0;
  if (request_.method != "CONNECT" && !target.starts_with('/') && target != "*") {
    http_parser_url url{};
    if (!target.starts_with("http") ||
        http_parser_parse_url(target.data(), target.size(), 0, &url) != 0) {
      return fail(400, "the request target is neither a path nor a URL");
    }
    const auto begin = target.find("://") + 3;
    path = std::min(target.find_first_of("/?", begin), target.size());
    request_.authority = {request_.target.at + static_cast<std::uint32_t>(begin),
                          static_cast<std::uint32_t>(path - begin)};
  }
  if (!clean) return fail(400, "the request target holds bytes that a URL does not");
  const auto question = std::min(target.find('?', path), target.size());
  const auto place = [&](std::size_t begin, std::size_t end) {
    return HttpRequest::Place{request_.target.at + static_cast<std::uint32_t>(begin),
                              static_cast<std::uint32_t>(end - begin)};
  };
  request_.path = place(path, question);
  request_.query = place(std::min(question + 1, target.size()), target.size());
  return Result::Ready;
}

HttpRequestParser::Result HttpRequestParser::parse_body(std::string_view data,
                                                        std::size_t max_body_bytes, bool keep,
                                                        std::size_t& consumed) {
  consumed = 0;
  if (request_.chunked) return parse_chunks(data, max_body_bytes, keep, consumed);
  const auto left = request_.content_length - body_bytes_;
  consumed = static_cast<std::size_t>(std::min<std::uint64_t>(left, data.size()));
  if (keep) request_.body.append(data, 0, consumed);
  body_bytes_ += consumed;
  return body_bytes_ == request_.content_length ? Result::Ready : Result::NeedMore;
}

// The library takes every byte over 0x7F for the hexadecimal digit 0.
bool HttpRequestParser::is_printable(std::string_view size_line) {
  return std::all_of(size_line.begin(), size_line.end(), [](char c) {
    return (c >= ' ' && c <= '~') || c == '\t' || c == '\r' || c == '\n';
  });
}

// The parser pauses after each size line and at each end of a chunk, so that the bytes between are
// known: a line that must end with CR LF, or data followed by CR LF.
HttpRequestParser::Result HttpRequestParser::parse_chunks(std::string_view data,
                                                          std::size_t max_body_bytes, bool keep,
                                                          std::size_t& consumed) {
  keep_body_ = keep;
  while (consumed < data.size()) {
    const bool line = !in_chunk_data_;
    const bool size_line = line && (parser_.flags & F_TRAILING) == 0;
    const auto rest = data.substr(consumed);
    http_parser_pause(&parser_, 0);
    const auto parsed =
        http_parser_execute(&parser_, &Callbacks::settings(), rest.data(), rest.size());
    const auto error = HTTP_PARSER_ERRNO(&parser_);
    if (error != HPE_OK && error != HPE_PAUSED) {
      return fail(400, std::string("bad chunk: ") + http_errno_description(error));
    }
    const bool segment_ends = error == HPE_PAUSED;
    if (size_line && !is_printable(rest.substr(0, parsed))) {
      return fail(400, "bad chunk: its size line holds more than printable characters");
    }
    if (!check_chunk_segment(rest.substr(0, parsed), line) ||
        (segment_ends && (before_last_ != '\r' || last_ != '\n'))) {
      return fail(400, "bad chunk: a line or a chunk does not end with CR LF");
    }
    consumed += parsed;
    if (body_bytes_ > max_body_bytes) {
      return fail(413, "the body is longer than " + std::to_string(max_body_bytes) + " bytes");
    }
    if (complete_) return Result::Ready;
    if (segment_ends && !line) in_chunk_data_ = false;
  }
  return Result::NeedMore;
}

// In lines every CR is followed by LF and every LF comes after CR; data may hold anything.
bool HttpRequestParser::check_chunk_segment(std::string_view segment, bool line) {
  for (const char c : line ? segment : std::string_view{}) {
    if ((c == '\n') != (last_ == '\r')) return false;
    before_last_ = last_;
    last_ = c;
  }
  if (!line && !segment.empty()) {
    before_last_ = segment.size() > 1 ? segment[segment.size() - 2] : last_;
    last_ = segment.back();
  }
  return true;
}

}  // namespace mahavishnu::net
