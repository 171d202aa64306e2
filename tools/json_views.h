// Records as the answers show them. One place, so that a field is spelled alike everywhere.
//
// Times are RFC 3339, durations end in _ms. What is not there is left out rather than null. The
// functions are pure; `now` is for durations that still run.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "control/service.h"
#include "rpc/json.h"

namespace mahavishnu::tools {

using rpc::Json;

Json task_view(const domain::TaskRecord& task, base::WallTime now);  // task_get
Json task_line(const domain::TaskRecord& task);                      // task_list
Json cell_view(const domain::TaskRecord& task);                      // workflow_get
Json workflow_view(const domain::WorkflowRecord& workflow);          // without cells
Json pool_view(const domain::PoolStatus& pool);
Json pool_report(const control::PoolReport& report, base::WallTime now);
Json pool_health(const domain::PoolStatus& pool, base::WallTime now);  // pool, name, status, why
Json explanation(const domain::Explanation& why);
Json quantiles(const control::Quantiles& values);

// The task's view as an answer of at most kAnswerTokens. Of one that is longer the first attempts,
// a long `structured` and the start of the text are left out, and `whole_at` names the resource
// that has all of it.
std::string task_answer(domain::TaskId task, Json view);

// 0 to 100: how much has ended. Never falls, since what ended stays so.
int progress_of(const domain::WorkflowStatus& status);
int ended_of(const domain::WorkflowStatus& status);

// One more task in this state: {"completed": 12, "running": 3}.
void count_state(Json& counts, domain::TaskState state);

// The last `bytes` at most, from the start of a character.
std::string_view tail(std::string_view text, std::size_t bytes);

// A list inside an answer, kept as text so that its size is known while it grows.
class ItemList {
 public:
  // `head` is the rest of the answer; both together stay under kAnswerTokens.
  explicit ItemList(const Json& head);
  void set_head(const Json& head);  // not longer than the one before

  // False when the item would make the answer too long: it is not in it then. The first always is.
  bool add(const Json& item);
  std::size_t size() const { return count_; }

  // The whole answer with the list as `name`, and `next_cursor` unless that is empty.
  std::string finish(const char* name, std::string_view next_cursor) const;

 private:
  std::string head_;  // of an object, without its closing brace
  std::string items_;
  std::size_t head_tokens_ = 0;
  std::size_t tokens_ = 0;  // of the items
  std::size_t count_ = 0;
};

}  // namespace mahavishnu::tools
