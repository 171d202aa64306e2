// The arguments that more than one tool takes, and the big ones, as typed values.
//
// Each function reads its members from a Reader, whose `finish` tells what was wrong. Bounds are
// those of schemas/, in bytes. Names of repositories and pools are resolved by the service, which
// also says when they are unknown.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/service.h"
#include "mcp/tool.h"
#include "tools/reader.h"

namespace mahavishnu::tools {

inline constexpr base::Millis kLongestWait{45000};

control::Wait read_wait(Reader& reader);  // wait_ms, until
base::Millis read_wait_ms(Reader& reader);
domain::Page read_page(Reader& reader);  // limit, cursor

domain::StringMap read_env(Reader& reader);
domain::StringMap read_labels(Reader& reader);
domain::Timeouts read_timeouts(Reader& reader);
domain::RetryPolicy read_retry(Reader& reader);
domain::Limits read_limits(Reader& reader);

// "key=value" or "key" (any value).
struct Label {
  std::string key, value;
};
Label read_label(Reader& reader);

template <class Id>
Id read_id(Reader& reader, const char* name) {
  const std::string text = reader.text(name);
  if (!reader.has(name)) return {};
  auto id = Id::parse(text);
  if (id) return *id;
  reader.refuse(std::string(name) + ": " + id.error().message);
  return {};
}

// Who asks and from where: what a task takes from its call rather than from its arguments.
struct Asker {
  std::string caller;
  std::string working_directory;                              // "": none
  std::shared_ptr<const domain::StringMap> environment = {};  // null: none

  static Asker of(const mcp::Call& call) {
    return {call.caller(), call.working_directory(), call.environment()};
  }
};

control::Service::SubmitArgs read_task(Reader& reader, const Asker& asker);
control::Service::WorkflowArgs read_workflow(Reader& reader, const Asker& asker);
domain::PoolSpec read_pool(Reader& reader);

// What is given back as one piece, in an answer that cannot be divided: more than so many tokens
// are refused, with `name` for what is too long.
void refuse_longer(Reader& reader, const char* name, const Json& shown, std::size_t most_tokens);

// One item of a batch with what it leaves out taken from `defaults`: whole members, and single
// entries of env, labels, timeouts and retry. An item that says what to run, or where, takes
// neither from the defaults.
Json with_defaults(const Json& item, const Json& defaults);

}  // namespace mahavishnu::tools
