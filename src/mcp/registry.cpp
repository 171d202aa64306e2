#include "mcp/registry.h"

#include <algorithm>

#include "mcp/nearest.h"
#include "mcp/page.h"
#include "rpc/codec.h"

namespace mahavishnu::mcp {
namespace {

// Views are chosen by clients: lists beyond these are rendered anew.
constexpr std::size_t kMostLists = 64;

constexpr std::string_view kDefaultToolset = "core";
constexpr std::string_view kEveryToolset = "all";

base::Status check_name(const std::string& name) {
  const bool usable = !name.empty() && name.size() <= 64 &&
                      std::all_of(name.begin(), name.end(), [](unsigned char c) {
                        return std::isalnum(c) || c == '_' || c == '-' || c == '.';
                      });
  if (usable) return {};
  return base::fail(base::ErrorCode::InvalidArgument,
                    "tool " + in_quotes(name) + ": a name is 1 to 64 of A-Z a-z 0-9 _ - .");
}

void append_flag(std::string& out, const char* name, bool value) {
  out += "\"" + std::string(name) + (value ? "\":true" : "\":false");
}

// All four hints are always told: their defaults (destructive, open world) frighten for no reason.
void append_annotations(std::string& out, const Tool& tool) {
  out += ",\"annotations\":{";
  if (!tool.title.empty()) {
    out += "\"title\":";
    rpc::append_json_string(out, tool.title);
    out += ',';
  }
  append_flag(out, "readOnlyHint", tool.effect == Effect::ReadOnly);
  out += ',';
  append_flag(out, "destructiveHint", tool.effect == Effect::Destructive);
  out += ',';
  append_flag(out, "idempotentHint",
              tool.effect == Effect::ReadOnly || tool.effect == Effect::Idempotent);
  out += ',';
  append_flag(out, "openWorldHint", tool.open_world);
  out += '}';
}

void append_tool(std::string& out, const Registry::Entry& entry, Revision revision) {
  const Tool& tool = entry.tool;
  out += "{\"name\":";
  rpc::append_json_string(out, tool.name);
  if (has_structure(revision) && !tool.title.empty()) {
    out += ",\"title\":";
    rpc::append_json_string(out, tool.title);
  }
  out += ",\"description\":";
  rpc::append_json_string(out, tool.description);
  out += ",\"inputSchema\":" + entry.input_text;
  if (has_structure(revision) && !entry.output_text.empty()) {
    out += ",\"outputSchema\":" + entry.output_text;
  }
  if (has_annotations(revision)) append_annotations(out, tool);
  if (has_tried_tasks(revision) && tool.tasks != TaskSupport::None) {
    out += R"(,"execution":{"taskSupport":")";
    out += tool.tasks == TaskSupport::Required ? R"(required"})" : R"(optional"})";
  }
  out += '}';
}

bool has(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Revisions that list alike share one text.
char shape(Revision revision) {
  if (has_tried_tasks(revision)) return 't';
  return has_structure(revision) ? 's' : has_annotations(revision) ? 'a' : 'p';
}

}  // namespace

base::Result<Registry> Registry::create(std::vector<Tool> tools) {
  Registry registry;
  for (Tool& tool : tools) {
    if (auto named = check_name(tool.name); !named) return base::fail(named.error());
    auto input = Schema::compile(tool.input_schema);
    if (!input) {
      return base::fail(base::ErrorCode::InvalidArgument,
                        "tool \"" + tool.name + "\", input schema: " + input.error().message);
    }
    std::string output_text;
    if (!tool.output_schema.empty()) {
      auto output = Schema::compile(tool.output_schema);
      if (!output) {
        return base::fail(base::ErrorCode::InvalidArgument,
                          "tool \"" + tool.name + "\", output schema: " + output.error().message);
      }
      output_text = output->text();
    }
    std::string input_text = input->text();
    const bool annotated = input_text.find("x-mcp-header") != std::string::npos;
    auto headers = header_params(annotated ? rpc::Json::parse(input_text) : rpc::Json());
    if (!headers) {
      return base::fail(base::ErrorCode::InvalidArgument,
                        "tool \"" + tool.name + "\": " + headers.error().message);
    }
    registry.has_header_params_ = registry.has_header_params_ || !headers->empty();
    auto entry =
        std::make_unique<Entry>(Entry{std::move(tool), std::move(*input), std::move(input_text),
                                      std::move(output_text), std::move(*headers)});
    if (!registry.by_name_.emplace(entry->tool.name, entry.get()).second) {
      return base::fail(base::ErrorCode::InvalidArgument,
                        "two tools are named \"" + entry->tool.name + "\"");
    }
    registry.entries_.push_back(std::move(entry));
  }
  return registry;
}

bool Registry::served(const Entry& entry, const View& view) {
  if (view.read_only && entry.tool.effect != Effect::ReadOnly) return false;
  if (!view.tools.empty()) return has(view.tools, entry.tool.name);
  if (view.toolsets.empty()) return entry.tool.toolset == kDefaultToolset;
  return has(view.toolsets, entry.tool.toolset) || has(view.toolsets, kEveryToolset);
}

bool Registry::shown(const Entry& entry, const View& view) {
  return served(entry, view) && (!view.permit || view.permit->shows(entry.tool));
}

base::Result<const Registry::Entry*> Registry::choose(std::string_view name,
                                                      const View& view) const {
  const auto found = by_name_.find(name);
  if (found != by_name_.end() && served(*found->second, view)) return found->second;
  if (found != by_name_.end()) {
    return base::fail(
        base::ErrorCode::NotFound,
        "tool " + in_quotes(name) +
            (view.read_only && found->second->tool.effect != Effect::ReadOnly
                 ? " changes state and is not served read-only"
             : view.tools.empty()
                 ? " is in the toolset " + in_quotes(found->second->tool.toolset) +
                       ", which is not served here; start with --toolsets " +
                       std::string(kDefaultToolset) + "," + found->second->tool.toolset
                 : " is not among the tools served here"));
  }
  std::vector<std::string_view> names;
  for (const auto& entry : entries_) {
    if (shown(*entry, view)) names.push_back(entry->tool.name);
  }
  return base::fail(base::ErrorCode::NotFound,
                    "unknown tool " + in_quotes(name) + did_you_mean(name, names));
}

base::Result<const Registry::Listed*> Registry::listed(Revision revision, const View& view,
                                                       const rpc::Json& params,
                                                       std::size_t page_size) {
  std::vector<const Entry*> entries;
  Page page;
  const bool first = !params.is_object() || !params.contains("cursor");
  if (!first) {
    entries = shown_to(view);
    auto named = page_of("tools", params, entries.size(), page_size);
    if (!named) return base::fail(named.error());
    page = std::move(*named);
  }
  std::string key(1, shape(revision));
  key += (view.read_only ? 'r' : 'w') + std::to_string(page.begin);
  for (const std::string& name : view.tools) key += ',' + name;
  for (const std::string& name : view.toolsets) key += ';' + name;
  if (view.permit) key.append(1, '|').append(view.permit->list_class());
  auto found = lists_.find(key);
  if (found == lists_.end()) {
    if (first) {
      entries = shown_to(view);
      page = page_of("tools", params, entries.size(), page_size).value();
    }
    if (lists_.size() >= kMostLists) lists_.clear();
    Listed listed{"[", std::move(page.next)};
    for (std::size_t i = page.begin; i < page.end; ++i) {
      if (i > page.begin) listed.array += ',';
      append_tool(listed.array, *entries[i], revision);
    }
    listed.array += ']';
    found = lists_.emplace(std::move(key), std::move(listed)).first;
  }
  return &found->second;
}

std::vector<const Registry::Entry*> Registry::shown_to(const View& view) const {
  std::vector<const Entry*> out;
  for (const auto& entry : entries_) {
    if (shown(*entry, view)) out.push_back(entry.get());
  }
  return out;
}

}  // namespace mahavishnu::mcp
