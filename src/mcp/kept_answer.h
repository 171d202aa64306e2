// A tool's structured result, quoted once to be given often: most of a hot call's cost would be to
// quote the same text again.
//
// A value. One thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace mahavishnu::mcp {

class KeptAnswer {
 public:
  KeptAnswer() = default;
  explicit KeptAnswer(std::string json) : json_(std::move(json)) {}  // JSON text of an object

  const std::string& json() const { return json_; }
  bool empty() const { return json_.empty(); }
  // What it takes at most where few characters are quoted.
  std::size_t bytes() const { return 3 * json_.size() + 100; }

  // The members of a result that shows it, without braces: content, structuredContent where
  // `structured`, isError.
  void append_members(std::string& out, bool structured) const;

 private:
  std::string json_;
  // Made when it is given first: most answers never are again.
  mutable std::string members_;
  mutable std::size_t content_size_ = 0;  // of members_, up to structuredContent
};

// The same for a result that is given once.
void append_result_members(std::string& out, std::string_view json, bool structured);

}  // namespace mahavishnu::mcp
