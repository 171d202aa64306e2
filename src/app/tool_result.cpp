#include "app/tool_result.h"

#include <algorithm>
#include <cmath>

#include "domain/memories.h"
#include "domain/records.h"
#include "domain/repositories.h"
#include "rpc/codec.h"

namespace mahavishnu::app {
namespace {

using outbound::Verdict;
using rpc::Json;

constexpr std::size_t kMessageBytes = 1000;
constexpr std::size_t kLineBytes = 2000;

std::string text_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// Bytes that so much base64 stands for.
std::size_t decoded_size(const std::string& base64) {
  std::size_t size = base64.size();
  while (size > 0 && base64[size - 1] == '=') --size;
  return size * 3 / 4;
}

std::string sized(std::size_t bytes) { return std::to_string(bytes) + " bytes"; }

// "image/png, 1234 bytes": what is not shown.
std::string told_of(const std::string& type, std::size_t bytes) {
  return (type.empty() ? "" : type + ", ") + sized(bytes);
}

std::string resource_text(const Json& part) {
  const auto found = part.find("resource");
  if (found == part.end() || !found->is_object()) return "[resource]";
  const std::string type = text_in(*found, "mimeType");
  const std::string uri = text_in(*found, "uri");
  if (found->contains("blob")) {
    return "[resource " + uri + ": " + told_of(type, decoded_size(text_in(*found, "blob"))) + "]";
  }
  const std::string text = text_in(*found, "text");
  return "[resource " + uri + ": " + told_of(type, text.size()) + "]\n" + text;
}

std::string part_text(const Json& part) {
  if (!part.is_object()) return "[content that is no object]";
  const std::string kind = text_in(part, "type");
  if (kind == "text") return text_in(part, "text");
  if (kind == "image" || kind == "audio") {
    const std::string type = text_in(part, "mimeType");
    return "[" + kind + ": " + told_of(type, decoded_size(text_in(part, "data"))) + "]";
  }
  if (kind == "resource") return resource_text(part);
  if (kind == "resource_link") {
    return "[resource_link " + text_in(part, "uri") + " " + text_in(part, "name") + "]";
  }
  return "[content of type \"" + outbound::cut(kind, 40) + "\": " + sized(part.dump().size()) + "]";
}

std::string content_text(const Json& result) {
  std::string text;
  const auto content = result.find("content");
  if (content == result.end() || !content->is_array()) return text;
  for (const Json& part : *content) {
    if (!text.empty() && text.back() != '\n') text += '\n';
    text += part_text(part);
  }
  return text;
}

// Beside the output when it fits; otherwise in the output, unless that says the same already.
void place_structured(const Json& structured, ToolOutcome& outcome) {
  const std::string json = rpc::dump(structured);
  const bool fits = json.size() <= domain::kMostStructured;
  if (fits) {
    outcome.report.structured = json;
  } else {
    outcome.report.message = "result.structured is left out: it has " + sized(json.size()) +
                             ", at most " + sized(domain::kMostStructured) +
                             " are kept; task_output has it";
  }
  const bool told =
      !outcome.output.empty() && (fits || outbound::parsed(outcome.output) == structured);
  if (told) return;
  if (!outcome.output.empty() && outcome.output.back() != '\n') outcome.output += '\n';
  outcome.output += json;
}

// Numbers as people write them: 3, 0.5.
std::string number_text(const Json& number) {
  const double value = number.get<double>();
  if (std::abs(value) < 1e15 && value == std::floor(value)) {
    return std::to_string(static_cast<long long>(value));
  }
  return number.dump();
}

}  // namespace

ToolOutcome outcome_of(const Json& result, const std::string& server, const std::string& tool) {
  ToolOutcome outcome;
  const std::string what = "tool \"" + tool + "\" of " + server;
  const std::string kind = result.is_object() ? text_in(result, "resultType") : "";
  const bool is_result =
      result.is_object() && (result.contains("content") || result.contains("structuredContent"));
  if (!kind.empty() && kind != "complete") {
    outcome.exit_code = ToolOutcome::kRefused;
    outcome.report.message = what + " answered \"" + outbound::cut(kind, 40) +
                             "\": it wants more of its caller than a task can give";
    return outcome;
  }
  if (!is_result) {
    outcome.exit_code = ToolOutcome::kNoAnswer;
    outcome.report.message = what + " answered without content";
    return outcome;
  }
  outcome.output = content_text(result);
  const auto failed = result.find("isError");
  if (failed != result.end() && *failed == true) {
    outcome.exit_code = ToolOutcome::kToolFailed;
    outcome.report.message = outbound::cut(domain::plain_text(outcome.output), kMessageBytes);
    if (outcome.report.message.empty()) outcome.report.message = what + " failed without a word";
  }
  const auto structured = result.find("structuredContent");
  if (structured == result.end() || structured->is_null()) return outcome;
  const std::string why = outcome.report.message;
  place_structured(*structured, outcome);
  if (!why.empty()) outcome.report.message = why;
  return outcome;
}

ToolOutcome outcome_of(const Verdict& verdict, const std::string& server, const std::string& tool,
                       const std::vector<std::string>& tools) {
  ToolOutcome outcome;
  const bool there = std::find(tools.begin(), tools.end(), tool) != tools.end();
  if (!tools.empty() && !there) {
    const std::string near = domain::nearest(tool, tools);
    outcome.exit_code = ToolOutcome::kRefused;
    outcome.report.message =
        server + " has no tool \"" + tool + "\"; " +
        (near.empty() ? "its " + std::to_string(tools.size()) + " tools are told by tools/list"
                      : "did you mean \"" + near + "\"?");
    return outcome;
  }
  const bool answered = verdict.rpc_code != 0 || verdict.kind == Verdict::Kind::Refused;
  outcome.exit_code = answered ? ToolOutcome::kRefused : ToolOutcome::kNoAnswer;
  outcome.report.message = "tool \"" + tool + "\" of " + server + ": " + verdict.error;
  return outcome;
}

std::string line_of(const Json& notification) {
  const std::string method = text_in(notification, "method");
  const auto params = notification.find("params");
  if (params == notification.end() || !params->is_object()) return "";
  std::string line;
  if (method == "notifications/progress") {
    const auto done = params->find("progress");
    if (done == params->end() || !done->is_number()) return "";
    line = "progress " + number_text(*done);
    const auto total = params->find("total");
    if (total != params->end() && total->is_number()) line += "/" + number_text(*total);
    const std::string message = text_in(*params, "message");
    if (!message.empty()) line += ": " + message;
  } else if (method == "notifications/message") {
    const auto data = params->find("data");
    const std::string logger = text_in(*params, "logger");
    line = "[" + text_in(*params, "level") + "] " + (logger.empty() ? "" : logger + ": ");
    if (data != params->end())
      line += data->is_string() ? data->get<std::string>() : rpc::dump(*data);
  }
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line.empty() ? line : outbound::cut(line, kLineBytes) + "\n";
}

}  // namespace mahavishnu::app
