// net/http_request_parser. For every stream of bytes:
// - fed whole or in two parts at any place, the same requests come out and the same end;
// - a head that was taken is read the same by a naive, strict reader (what two readers could read
//   differently is how requests are smuggled), and so is its body.
#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "fuzz.h"
#include "net/http_request_parser.h"

namespace mahavishnu::fuzzing {
namespace {

using net::HttpRequest;
using net::HttpRequestParser;
using Result = HttpRequestParser::Result;

constexpr std::size_t kMaxHead = 250;  // small, so that it is reached
constexpr std::size_t kMaxBody = 100;
constexpr std::size_t kMaxInput = 400;  // each is fed as often as it has bytes

struct Came {
  std::vector<HttpRequest> requests;
  std::vector<std::string> bodies;  // as they stood in the stream
  bool failed = false;
  int status = 0;
};

// A connection's way of feeding: what was not consumed is there again.
class Feeder {
 public:
  void feed(std::string_view part) {
    waiting_ += part;
    while (!came_.failed && step()) {
    }
  }
  Came take() { return std::move(came_); }

 private:
  // Whether there may be more to do.
  bool step() {
    std::size_t consumed = 0;
    const bool head = !in_body_;
    const auto result = head ? parser_.parse_head(waiting_, consumed)
                             : parser_.parse_body(waiting_, kMaxBody, true, consumed);
    if (result == Result::Failed) {
      came_.failed = true;
      came_.status = parser_.failure_status();
      expect(came_.status >= 400 && came_.status < 600, "a failure has a status");
      expect(!parser_.failure().empty(), "a failure has a reason");
      return false;
    }
    expect(consumed <= waiting_.size(), "no more is consumed than there is");
    if (!head) raw_body_ += waiting_.substr(0, consumed);
    waiting_.erase(0, consumed);
    if (result == Result::NeedMore) {
      expect(head || waiting_.empty(), "a body takes all that came");
      return false;
    }
    if (head) {
      expect(consumed > 0, "a head has bytes");
      in_body_ = true;
      return true;
    }
    came_.requests.push_back(std::move(parser_.request()));
    came_.bodies.push_back(std::move(raw_body_));
    raw_body_.clear();
    in_body_ = false;
    return !waiting_.empty();
  }

  HttpRequestParser parser_{kMaxHead};
  std::string waiting_;
  std::string raw_body_;
  bool in_body_ = false;
  Came came_;
};

bool same_place(HttpRequest::Place a, HttpRequest::Place b) {
  return a.at == b.at && a.size == b.size;
}

bool same(const HttpRequest& a, const HttpRequest& b) {
  const auto same_field = [](const HttpRequest::Field& x, const HttpRequest::Field& y) {
    return same_place(x.name, y.name) && same_place(x.value, y.value);
  };
  return a.head == b.head && a.method == b.method && a.body == b.body &&
         a.content_length == b.content_length && a.http_1_1 == b.http_1_1 &&
         a.keep_alive == b.keep_alive && a.chunked == b.chunked && same_place(a.target, b.target) &&
         same_place(a.path, b.path) && same_place(a.query, b.query) &&
         same_place(a.authority, b.authority) &&
         std::equal(a.fields.begin(), a.fields.end(), b.fields.begin(), b.fields.end(), same_field);
}

// A part that is too long may be noticed before another fault behind it, or after.
bool about_length(int status) { return status == 413 || status == 431; }

void check_same(const Came& whole, const Came& parts) {
  expect(whole.failed == parts.failed, "parts fail as the whole does");
  expect(whole.requests.size() == parts.requests.size(), "parts make as many requests");
  expect(whole.status == parts.status || about_length(whole.status) || about_length(parts.status),
         "parts fail for the same reason");
  for (std::size_t i = 0; i < whole.requests.size(); ++i) {
    expect(same(whole.requests[i], parts.requests[i]), "parts make the same requests");
  }
}

// ── The naive, strict reader ─────────────────────────────────────────────────────────────────────

bool is_token(std::string_view text) {
  constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The lines of a head, without the blank one at its end.
std::vector<std::string_view> lines_of(std::string_view head) {
  std::vector<std::string_view> lines;
  while (!head.empty()) {
    const auto end = head.find("\r\n");
    expect(end != std::string_view::npos, "a head ends with CR LF");
    lines.push_back(head.substr(0, end));
    expect(lines.back().find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos,
           "no line has a bare CR, LF or NUL");
    head.remove_prefix(end + 2);
  }
  expect(!lines.empty() && lines.back().empty(), "a head ends with a blank line");
  lines.pop_back();
  return lines;
}

void check_request_line(const HttpRequest& request, std::string_view line) {
  const std::string version = request.http_1_1 ? " HTTP/1." : " HTTP/1.0";
  const std::string start =
      std::string(request.method) + " " + std::string(request.text(request.target)) + version;
  expect(line.starts_with(start), "a request line is METHOD TARGET VERSION");
  const auto rest = line.substr(start.size());
  expect(request.http_1_1 ? !rest.empty() && rest.find_first_not_of("0123456789") == rest.npos
                          : rest.empty(),
         "nothing is behind the version");
}

void check_head(const HttpRequest& request) {
  expect(request.head.size() <= kMaxHead, "a head is within its limit");
  const auto lines = lines_of(request.head);
  expect(!lines.empty(), "a head has a request line");
  check_request_line(request, lines.front());
  expect(lines.size() - 1 == request.fields.size(), "a field a line");
  std::size_t hosts = 0, lengths = 0, codings = 0;
  for (std::size_t i = 0; i < request.fields.size(); ++i) {
    const auto line = lines[i + 1];
    const auto colon = line.find(':');
    expect(colon != std::string_view::npos && is_token(line.substr(0, colon)), "a name is a token");
    const auto name = line.substr(0, colon);
    const auto value = trimmed(line.substr(colon + 1));
    expect(request.text(request.fields[i].name) == name, "the name is the line's");
    expect(request.text(request.fields[i].value) == value, "the value is the line's");
    hosts += net::equal_ignoring_case(name, "host") ? 1 : 0;
    codings += net::equal_ignoring_case(name, "transfer-encoding") ? 1 : 0;
    if (net::equal_ignoring_case(name, "content-length")) {
      ++lengths;
      expect(!value.empty() && value.find_first_not_of("0123456789") == value.npos,
             "a length is digits");
      expect(value.size() < 20 && std::stoull(std::string(value)) == request.content_length,
             "the length is the one told");
    }
  }
  expect(hosts <= 1 && (hosts == 1 || !request.http_1_1), "one Host");
  expect(lengths + codings <= 1, "the length of the body is told once");
  expect((codings == 1) == request.chunked, "chunked is told and taken");
  expect(request.text(request.path).find('?') == std::string_view::npos, "a path has no query");
}

// The bytes of a chunked body, or nothing when it is not strictly one.
std::optional<std::string> unchunked(std::string_view raw) {
  std::string body;
  for (;;) {
    const auto end = raw.find("\r\n");
    if (end == raw.npos) return std::nullopt;
    const auto line = raw.substr(0, end);
    const auto digits = std::min(line.find_first_not_of("0123456789abcdefABCDEF"), line.size());
    if (digits == 0) return std::nullopt;
    if (digits < line.size() && line[digits] != ';' && line[digits] != ' ') return std::nullopt;
    const auto zeros = std::min(line.find_first_not_of('0'), digits - 1);
    if (digits - zeros > 8) return std::nullopt;
    const auto size = std::stoul(std::string(line.substr(zeros, digits - zeros)), nullptr, 16);
    raw.remove_prefix(end + 2);
    if (size == 0) break;
    if (raw.size() < size + 2 || raw.substr(size, 2) != "\r\n") return std::nullopt;
    body += raw.substr(0, size);
    raw.remove_prefix(size + 2);
  }
  while (!raw.starts_with("\r\n")) {  // trailers
    const auto end = raw.find("\r\n");
    if (end == raw.npos) return std::nullopt;
    raw.remove_prefix(end + 2);
  }
  return raw.size() == 2 ? std::optional(body) : std::nullopt;
}

void check_body(const HttpRequest& request, const std::string& raw) {
  if (request.chunked) {
    expect(unchunked(raw) == request.body, "the chunks are strictly chunks, and the body theirs");
    expect(request.body.size() <= kMaxBody, "a chunked body is within its limit");
  } else {
    expect(request.body == raw && raw.size() == request.content_length, "the body has its length");
  }
}

}  // namespace

void fuzz(std::string_view input) {
  input = input.substr(0, kMaxInput);
  Feeder all;
  all.feed(input);
  const Came whole = all.take();
  for (std::size_t i = 0; i < whole.requests.size(); ++i) {
    check_head(whole.requests[i]);
    check_body(whole.requests[i], whole.bodies[i]);
  }
  for (std::size_t split = 1; split < input.size(); ++split) {
    Feeder parts;
    parts.feed(input.substr(0, split));
    parts.feed(input.substr(split));
    check_same(whole, parts.take());
  }
}

}  // namespace mahavishnu::fuzzing
