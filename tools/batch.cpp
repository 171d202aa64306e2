#include "tools/batch.h"

#include <algorithm>

#include "tools/json_views.h"
#include "tools/output_cursor.h"

namespace mahavishnu::tools {
namespace {

constexpr std::size_t kMostErrorKinds = 50;

// Equal errors are told once, with the items they are about.
Json errors_view(const BatchOutcome& outcome) {
  Json errors = Json::array();
  for (std::size_t i = 0; i < outcome.items.size(); ++i) {
    if (outcome.items[i]) continue;
    const Error& error = outcome.items[i].error();
    const auto same = std::find_if(errors.begin(), errors.end(), [&error](const Json& known) {
      return known["message"] == error.message;
    });
    if (same != errors.end()) {
      (*same)["items"].push_back(i);
    } else if (errors.size() < kMostErrorKinds) {
      errors.push_back(
          {{"code", base::to_string(error.code)}, {"message", error.message}, {"items", {i}}});
    }
  }
  return errors;
}

}  // namespace

std::string batch_answer(const BatchOutcome& outcome, const Json& counts) {
  std::size_t refused = 0;
  bool any_new = false;
  for (const auto& item : outcome.items) {
    refused += item ? 0 : 1;
    any_new = any_new || (item && !item->existing);
  }
  Json head{{"refused", refused}, {"left_out", outcome.items.size()}};
  if (any_new) head["batch"] = outcome.batch.str();
  if (refused > 0) head["errors"] = errors_view(outcome);
  if (!counts.is_null()) head["counts"] = counts;
  ItemList list(head);
  std::size_t shown = 0, fresh = 0;  // fresh: of the batch, which is what task_get pages
  for (; shown < outcome.items.size(); ++shown) {
    const auto& item = outcome.items[shown];
    if (!list.add(item ? Json(item->task.str()) : Json())) break;
    if (item && !item->existing) ++fresh;
  }
  const std::size_t left_out = outcome.items.size() - shown;
  head["left_out"] = left_out;
  if (left_out == 0) head.erase("left_out");
  list.set_head(head);
  return list.finish("tasks", left_out > 0 && any_new ? position_text("batch", fresh) : "");
}

base::awaitable<base::Result<std::vector<domain::TaskRecord>>> tasks_of(Context& context,
                                                                        domain::BatchId batch) {
  std::vector<domain::TaskRecord> all;
  domain::TaskFilter filter;
  filter.batch = batch;
  filter.oldest_first = true;
  domain::Page page;
  page.limit = 500;
  do {
    auto listing = co_await context.service.tasks(filter, page);
    if (!listing) co_return fail(listing.error());
    std::move(listing->items.begin(), listing->items.end(), std::back_inserter(all));
    page.cursor = std::move(listing->next_cursor);
  } while (!page.cursor.empty());
  if (all.empty()) co_return fail(ErrorCode::NotFound, "no batch " + batch.str());
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.batch_index < b.batch_index; });
  co_return all;
}

BatchOutcome outcome_of(domain::BatchId batch, const std::vector<domain::TaskRecord>& tasks,
                        std::size_t handed_in) {
  const Error refused{ErrorCode::InvalidArgument, "refused when it was handed in", 0};
  BatchOutcome outcome;
  outcome.batch = batch;
  outcome.items.assign(handed_in, base::Result<control::Submitted>(fail(refused)));
  for (const auto& task : tasks) {
    const auto at = static_cast<std::size_t>(task.batch_index);
    if (at < handed_in) outcome.items[at] = control::Submitted{task.id, false};
  }
  return outcome;
}

}  // namespace mahavishnu::tools
