#include "app/audit.h"

#include <algorithm>
#include <array>

#include "base/sha256.h"
#include "control/one_shot.h"
#include "rpc/codec.h"
#include "rpc/text_member.h"
#include "tools/scope.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using domain::AuditDecision;
using mcp::Json;

// Sender and acknowledgement of a message stand with it, and there may be thousands a second.
constexpr std::string_view kMessages = "message";

// In place of a tool and of a caller: no tool and no credential can have these names.
constexpr const char* kDoor = "(http)";
constexpr const char* kResources = "(resources/read)";
constexpr const char* kPrompts = "(prompts/get)";
constexpr const char* kNobody = "(nobody)";

std::string hash(const Json& arguments) { return base::sha256_hex(rpc::dump(arguments)); }

bool is_counted(const mcp::Tool& tool) {
  return tool.effect == mcp::Effect::ReadOnly || tool.toolset == kMessages;
}

}  // namespace

std::string made_by(const std::string& tool, std::string_view answer) {
  constexpr std::array<std::pair<std::string_view, const char*>, 4> kMembers{
      {{"task_submit", "task"},
       {"task_batch", "batch"},
       {"workflow_run", "workflow"},
       {"pool_spawn", "pool"}}};
  const auto member = std::find_if(kMembers.begin(), kMembers.end(),
                                   [&tool](const auto& known) { return known.first == tool; });
  return member != kMembers.end() ? rpc::text_member(answer, member->second) : std::string();
}

Audit::Audit(asio::any_io_executor control, domain::AuditTrail& trail, Options options)
    : control_(control),
      trail_(trail),
      options_(std::move(options)),
      timer_(control),
      group_(control, "audit") {}

Audit::~Audit() = default;

base::Status Audit::start() {
  auto newest = trail_.newest();
  if (!newest) return base::fail(newest.error());
  last_seq_ = *newest;
  group_.spawn(flush_in_time());
  return {};
}

awaitable<void> Audit::stop() {
  group_.cancel();
  timer_.cancel();
  co_await group_.join();
  flush();
}

Audit::Count& Audit::count_of(const std::string& caller, const std::string& tool,
                              AuditDecision decision) {
  const auto found = counts_.find(KeyView{caller, tool, decision});
  return found != counts_.end() ? found->second : counts_[Key{caller, tool, decision}];
}

bool Audit::is_first(const std::string& caller, const std::string& tool, AuditDecision decision) {
  Count& count = count_of(caller, tool, decision);
  if (!std::exchange(count.has_row, true)) return true;
  ++count.calls;
  return false;
}

domain::AuditRow Audit::row(const std::string& caller, const std::string& tool) {
  domain::AuditRow row;
  row.seq = ++last_seq_;
  row.time = options_.now();
  row.caller = caller;
  row.tool = tool;
  return row;
}

void Audit::refuse(domain::AuditRow row, AuditDecision decision, std::string outcome) {
  row.decision = decision;
  row.outcome = std::move(outcome);
  domain::AuditChange change;
  change.rows.push_back(std::move(row));
  trail_.append(std::move(change), {});
}

void Audit::decided(const std::string& caller, const mcp::Tool& tool, const Json& arguments,
                    const base::Status& decision) {
  if (decision) {
    if (is_counted(tool)) ++count_of(caller, tool.name, AuditDecision::Allowed).calls;
    return;
  }
  const auto why = decision.error().code == base::ErrorCode::Exhausted ? AuditDecision::Limited
                                                                       : AuditDecision::Denied;
  if (!is_first(caller, tool.name, why)) return;
  auto refused = row(caller, tool.name);
  refused.arguments = hash(arguments);
  refuse(std::move(refused), why, std::string(base::to_string(decision.error().code)));
}

void Audit::turned_away(std::string_view caller, int status) {
  const auto why = status == 429 ? AuditDecision::Limited : AuditDecision::Denied;
  const std::string who(caller.empty() ? kNobody : caller);
  if (is_first(who, kDoor, why)) refuse(row(who, kDoor), why, std::to_string(status));
}

std::vector<mcp::Tool> Audit::followed(std::vector<mcp::Tool> tools) {
  for (mcp::Tool& tool : tools) {
    if (is_counted(tool)) continue;
    const bool administers = tools::scope_of(tool) == tools::Scope::Admin;
    tool.handler = [this, handler = std::move(tool.handler), name = tool.name, administers](
                       Json arguments, mcp::Call& call) {
      return run(handler, name, administers, std::move(arguments), call);
    };
  }
  return tools;
}

mcp::ResourceReader Audit::counted(mcp::ResourceReader read) {
  return
      [this, read = std::move(read)](std::string uri, mcp::UriVariables values, mcp::Call& call) {
        ++count_of(call.caller(), kResources, AuditDecision::Allowed).calls;
        return read(std::move(uri), std::move(values), call);
      };
}

mcp::Offer Audit::followed(mcp::Offer offer) {
  for (auto& resource : offer.resources) resource.read = counted(std::move(resource.read));
  for (auto& family : offer.templates) family.read = counted(std::move(family.read));
  for (auto& prompt : offer.prompts) {
    prompt.get = [this, get = std::move(prompt.get)](mcp::Arguments arguments, mcp::Call& call) {
      ++count_of(call.caller(), kPrompts, AuditDecision::Allowed).calls;
      return get(std::move(arguments), call);
    };
  }
  return offer;
}

awaitable<mcp::ToolResult> Audit::run(const mcp::ToolHandler& handler, std::string tool,
                                      bool administers, Json arguments, mcp::Call& call) {
  domain::AuditChange change;
  change.rows.push_back(row(call.caller(), tool));
  change.rows.back().arguments = hash(arguments);
  const std::uint64_t seq = change.rows.back().seq;
  if (administers) {
    auto write = [this, &change](auto done) {
      trail_.append(std::move(change), [done](base::Status written) {
        done(written ? base::Result<bool>(true) : base::fail(written.error()));
      });
    };
    auto written = co_await control::answer_of<bool>(control_, std::move(write));
    if (!written && written.error().code == base::ErrorCode::Cancelled) {
      co_return base::fail(written.error());
    }
  } else {
    trail_.append(std::move(change), {});
  }
  try {
    mcp::ToolResult result = co_await handler(std::move(arguments), call);
    const std::string task = call.handed_over();
    if (result) {
      ended(seq, "ok", made_by(tool, *result));
    } else if (!task.empty()) {
      ended(seq, "ok", domain::PoolId::parse(task) ? "" : task);
    } else {
      ended(seq, std::string(base::to_string(result.error().code)), "");
    }
    co_return result;
  } catch (...) {
    ended(seq, std::string(base::to_string(base::ErrorCode::Internal)), "");
    throw;
  }
}

void Audit::ended(std::uint64_t seq, std::string outcome, std::string made) {
  domain::AuditChange change;
  change.ends.push_back({seq, std::move(outcome), std::move(made)});
  trail_.append(std::move(change), {});
}

void Audit::flush() {
  domain::AuditChange change;
  for (const auto& [key, count] : counts_) {
    if (count.calls == 0) continue;
    domain::AuditRow counted;
    counted.seq = ++last_seq_;
    counted.time = options_.now();
    counted.caller = key.caller;
    counted.tool = key.tool;
    counted.decision = key.decision;
    counted.calls = count.calls;
    change.rows.push_back(std::move(counted));
  }
  counts_.clear();
  change.limits = domain::AuditLimits{options_.now() - options_.keep, options_.max_rows};
  trail_.append(std::move(change), {});
}

awaitable<void> Audit::flush_in_time() {
  while (true) {
    timer_.expires_after(options_.count_for);
    const auto [error] = co_await timer_.async_wait(base::as_result);
    if (error || group_.cancelled()) co_return;
    flush();
  }
}

}  // namespace mahavishnu::app
