// outbound/event_reader. For every body: the messages are those that the specification's own steps
// (HTML, section 9.2.6), followed naively, find; and they are the same however the bytes come.
#include <vector>

#include "fuzz.h"
#include "outbound/event_reader.h"

namespace mahavishnu::fuzzing {
namespace {

using outbound::EventReader;
using rpc::Json;
using Messages = std::vector<Json>;

constexpr std::size_t kMaxInput = 200;  // each is fed as often as it has bytes

// Ends of lines are CR LF, LF or CR; the last line may lack its own.
std::vector<std::string> lines_of(std::string_view body) {
  if (body.starts_with("\xEF\xBB\xBF")) body.remove_prefix(3);
  std::vector<std::string> lines(1);
  for (std::size_t i = 0; i < body.size(); ++i) {
    if (body[i] == '\n' || body[i] == '\r') {
      if (body.substr(i).starts_with("\r\n")) ++i;
      lines.emplace_back();
    } else {
      lines.back() += body[i];
    }
  }
  return lines;
}

Messages by_the_book(std::string_view body) {
  Messages messages;
  std::string data;
  auto lines = lines_of(body);
  lines.emplace_back();  // the event at the end need not be closed
  for (const auto& line : lines) {
    if (line.empty()) {
      Json message = Json::parse(data, nullptr, false);
      if (message.is_object()) messages.push_back(std::move(message));
      data.clear();
      continue;
    }
    const auto colon = line.find(':');
    if (line.substr(0, colon) != "data") continue;
    std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
    if (value.starts_with(' ')) value.erase(0, 1);
    data += value + "\n";
  }
  return messages;
}

void append(Messages& to, Messages more) {
  for (auto& message : more) to.push_back(std::move(message));
}

}  // namespace

void fuzz(std::string_view input) {
  input = input.substr(0, kMaxInput);
  const Messages expected = by_the_book(input);
  expect(EventReader().take(input, true) == expected, "the messages are those of the standard");
  for (std::size_t split = 0; split < input.size(); ++split) {
    EventReader reader;
    Messages messages = reader.take(input.substr(0, split));
    append(messages, reader.take(input, true));
    expect(messages == expected, "parts tell the same");
  }
  EventReader bytewise;
  Messages messages;
  for (std::size_t size = 0; size < input.size(); ++size) {
    append(messages, bytewise.take(input.substr(0, size)));
  }
  append(messages, bytewise.take(input, true));
  expect(messages == expected, "bytes tell the same");
}

}  // namespace mahavishnu::fuzzing
