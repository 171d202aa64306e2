#include "app/settings.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <limits>
#include <utility>

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

constexpr std::int64_t kDay = 24LL * 3600 * 1000;
constexpr std::int64_t kMany = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kGiB = 1LL << 30;

using Unit = std::pair<std::string_view, std::int64_t>;
constexpr std::array<Unit, 9> kSizeUnits{{{"", 1},
                                          {"B", 1},
                                          {"KB", 1000},
                                          {"MB", 1000000},
                                          {"GB", 1000000000},
                                          {"KIB", 1LL << 10},
                                          {"MIB", 1LL << 20},
                                          {"GIB", kGiB},
                                          {"TIB", 1LL << 40}}};
constexpr std::array<Unit, 6> kDurationUnits{
    {{"", 1}, {"MS", 1}, {"S", 1000}, {"M", 60000}, {"H", 3600000}, {"D", kDay}}};

std::string upper(std::string_view text) {
  std::string result;
  for (const char c : text)
    result += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return result;
}

// A whole number and a unit of `units`, with or without one space between them.
template <std::size_t N>
Result<std::int64_t> parse_with_unit(std::string_view text, const std::array<Unit, N>& units,
                                     std::string_view example) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  if (rest.starts_with(' ')) rest.remove_prefix(1);
  if (error == std::errc() && number >= 0) {
    const std::string unit = upper(rest);
    for (const auto& [name, factor] : units) {
      if (unit != name) continue;
      if (number > std::numeric_limits<std::int64_t>::max() / factor) break;
      return number * factor;
    }
  }
  return fail(ErrorCode::InvalidArgument,
              "\"" + std::string(text) + "\" is not a " + std::string(example));
}

bool is_choice(const Setting& setting, std::string_view text) {
  std::string_view choices = setting.choices;
  if (choices.empty()) return true;
  while (!choices.empty()) {
    const auto end = std::min(choices.find('|'), choices.size());
    if (choices.substr(0, end) == text) return true;
    choices.remove_prefix(std::min(end + 1, choices.size()));
  }
  return false;
}

Result<std::int64_t> parse_plain(const Setting& setting, std::string_view text) {
  if (setting.type == SettingType::Size) return parse_size(text);
  if (setting.type == SettingType::Duration) return parse_duration(text);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(ErrorCode::InvalidArgument, "\"" + std::string(text) + "\" is not a whole number");
  }
  return number;
}

std::vector<Setting> make_settings() {
  using enum SettingType;
  return {
      {"data", Path, "", 0, 0, "", "data directory; empty: $XDG_STATE_HOME/mahavishnu"},
      {"repos", Path, "", 0, 0, "", "repositories file; empty: repos.yaml beside config.yaml"},
      {"http.listen", Text, "127.0.0.1:8680", 0, 0, "", "address and port of the HTTP door"},
      {"http.allowed_hosts", List, "", 0, 0, "",
       "Host names accepted besides the address listened on"},
      {"http.allowed_origins", List, "", 0, 0, "", "browser origins accepted besides local ones"},
      {"http.max_body_bytes", Size, "4MiB", 1024, kGiB, "", "longest HTTP body"},
      {"http.max_total_body_bytes", Size, "256MiB", 1024, 64 * kGiB, "",
       "all HTTP bodies together, until their answers; at least one of the longest"},
      {"http.max_connections", Integer, "10000", 1, 1000000, "", "HTTP connections at once"},
      {"http.header_ms", Duration, "10s", 1, kDay, "", "for a whole request head to arrive"},
      {"http.body_ms", Duration, "30s", 1, kDay, "", "for a whole body to arrive"},
      {"http.idle_ms", Duration, "300s", 1, kDay, "",
       "a kept connection without a request is closed"},
      {"http.tls.certificate", Path, "", 0, 0, "",
       "PEM file of the certificate, and those that vouch for it behind it: HTTPS; empty: plain "
       "HTTP"},
      {"http.tls.key", Path, "", 0, 0, "", "PEM file of its key, without a pass phrase"},
      {"http.oauth.issuer", Text, "", 0, 0, "",
       "authorization server whose tokens (JWT) are good besides ours, as its tokens name it; "
       "empty: "
       "none"},
      {"http.oauth.resource", Text, "", 0, 0, "",
       "URL by which clients reach /mcp; needed with an issuer"},
      {"http.oauth.audience", List, "", 0, 0, "",
       "audiences a token may be for; empty: http.oauth.resource"},
      {"http.oauth.jwks_url", Text, "", 0, 0, "",
       "where its public keys are; empty: as its metadata says"},
      {"http.oauth.ca_file", Path, "", 0, 0, "",
       "certificates (PEM) its own is checked against; empty: the system's"},
      {"http.oauth.algorithms", List, "RS256,PS256,ES256", 0, 0, "",
       "a token is signed by one of them; RS, PS and ES with 256, 384 and 512 there are"},
      {"http.oauth.scopes", List, "read=read,run=run,admin=admin", 0, 0, "",
       "its scopes and what they allow, as SCOPE=read, SCOPE=run or SCOPE=admin"},
      {"http.oauth.pools_claim", Text, "", 0, 0, "",
       "claim that names the pools a token may use; empty: any"},
      {"http.oauth.repositories_claim", Text, "", 0, 0, "", "and the repositories"},
      {"http.oauth.tags_claim", Text, "", 0, 0, "", "and the tags of repositories"},
      {"http.oauth.leeway", Duration, "60s", 0, 300000, "",
       "by which its clock and ours may differ"},
      {"http.oauth.keep_keys", Duration, "10m", 1000, kDay, "", "its keys are fetched again after"},
      {"http.oauth.pause", Duration, "10s", 100, 3600000, "",
       "at least between two fetches, when a token names a key that is not known"},
      {"http.replay_events", Integer, "1000", 0, 1000000, "",
       "events of a session's streams kept for a client whose connection broke"},
      {"http.replay_session_bytes", Size, "1MiB", 0, kGiB, "", "and their bytes"},
      {"http.replay_bytes", Size, "16MiB", 0, 16 * kGiB, "", "those of all sessions together"},
      {"http.replay_keep", Duration, "5m", 0, kDay, "", "and how long they are kept"},
      {"http.stream_hold", Duration, "0", 0, kDay, "",
       "a session's connection that waits for an answer is ended after this, and the client comes "
       "back for it (2025-11-25); 0: never"},
      {"limits.requests_per_s", Integer, "0", 0, 1000000, "",
       "HTTP requests of each credential; more are answered 429; 0: no limit"},
      {"limits.burst", Integer, "0", 0, 1000000, "", "of them at once; 0: those of a second"},
      {"limits.tools", List, "", 0, 0, "",
       "calls of single tools by each credential, as TOOL=RATE or TOOL=RATE/BURST, a second"},
      {"rpc.max_message_bytes", Size, "4MiB", 1024, kGiB, "",
       "longest message on stdio and sockets"},
      {"rpc.max_in_flight", Integer, "256", 1, 100000, "", "calls at once on one connection"},
      {"log.level", Text, "info", 0, 0, "trace|debug|info|warn|error|off",
       "lines of this level or worse go to stderr, the history and the file"},
      {"log.keep", Duration, "30d", 1000, 3650 * kDay, "",
       "the history (log_search) is kept this long"},
      {"log.max_bytes", Size, "256MiB", 0, 64 * kGiB, "",
       "and at most so large, the oldest goes first; 0: no history"},
      {"log.file", Path, "", 0, 0, "", "lines go to this file as well"},
      {"log.file_bytes", Size, "10MiB", 1024, 64 * kGiB, "",
       "a larger one is set aside as FILE.1 and so on"},
      {"log.file_count", Integer, "5", 1, 1000, "", "files altogether"},
      {"audit.keep", Duration, "90d", 1000, 3650 * kDay, "",
       "who called what (audit_search) is kept this long"},
      {"audit.max_rows", Integer, "100000", 0, 100000000, "",
       "and the oldest goes when there is more; 0: no audit"},
      {"metrics.calls", Text, "on", 0, 0, "on|off",
       "clock every call and its stages; off: metrics tell of tasks and the server only"},
      {"metrics.listen", Text, "", 0, 0, "",
       "a loopback address where /metrics, /livez and /readyz need no token, for a collector on "
       "this "
       "machine; empty: they are at http.listen only"},
      {"server.max_running", Integer, "0", 0, kMany, "",
       "attempts at once in the server; 0: no limit"},
      {"server.max_live_tasks", Integer, "1000000", 1, kMany, "",
       "tasks not ended; more are refused"},
      {"server.idle_exit_ms", Duration, "10m", 0, kMany, "",
       "a server in the background ends after so long without client and work; 0: never"},
      {"pools.default.max_workers", Integer, "0", 0, 10000, "",
       "of the default pool; 0: one a core"},
      {"pools.max_asked", Integer, "20", 1, 100, "",
       "servers behind pools of type mcp that pool_monitor asks at once"},
      {"pools.ask_ms", Duration, "2s", 1, 60000, "", "one that takes longer to answer has failed"},
      {"scheduler.aging_ms", Duration, "60s", 1, kDay, "",
       "a queued task gains a priority in this time"},
      {"shutdown.grace_ms", Duration, "30s", 0, kDay, "", "TERM waits this long for running work"},
      {"work.env_allow", List, "PATH,HOME,USER,LOGNAME,SHELL,LANG,LC_ALL,TZ,TMPDIR", 0, 0, "",
       "variables of the server's environment that work sees"},
      {"work.lease_ms", Duration, "30s", 1000, kDay, "",
       "work ends this long after its server vanished"},
      {"output.keep", Duration, "7d", 0, 3650 * kDay, "",
       "output over 8 KiB of ended tasks is kept this long"},
      {"output.max_bytes", Size, "2GiB", 0, 1024 * kGiB, "",
       "and at most so much of it together; the oldest goes first"},
      {"journal.ballast_bytes", Size, "8MiB", 0, kGiB, "",
       "room kept for completions on a full disk"},
      {"journal.read_ms", Duration, "5s", 100, kDay, "", "longest read of the journal"},
      {"memory.enabled", Text, "true", 0, 0, "true|false",
       "ended tasks leave memories, which memory_search finds"},
      {"memory.max_bytes", Size, "8KiB", 0, 8192, "",
       "of the end of a task's output that its memory keeps"},
      {"memory.keep", Duration, "365d", 0, 3650 * kDay, "", "memories go after this; 0: never"},
      {"memory.max_count", Integer, "100000", 0, 100000000, "",
       "and the oldest when there are more; 0: no limit"},
      {"memory.redact", List, "", 0, 0, "",
       "patterns (RE2) of what is a secret in memories, besides the built-in ones"},
      {"tasks.keep", Duration, "24h", 1, 3650 * kDay, "",
       "how long after its end an MCP task is known by its handle; the work itself stays"},
      {"messages.max_count", Integer, "100000", 1, 10000000, "",
       "messages that some group has not acknowledged, or nobody asked for yet"},
      {"messages.max_bytes", Size, "64MiB", 65536, 16 * kGiB, "", "and their bytes, in memory"},
      {"messages.max_groups", Integer, "1000", 1, 100000, "", "groups that receive messages"},
      {"messages.max_pending", Integer, "10000", 1, 1000000, "",
       "messages one group is behind at most; then the topic's policy holds"},
      {"messages.max_in_flight", Integer, "100", 1, 10000, "",
       "messages that consumers of one group have taken and not acknowledged"},
      {"messages.max_deliveries", Integer, "16", 1, 10000, "",
       "a message given out so often in vain is dead"},
      {"messages.keep", Duration, "7d", 1000, 30 * kDay, "",
       "of a message without a ttl_ms of its own"},
      {"messages.group_idle", Duration, "7d", 1000, 3650 * kDay, "",
       "a group nobody asks for is let go after this"},
      {"messages.policy", Text, "block_publisher", 0, 0, "block_publisher|drop_oldest|disconnect",
       "what a group that is behind costs: its publisher waits, or it loses its oldest message, or "
       "all"},
      {"messages.policies", List, "", 0, 0, "",
       "of single topics, as PATTERN=POLICY; the first that meets holds"},
      {"session_buddy.url", Text, "", 0, 0, "",
       "memory server that memories are sent to, such as http://127.0.0.1:8678/mcp; empty: none"},
      {"session_buddy.protocol", Text, "auto", 0, 0, "auto|mcp|rest",
       "how it is spoken to; auto: MCP, and a plain POST where there is none"},
      {"session_buddy.token_file", Path, "", 0, 0, "", "a file with the bearer token it wants"},
      {"session_buddy.ca_file", Path, "", 0, 0, "",
       "certificates (PEM) its own is checked against; empty: the system's"},
      {"session_buddy.max_connections", Integer, "20", 1, 100, "", "calls to it at once"},
      {"session_buddy.connect_ms", Duration, "3s", 1, kDay, "", "to make a connection to it"},
      {"session_buddy.read_ms", Duration, "15s", 1, kDay, "",
       "a call without a byte of its answer"},
      {"session_buddy.total_ms", Duration, "30s", 1, kDay, "", "a call altogether"},
      {"session_buddy.max_tries", Integer, "8", 1, 1000, "",
       "a memory it refuses so often is a dead letter"},
      {"opensearch.url", Text, "", 0, 0, "",
       "the history is sent there as well, such as https://logs:9200; empty: nowhere"},
      {"opensearch.index", Text, "mahavishnu-events", 0, 0, "",
       "of the indexes' names, before the day"},
      {"opensearch.user", Text, "", 0, 0, "", "whom it knows; empty: no authentication"},
      {"opensearch.password_file", Path, "", 0, 0, "", "a file with the user's password"},
      {"opensearch.ca_file", Path, "", 0, 0, "",
       "certificates (PEM) its own is checked against; empty: the system's"},
      {"opensearch.max_connections", Integer, "4", 1, 100, "",
       "bulks at once; searches have one connection more"},
      {"opensearch.connect_ms", Duration, "3s", 1, kDay, "", "to make a connection to it"},
      {"opensearch.read_ms", Duration, "15s", 1, kDay, "", "a call without a byte of its answer"},
      {"opensearch.total_ms", Duration, "30s", 1, kDay, "", "a call altogether"},
      {"opensearch.bulk_rows", Integer, "1000", 1, 10000, "", "events in one bulk at most"},
      {"opensearch.bulk_bytes", Size, "5MiB", 65536, 64 << 20, "", "and its length"},
      {"opensearch.gather_ms", Duration, "1s", 0, kDay, "",
       "events are waited for so long, so that a few are not a bulk each"},
      {"notify.url", Text, "", 0, 0, "",
       "what an operator should know at night is POSTed there as JSON; empty: nowhere"},
      {"notify.token_file", Path, "", 0, 0, "", "a file with the bearer token it wants"},
      {"notify.ca_file", Path, "", 0, 0, "",
       "certificates (PEM) its own is checked against; empty: the system's"},
      {"notify.command", Text, "", 0, 0, "",
       "and given to this shell command, on stdin and as $MAHAVISHNU_NOTICE; empty: none"},
      {"notify.on", List,
       "task_dead,memory_dead,message_dead,workflow_failed,breaker_open,disk_full,outbox_stuck", 0,
       0, "", "what is told"},
      {"notify.repeat", Duration, "1h", 1000, 30 * kDay, "",
       "the same of the same pool, workflow or server is told again after this, with its count"},
      {"notify.max_per_hour", Integer, "20", 1, 3600, "",
       "notices at most; what is beyond goes into the next"},
      {"notify.stuck_after", Duration, "15m", 1000, 30 * kDay, "",
       "the outbox is stuck when nothing of it was accepted for this long"},
      {"notify.total_ms", Duration, "30s", 100, kDay, "", "one try to send a notice"},
      {"allowed_paths", PathList, "", 0, 0, "", "where work may run besides the repositories"},
  };
}

}  // namespace

const std::vector<Setting>& settings() {
  static const std::vector<Setting> table = make_settings();
  return table;
}

const Setting* find_setting(std::string_view key) {
  for (const Setting& setting : settings()) {
    if (key == setting.key) return &setting;
  }
  return nullptr;
}

std::string environment_name(std::string_view key) {
  std::string name = "MAHAVISHNU_" + upper(key);
  for (char& c : name) {
    if (c == '.') c = '_';
  }
  return name;
}

std::string expected(const Setting& setting) {
  const std::string between =
      " from " + std::to_string(setting.min) + " to " + std::to_string(setting.max);
  switch (setting.type) {
    case SettingType::Text:
      return *setting.choices != '\0' ? "one of " + std::string(setting.choices) : "a text";
    case SettingType::Path:
      return "a path";
    case SettingType::Integer:
      return "a whole number" + between;
    case SettingType::Size:
      return "a size such as 4MiB or 4194304, in bytes" + between;
    case SettingType::Duration:
      return "a duration such as 30s, 500ms or 1500, in milliseconds" + between;
    case SettingType::List:
      return "a list of texts";
    case SettingType::PathList:
      return "a list of paths";
  }
  return {};
}

Result<std::int64_t> parse_number(const Setting& setting, std::string_view text) {
  const auto number = parse_plain(setting, text);
  if (!number || *number < setting.min || *number > setting.max) {
    return fail(ErrorCode::InvalidArgument, std::string(setting.key) + ": \"" + std::string(text) +
                                                "\" is not " + expected(setting));
  }
  return *number;
}

base::Status check_value(const Setting& setting, std::string_view text) {
  switch (setting.type) {
    case SettingType::Integer:
    case SettingType::Size:
    case SettingType::Duration: {
      const auto number = parse_number(setting, text);
      if (!number) return fail(number.error());
      return {};
    }
    case SettingType::Text:
      if (!is_choice(setting, text)) {
        return fail(ErrorCode::InvalidArgument, std::string(setting.key) + ": \"" +
                                                    std::string(text) + "\" is not " +
                                                    expected(setting));
      }
      return {};
    case SettingType::Path:
    case SettingType::List:
    case SettingType::PathList:
      return {};
  }
  return {};
}

Result<std::int64_t> parse_size(std::string_view text) {
  return parse_with_unit(text, kSizeUnits, "size such as 4MiB, 64KiB or 4096");
}

Result<std::int64_t> parse_duration(std::string_view text) {
  return parse_with_unit(text, kDurationUnits,
                         "duration such as 30s, 500ms, 10m or 1500 (milliseconds)");
}

}  // namespace mahavishnu::app
