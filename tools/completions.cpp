// What may stand where a name or an id is being written: of prompts and of resource templates.
#include <algorithm>
#include <cctype>
#include <set>

#include "tools/offer.h"

namespace mahavishnu::tools {
namespace {

constexpr int kLookedAt = 500;  // newest tasks and workflows
constexpr std::size_t kMostTold = 100;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// Those that begin so, in their order; then those that have it elsewhere.
mcp::Completions fitting(const std::vector<std::string>& candidates, const std::string& begun) {
  const std::string wanted = lower(begun);
  std::vector<std::string> first, later;
  for (const std::string& candidate : candidates) {
    const auto at = lower(candidate).find(wanted);
    if (at == std::string::npos) continue;
    (at == 0 ? first : later).push_back(candidate);
  }
  first.insert(first.end(), later.begin(), later.end());
  mcp::Completions found;
  found.total = first.size();
  if (first.size() > kMostTold) first.resize(kMostTold);
  found.values = std::move(first);
  return found;
}

domain::Page newest() {
  domain::Page page;
  page.limit = kLookedAt;
  return page;
}

// Of tasks or workflows; how many there are is told only where all were looked at.
template <class Record>
base::Result<mcp::Completions> fitting_ids(const base::Result<domain::Listing<Record>>& listing,
                                           const std::string& begun) {
  if (!listing) return base::fail(listing.error());
  std::vector<std::string> ids;
  for (const auto& record : listing->items) ids.push_back(record.id.str());
  auto found = fitting(ids, begun);
  if (!listing->next_cursor.empty()) found.total.reset();
  return found;
}

std::vector<std::string> names_of(const std::vector<domain::Repository>& repositories) {
  std::vector<std::string> names;
  for (const auto& repository : repositories) names.push_back(repository.name);
  return names;
}

template <class Words>
std::vector<std::string> distinct(const std::vector<domain::Repository>& repositories,
                                  Words words) {
  std::set<std::string> all;
  for (const auto& repository : repositories) {
    for (const std::string& word : words(repository)) {
      if (!word.empty()) all.insert(word);
    }
  }
  return {all.begin(), all.end()};
}

}  // namespace

Completion complete_task(Context& context, std::string begun) {
  domain::TaskFilter filter;
  auto listing = co_await context.service.tasks(std::move(filter), newest());
  co_return fitting_ids(listing, begun);
}

Completion complete_workflow(Context& context, std::string begun) {
  domain::WorkflowFilter filter;
  auto listing = co_await context.service.workflows(std::move(filter), newest());
  co_return fitting_ids(listing, begun);
}

Completion complete_pool(Context& context, std::string begun) {
  std::vector<std::string> names;
  for (const auto& pool : context.service.pools()) names.push_back(pool.record.spec.name);
  co_return fitting(names, begun);
}

Completion complete_repo(Context& context, std::string begun) {
  co_return fitting(names_of(context.service.repositories()->all()), begun);
}

Completion complete_tag(Context& context, std::string begun) {
  const auto index = context.service.repositories();
  co_return fitting(distinct(index->all(), [](const auto& each) { return each.tags; }), begun);
}

Completion complete_role(Context& context, std::string begun) {
  const auto index = context.service.repositories();
  co_return fitting(
      distinct(index->all(), [](const auto& each) { return std::vector<std::string>{each.role}; }),
      begun);
}

}  // namespace mahavishnu::tools
