#include "mcp/kept_answer.h"

#include "rpc/codec.h"

namespace mahavishnu::mcp {
namespace {

constexpr std::string_view kEnd = "\"isError\":false";

void append_content(std::string& out, std::string_view json) {
  out += "\"content\":[{\"type\":\"text\",\"text\":";
  rpc::append_json_string(out, json);
  out += "}],";
}

void append_structure(std::string& out, std::string_view json) {
  out += "\"structuredContent\":";
  const std::size_t start = out.size();
  out += json;
  // Between tokens a line feed is only white space, but it would end a message on stdio.
  for (auto at = out.find('\n', start); at != std::string::npos; at = out.find('\n', at)) {
    out[at] = ' ';
  }
  out += ',';
}

}  // namespace

void append_result_members(std::string& out, std::string_view json, bool structured) {
  append_content(out, json);
  if (structured) append_structure(out, json);
  out += kEnd;
}

void KeptAnswer::append_members(std::string& out, bool structured) const {
  if (members_.empty()) {
    members_.reserve(json_.size() * 2 + json_.size() / 4 + 100);
    append_content(members_, json_);
    content_size_ = members_.size();
    append_structure(members_, json_);
    members_ += kEnd;
  }
  if (structured) {
    out += members_;
  } else {
    out.append(members_, 0, content_size_);
    out += kEnd;
  }
}

}  // namespace mahavishnu::mcp
