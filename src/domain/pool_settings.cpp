#include "domain/pool_settings.h"

#include <algorithm>
#include <array>

namespace mahavishnu::domain {
namespace {

constexpr std::size_t kMostText = 4096;
constexpr std::size_t kMostWords = 256;
constexpr std::size_t kMostHeaders = 32;
constexpr std::size_t kMostListed = 5;

// Set by whoever speaks HTTP and MCP; a second one would be a contradiction.
constexpr std::array<std::string_view, 9> kOwnHeaders{
    "accept", "accept-encoding", "connection", "content-length",   "content-type",
    "host",   "last-event-id",   "te",         "transfer-encoding"};

tl::unexpected<Error> refuse(std::string message) {
  return fail(ErrorCode::InvalidArgument, "settings." + std::move(message));
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7F'; });
}

bool is_token(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

Status check_url(const std::string& url) {
  const bool tls = url.starts_with("https://");
  if (!tls && !url.starts_with("http://")) {
    return refuse("url: expected http://… or https://…, got \"" + url.substr(0, 80) + "\"");
  }
  const std::string_view rest = std::string_view(url).substr(tls ? 8 : 7);
  const std::string_view host = rest.substr(0, std::min(rest.find('/'), rest.size()));
  if (host.empty() || host.front() == ':') return refuse("url: it names no host");
  if (!is_plain(url) || url.size() > kMostText) return refuse("url: it is no URL");
  if (host.find('@') != std::string_view::npos) {
    return refuse("url: no user or password in it; give a token by token_file");
  }
  if (rest.find_first_of("?#") != std::string_view::npos) {
    return refuse("url: no query or fragment in it; give a token by token_file");
  }
  return {};
}

Status check_file(const char* name, const std::string& path) {
  if (path.empty() || (path.front() == '/' && path.size() <= kMostText)) return {};
  return refuse(std::string(name) + ": expected an absolute path, got \"" + path.substr(0, 80) +
                "\"");
}

Status check_header(const std::string& name, const std::string& value) {
  if (!is_token(name)) return refuse("headers: \"" + name.substr(0, 80) + "\" is no header's name");
  const std::string low = lower(name);
  if (low == "authorization" || low == "proxy-authorization" || low == "cookie") {
    return refuse("headers: " + name + " would be stored and shown; give the token by token_file");
  }
  const bool own = std::find(kOwnHeaders.begin(), kOwnHeaders.end(), low) != kOwnHeaders.end();
  if (own || low.starts_with("mcp-")) {
    return refuse("headers: " + name + " is set by the protocol; leave it out");
  }
  const bool clean = std::all_of(value.begin(), value.end(), [](char c) {
    return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != '\x7F');
  });
  if (!clean || value.size() > kMostText) {
    return refuse("headers: the value of " + name + " has a line break in it, or is too long");
  }
  return {};
}

Status check_command(const std::vector<std::string>& command) {
  if (command.front().empty()) return refuse("command: it names no program");
  if (command.size() > kMostWords) {
    return refuse("command: at most " + std::to_string(kMostWords) + " words");
  }
  for (const std::string& word : command) {
    if (word.find('\0') != std::string::npos) return refuse("command: a word has a NUL in it");
    if (word.size() > kMostText) return refuse("command: a word is longer than 4096 bytes");
  }
  return {};
}

}  // namespace

Status check_settings(const PoolSpec& spec) {
  const PoolSettings& settings = spec.settings;
  if ((spec.type == kMcp) != (spec.worker_type == kMcp)) {
    return fail(ErrorCode::InvalidArgument,
                "a pool of type mcp has workers of type mcp, and no "
                "other has; leave worker_type out");
  }
  if (spec.type != kMcp) {
    if (settings.empty()) return {};
    return refuse("url, command and the others are for pools of type mcp; this is one of type " +
                  spec.type);
  }
  if (settings.url.empty() == settings.command.empty()) {
    return fail(ErrorCode::InvalidArgument,
                "a pool of type mcp needs settings with exactly one of url (a server's endpoint) "
                "and command (a program that speaks MCP on stdin and stdout)");
  }
  if (!settings.command.empty()) {
    if (!settings.token_file.empty() || !settings.headers.empty() || !settings.ca_file.empty()) {
      return refuse(
          "token_file, headers and ca_file go with url; give a command's server what it "
          "needs by env");
    }
    return check_command(settings.command);
  }
  if (auto good = check_url(settings.url); !good) return good;
  if (auto good = check_file("token_file", settings.token_file); !good) return good;
  if (auto good = check_file("ca_file", settings.ca_file); !good) return good;
  if (!settings.ca_file.empty() && !settings.url.starts_with("https://")) {
    return refuse("ca_file: it goes with a url of https");
  }
  if (settings.headers.size() > kMostHeaders) {
    return refuse("headers: at most " + std::to_string(kMostHeaders));
  }
  for (const auto& [name, value] : settings.headers) {
    if (auto good = check_header(name, value); !good) return good;
  }
  return {};
}

Status check_work(const Work& work) {
  const int ways =
      (work.command.empty() ? 0 : 1) + (work.argv.empty() ? 0 : 1) + (work.tool.empty() ? 0 : 1);
  if (ways != 1) {
    return fail(ErrorCode::InvalidArgument, "give exactly one of command, argv and tool");
  }
  if (work.tool.empty() && !work.arguments.empty()) {
    return fail(ErrorCode::InvalidArgument, "arguments go with a tool");
  }
  if (!work.tool.empty() && !work.stdin_text.empty()) {
    return fail(ErrorCode::InvalidArgument, "stdin goes to a command; a tool takes arguments");
  }
  return {};
}

Status check_fit(const Work& work, const PoolSpec& pool, const std::vector<std::string>& others) {
  const bool calls = pool.worker_type == kMcp;
  if (calls == !work.tool.empty()) return {};
  if (calls) {
    return fail(ErrorCode::InvalidArgument,
                "pool \"" + pool.name +
                    "\" calls tools of an MCP server; give tool and arguments, or another pool");
  }
  return fail(ErrorCode::InvalidArgument,
              "pool \"" + pool.name + "\" runs commands; tool \"" + work.tool +
                  "\" needs a pool of type mcp" +
                  (others.empty() ? "; make one with pool_spawn" : ": " + listed(others)));
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMostListed); ++i) {
    text += (i == 0 ? "\"" : ", \"") + names[i] + "\"";
  }
  if (names.size() > kMostListed) {
    text += " and " + std::to_string(names.size() - kMostListed) + " more";
  }
  return text;
}

}  // namespace mahavishnu::domain
