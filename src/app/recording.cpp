#include "app/recording.h"

#include <algorithm>
#include <array>
#include <thread>

#include "app/settings.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::Result;
using base::Status;
using rpc::Json;

using Read = Result<std::optional<std::string>>;

constexpr const char* kSession = "Mcp-Session-Id";
constexpr std::array<const char*, 5> kKeptHeaders{"Content-Type", "Accept", "MCP-Protocol-Version",
                                                  "Mcp-Method", "Mcp-Name"};
// Later ones are all <session ?>.
constexpr std::size_t kMostSessions = 100000;

Json flags_of(const mcp::View& view) {
  Json flags = Json::array();
  if (view.read_only) flags.push_back("--read-only");
  const auto list = [&flags](const char* flag, const std::vector<std::string>& names) {
    if (names.empty()) return;
    std::string joined;
    for (const auto& name : names) joined += (joined.empty() ? "" : ",") + name;
    flags.push_back(flag);
    flags.push_back(std::move(joined));
  };
  list("--toolsets", view.toolsets);
  list("--tools", view.tools);
  return flags;
}

// What makes a server answer alike and means something on another machine.
Json settings_of(const Config& config) {
  Json variables = Json::object();
  for (const Setting& setting : settings()) {
    const std::string_view key = setting.key;
    const bool is_place =
        setting.type == SettingType::Path || setting.type == SettingType::PathList;
    if (is_place || key.starts_with("http.") || config.is_default(key)) continue;
    variables[environment_name(key)] = config.written(key);
  }
  constexpr const char* kWorkers = "pools.default.max_workers";
  if (config.number(kWorkers) == 0) {
    variables[environment_name(kWorkers)] =
        std::to_string(std::max(1U, std::thread::hardware_concurrency()));
  }
  return variables;
}

}  // namespace

Result<std::unique_ptr<Recording>> Recording::open(const std::string& path, const Config& config,
                                                   const mcp::View& view) {
  auto file = TranscriptFile::create(path);
  if (!file) return base::fail(file.error());
  return std::make_unique<Recording>(std::move(*file), config, view);
}

Recording::Recording(std::unique_ptr<TranscriptFile> file, const Config& config,
                     const mcp::View& view)
    : file_(std::move(file)) {
  TranscriptLine first;
  first.members["recorded"] = MAHAVISHNU_VERSION;
  first.members["args"] = flags_of(view);
  first.members["env"] = settings_of(config);
  file_->add(std::move(first));
}

std::string Recording::next_name(const std::string& kind) {
  return kind + " " + std::to_string(++names_[kind]);
}

void Recording::add(const std::string& on, TranscriptLine line) {
  if (on != kStdioName) line.members["on"] = on;
  file_->add(std::move(line));
}

void Recording::opened(const std::string& on, const mcp::View& view) {
  TranscriptLine line;
  line.members["open"] = on;
  line.members["args"] = flags_of(view);
  file_->add(std::move(line));
}

void Recording::said(const std::string& on, std::string_view text) {
  add(on, {"in", std::string(text)});
}

void Recording::asked(const std::string& on, const rpc::HttpExchange& request, std::string body) {
  Json headers = Json::object();
  for (const char* name : kKeptHeaders) {
    const std::string_view value = request.header(name);
    if (value.data() != nullptr) headers[name] = std::string(value);
  }
  const std::string_view session = request.header(kSession);
  if (session.data() != nullptr) headers[kSession] = session_name(std::string(session));
  TranscriptLine line{"in", std::move(body)};
  line.members["http"] = {{"method", std::string(request.method())},
                          {"path", std::string(request.path())},
                          {"headers", std::move(headers)}};
  add(on, std::move(line));
}

void Recording::answered(const std::string& on, std::string_view text) {
  add(on, {"out", std::string(text)});
}

void Recording::responded(const std::string& on, int status, std::string body,
                          const rpc::HeaderList& headers) {
  TranscriptLine line{"out", std::move(body)};
  Json& http = line.members["http"];
  http["status"] = status;
  for (const auto& [name, value] : headers) {
    if (name != kSession) continue;
    if (sessions_.size() < kMostSessions) {
      sessions_.emplace(value, static_cast<int>(sessions_.size()) + 1);
    }
    http["headers"][kSession] = session_name(value);
  }
  add(on, std::move(line));
}

void Recording::skipped(const std::string& on, const std::string& what) {
  TranscriptLine line;
  line.members["cut"] = what;
  add(on, std::move(line));
}

void Recording::ended(const std::string& on) {
  TranscriptLine line;
  line.members["end"] = 0;
  add(on, std::move(line));
}

std::string Recording::session_name(const std::string& id) const {
  const auto found = sessions_.find(id);
  return "<session " + (found == sessions_.end() ? "?" : std::to_string(found->second)) + ">";
}

void RecordedConnection::note(const Read& text) {
  if (!text) {
    if (text.error().code == base::ErrorCode::Exhausted) {
      recording_.skipped(on_, text.error().message);
    }
  } else if (*text) {
    recording_.said(on_, **text);
  } else {
    recording_.ended(on_);
  }
}

awaitable<Read> RecordedConnection::read() {
  auto text = co_await rest_.read();
  note(text);
  co_return text;
}

std::optional<Read> RecordedConnection::read_ready() {
  auto text = rest_.read_ready();
  if (text) note(*text);
  return text;
}

awaitable<Status> RecordedConnection::write(std::string text) {
  recording_.answered(on_, text);
  co_return co_await rest_.write(std::move(text));
}

bool RecordedConnection::write_ready(std::string_view text) {
  const bool written = rest_.write_ready(text);
  if (written) recording_.answered(on_, text);
  return written;
}

RecordedExchange::RecordedExchange(std::shared_ptr<rpc::HttpExchange> rest, Recording& recording)
    : rest_(std::move(rest)),
      recording_(recording),
      on_(recording.next_name("http")),
      body_(rest_->take_body()) {
  recording_.asked(on_, *rest_, body_);
}

void RecordedExchange::respond(int status, std::string_view content_type, std::string body,
                               rpc::HeaderList headers) {
  recording_.responded(on_, status, body, headers);
  rest_->respond(status, content_type, std::move(body), std::move(headers));
}

awaitable<bool> RecordedExchange::send_event(rpc::Event event) {
  recording_.answered(on_, event.data);
  co_return co_await rest_->send_event(std::move(event));
}

}  // namespace mahavishnu::app
