// Prompts: `sweep`, `triage`, `standup`.
#include <algorithm>
#include <charconv>

#include "rpc/codec.h"
#include "tools/json_views.h"
#include "tools/offer.h"

namespace mahavishnu::tools {
namespace {

using base::ErrorCode;
using base::fail;
using Messages = std::vector<mcp::PromptMessage>;
using Prompted = base::awaitable<base::Result<Messages>>;

constexpr std::size_t kNamesTold = 50;
constexpr int kFailuresTold = 20;
constexpr int kWorkflowsTold = 30;
constexpr base::Millis kUsualSpan{24 * 3600 * 1000};

Messages from_user(std::string text) {
  Messages messages;
  messages.push_back({mcp::Role::User, mcp::text_content(std::move(text))});
  return messages;
}

// Absent arguments are "".
std::string value(const mcp::Arguments& arguments, std::string_view name) {
  const auto found = arguments.find(name);
  return found == arguments.end() ? std::string() : found->second;
}

base::Error not_a_time(const std::string& text) {
  return {ErrorCode::InvalidArgument,
          "since: expected a time such as 2026-11-22T08:00:00Z or a span such as 90m, 24h, 7d, got "
          "\"" +
              text + "\""};
}

// A time, or how long ago; a day when nothing is said.
base::Result<base::WallTime> time_of(const std::string& text, base::WallTime now) {
  if (text.empty()) return now - kUsualSpan;
  if (auto time = base::parse_rfc3339(text)) return *time;
  std::int64_t count = 0;
  const auto [rest, wrong] = std::from_chars(text.data(), text.data() + text.size(), count);
  constexpr std::int64_t kMostDays = 3650;
  if (wrong != std::errc() || rest + 1 != text.data() + text.size() || count < 0) {
    return tl::unexpected(not_a_time(text));
  }
  const std::int64_t minutes = *rest == 'm' ? 1 : *rest == 'h' ? 60 : *rest == 'd' ? 24 * 60 : 0;
  if (minutes == 0 || count > kMostDays * 24 * 60 / minutes) {
    return tl::unexpected(not_a_time(text));
  }
  return now - std::chrono::minutes(count * minutes);
}

std::string block(const char* title, const Json& items, bool more) {
  std::string text =
      std::string("\n") + title + (more ? " (the newest; there are more)" : "") + ":\n";
  if (items.empty()) return text + "none\n";
  return text + "```json\n" + rpc::dump(items) + "\n```\n";
}

// ── sweep ────────────────────────────────────────────────────────────────────────────────────────

std::string names_text(const std::vector<const domain::Repository*>& chosen) {
  std::string text;
  for (std::size_t i = 0; i < chosen.size() && i < kNamesTold; ++i) {
    text += (i == 0 ? "" : ", ") + chosen[i]->name;
  }
  if (chosen.size() > kNamesTold) text += ", …";
  return text;
}

Prompted sweep(Context& context, mcp::Arguments arguments) {
  domain::RepositoryQuery over;
  over.tag = value(arguments, "tag");
  over.role = value(arguments, "role");
  over.all = over.tag.empty() && over.role.empty();
  const auto index = context.service.repositories();
  const auto chosen = index->select(over);
  if (!chosen) co_return fail(chosen.error());
  Json filter = Json::object();
  if (over.all) filter["all"] = true;
  if (!over.tag.empty()) filter["tag"] = over.tag;
  if (!over.role.empty()) filter["role"] = over.role;
  const std::string check = value(arguments, "check");
  co_return from_user(
      "Make one change in each of these repositories, with the tools of this server.\n\n"
      "The change: " +
      value(arguments, "change") +
      "\n"
      "The repositories (" +
      std::to_string(chosen->size()) + "): " + names_text(*chosen) +
      "\n"
      "As `over` of workflow_run: " +
      rpc::dump(filter) + "\n" +
      (check.empty() ? "" : "Each has to pass afterwards: " + check + "\n") +
      "\n1. Look at one or two of them first (task_submit with a repo), and write the change as a "
      "command that does nothing where it is done already.\n"
      "2. Say in a few lines what will be run where, and what undoes it, before you run it.\n"
      "3. Run it everywhere as one workflow_run: a step that changes, a step that checks" +
      (check.empty() ? std::string() : " (`" + check + "`)") +
      " and depends on it, and a last step with each: once that sums up (git status --short).\n"
      "4. Follow it with workflow_get and wait_ms; read what failed with task_output, and explain "
      "where something waits.\n"
      "5. Report by repository: changed, unchanged, failed and why. Commit or push nothing unless "
      "that was asked for.");
}

// ── triage ───────────────────────────────────────────────────────────────────────────────────────

Prompted triage(Context& context, mcp::Arguments arguments) {
  const auto since = time_of(value(arguments, "since"), context.timers.now().wall);
  if (!since) co_return fail(since.error());
  domain::TaskFilter filter;
  filter.states = {domain::TaskState::Failed, domain::TaskState::Dead};
  const std::string named = value(arguments, "workflow");
  if (named.empty()) {
    filter.since = *since;
  } else {
    const auto workflow = domain::WorkflowId::parse(named);
    if (!workflow) {
      co_return fail(ErrorCode::InvalidArgument, "workflow: \"" + named + "\" is not an id");
    }
    auto known = co_await context.service.workflow(*workflow);
    if (!known) co_return fail(known.error());
    filter.workflow = *workflow;
  }
  domain::Page page;
  page.limit = kFailuresTold;
  auto listing = co_await context.service.tasks(std::move(filter), std::move(page));
  if (!listing) co_return fail(listing.error());
  Json items = Json::array();
  for (const auto& task : listing->items) items.push_back(cell_view(task));
  const std::string where =
      named.empty() ? "since " + base::to_rfc3339(*since) : "in workflow " + named;
  const std::string facts =
      block(("What failed " + where).c_str(), items, !listing->next_cursor.empty());
  co_return from_user(
      "Find out why work failed " + where + ", and say what to do about it.\n" + facts +
      "\n1. Group these by cause: the same reason and the same last lines are one cause. Read more "
      "with task_output where the end of the output does not say it.\n"
      "2. For each cause: what happened, in which repositories, whether it is the work's own (a "
      "test that fails), the machine's (out_of_memory, timed_out, lost) or the pool's (explain, "
      "pool_health), and how sure you are.\n"
      "3. Propose for each: run it again as it is, run it again with other limits or timeouts, or "
      "mend something first; with the exact task_submit or workflow_run. Run nothing yet.");
}

// ── standup ──────────────────────────────────────────────────────────────────────────────────────

Prompted standup(Context& context, mcp::Arguments arguments) {
  const auto since = time_of(value(arguments, "since"), context.timers.now().wall);
  if (!since) co_return fail(since.error());
  domain::WorkflowFilter workflows;
  workflows.since = *since;
  domain::Page page;
  page.limit = kWorkflowsTold;
  auto ran = co_await context.service.workflows(std::move(workflows), page);
  if (!ran) co_return fail(ran.error());
  domain::TaskFilter failures;
  failures.states = {domain::TaskState::Failed, domain::TaskState::Dead};
  failures.since = *since;
  page.limit = kFailuresTold;
  auto failed = co_await context.service.tasks(std::move(failures), page);
  if (!failed) co_return fail(failed.error());
  Json flows = Json::array();
  for (const auto& workflow : ran->items) flows.push_back(workflow_view(workflow));
  Json tasks = Json::array();
  for (const auto& task : failed->items) tasks.push_back(task_line(task));
  const domain::CoreCounts now = context.service.counts();
  co_return from_user(
      "Tell in a few sentences what ran since " + base::to_rfc3339(*since) +
      ", for people who were away: what is done, what failed, what still runs.\n"
      "Now running: " +
      std::to_string(now.running) + ", queued: " + std::to_string(now.queued) + ".\n" +
      block("Workflows", flows, !ran->next_cursor.empty()) +
      block("Failed tasks", tasks, !failed->next_cursor.empty()) +
      "\nName repositories, not ids; give ids only of what somebody should look at. "
      "Begin with what needs somebody. Leave out what is as always.");
}

// ─────────────────────────────────────────────────────────────────────────────────────────────────

using Write = Prompted (*)(Context&, mcp::Arguments);

mcp::Prompt make(Context& context, const char* name, const char* title, const char* description,
                 std::vector<mcp::PromptArgument> arguments, Write write) {
  mcp::Prompt prompt;
  prompt.name = name;
  prompt.title = title;
  prompt.description = description;
  prompt.arguments = std::move(arguments);
  prompt.get = [&context, write](mcp::Arguments given, mcp::Call&) {
    return write(context, std::move(given));
  };
  return prompt;
}

Completion complete_span(std::string begun) {
  mcp::Completions found;
  for (const char* span : {"24h", "8h", "1h", "7d", "30d"}) {
    if (std::string_view(span).starts_with(begun)) found.values.emplace_back(span);
  }
  found.total = found.values.size();
  co_return found;
}

Completion complete_nothing() { co_return mcp::Completions{}; }

Completion complete_argument(Context& context, std::string argument, std::string begun) {
  if (argument == "tag") return complete_tag(context, std::move(begun));
  if (argument == "role") return complete_role(context, std::move(begun));
  if (argument == "workflow") return complete_workflow(context, std::move(begun));
  if (argument == "since") return complete_span(std::move(begun));
  return complete_nothing();
}

}  // namespace

std::vector<mcp::Prompt> prompts(Context& context) {
  std::vector<mcp::Prompt> all;
  all.push_back(make(context, "sweep", "One change across repositories",
                     "Plan and run one change in all repositories, or those of a tag or role.",
                     {{"change", "Change", "what to do in each repository", true},
                      {"tag", "Tag", "only repositories with this tag", false},
                      {"role", "Role", "only repositories with this role", false},
                      {"check", "Check", "a command that has to pass afterwards", false}},
                     sweep));
  all.push_back(make(context, "triage", "Why did it fail?",
                     "Explain what failed, by cause, and propose what to do about it.",
                     {{"workflow", "Workflow", "only this one", false},
                      {"since", "Since", "a time, or a span such as 24h (the default)", false}},
                     triage));
  all.push_back(make(context, "standup", "What ran?", "What ran, failed and still runs.",
                     {{"since", "Since", "a time, or a span such as 24h (the default)", false}},
                     standup));
  for (mcp::Prompt& prompt : all) {
    prompt.complete = [&context](std::string argument, std::string begun, mcp::Arguments,
                                 mcp::Call&) {
      return complete_argument(context, std::move(argument), std::move(begun));
    };
  }
  return all;
}

}  // namespace mahavishnu::tools
