// The planner has no statistics and could not use a span of `seq` by itself, so the way to the rows
// is chosen here, the narrowest first: a workflow or batch (its span), a label (its index), states
// that are all live (the index of live tasks, sorted), otherwise the table from the page's end.
#include "journal/task_query.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "journal/record_reader.h"

namespace mahavishnu::journal {
namespace {

constexpr std::int64_t kNoSeq = 0;

// "f1.77.1234": the order it belongs to, the pass, the transaction of the first page, the last seq.
struct Cursor {
  char order = 'n';  // n newest first, o oldest first, f failures first (F: and oldest first)
  std::int64_t pass = 0;
  std::int64_t committed = 0;
  std::int64_t seq = kNoSeq;

  std::string str() const {
    return order + std::to_string(pass) + "." + std::to_string(committed) + "." +
           std::to_string(seq);
  }
};

Result<Cursor> parse_cursor(std::string_view text, char order) {
  Cursor cursor;
  cursor.order = order;
  if (text.empty()) return cursor;
  const auto* at = text.data() + 1;
  const auto* const end = text.data() + text.size();
  bool good = text.front() == order;
  for (std::int64_t* number : {&cursor.pass, &cursor.committed, &cursor.seq}) {
    if (!good) break;
    if (number != &cursor.pass) good = at != end && *at++ == '.';
    const auto read = std::from_chars(at, end, *number);
    good = good && read.ec == std::errc{} && *number >= 0;
    at = read.ptr;
  }
  if (!good || at != end || cursor.pass > 1 || (cursor.pass == 0 && cursor.seq == kNoSeq)) {
    return fail(
        ErrorCode::InvalidArgument,
        "the cursor is not one of this listing; take next_cursor of its last page, with the "
        "same order, or start without one");
  }
  return cursor;
}

// The smallest id a thing made at `time` can have.
base::Ulid first_id_at(base::WallTime time) {
  const auto ms = std::max<std::int64_t>(0, time.time_since_epoch().count());
  return {static_cast<std::uint64_t>(ms) << 16U, 0};
}

// A SELECT that is put together condition by condition, with its values.
class Query {
 public:
  void where(std::string_view condition) {
    sql_ += any_ ? " AND " : "WHERE ";
    sql_ += condition;
    any_ = true;
  }
  // The condition's ? stands for the value.
  void where(std::string_view condition, std::string_view text) {
    where(condition);
    values_.push_back({Value::Text, 0, {}, std::string(text)});
  }
  void where(std::string_view condition, base::Ulid id) {
    where(condition);
    values_.push_back({Value::Id, 0, id, {}});
  }
  void where(std::string_view condition, std::int64_t number) {
    where(condition);
    values_.push_back({Value::Number, number, {}, {}});
  }
  void add(std::string_view sql) { sql_ += sql; }

  // The query must outlive what is read: its texts are bound in place.
  Result<Lease> lease(Database& database, const std::string& select) const {
    auto lease = database.lease(select + sql_);
    if (!lease) return lease;
    Statement& statement = **lease;
    int at = 0;
    for (const auto& value : values_) {
      ++at;
      if (value.kind == Value::Text) statement.bind(at, std::string_view(value.text));
      if (value.kind == Value::Id) statement.bind(at, value.id);
      if (value.kind == Value::Number) statement.bind(at, value.number);
    }
    return lease;
  }

 private:
  struct Value {
    enum Kind { Text, Id, Number } kind;
    std::int64_t number;
    base::Ulid id;
    std::string text;
  };
  std::string sql_;
  std::vector<Value> values_;
  bool any_ = false;
};

template <class State>
std::string words(const std::vector<State>& states) {
  std::string list;
  for (const auto state : states) {
    list += list.empty() ? "(" : ",";
    list.append("'").append(to_string(state)).append("'");
  }
  return list + ")";
}

void add_span(Query& query, const char* column, base::Ulid owner) {
  query.where("seq>=(SELECT min(first) FROM spans WHERE owner=?)", owner);
  query.where("seq<=(SELECT max(last) FROM spans WHERE owner=?)", owner);
  query.where(std::string(column) + "=?", owner);
}

bool all_live(const std::vector<domain::TaskState>& states) {
  return !states.empty() &&
         std::none_of(states.begin(), states.end(), [](auto state) { return is_terminal(state); });
}

// The conditions of the filter; the answer is the table or index to read by.
std::string add_filter(Query& query, const domain::TaskFilter& filter) {
  std::string source = "tasks NOT INDEXED";
  const bool spanned = filter.workflow || filter.batch;
  if (filter.workflow) add_span(query, "workflow", filter.workflow.value);
  if (filter.batch) add_span(query, "batch", filter.batch.value);
  if (!filter.label_key.empty()) {
    query.where("seq IN (SELECT seq FROM task_labels WHERE key=?",
                std::string_view(filter.label_key));
    if (!filter.label_value.empty()) query.where("value=?", std::string_view(filter.label_value));
    query.add(")");
  } else if (!spanned && all_live(filter.states)) {
    source = "tasks INDEXED BY tasks_live";
    query.where("settled IS NULL");
  }
  if (!filter.states.empty()) query.where("state IN " + words(filter.states));
  if (filter.reason) query.where("reason=?", to_string(*filter.reason));
  if (filter.pool) query.where("pool=?", filter.pool.value);
  if (!filter.repo.empty()) query.where("repo=?", std::string_view(filter.repo));
  if (!filter.step.empty()) query.where("step=?", std::string_view(filter.step));
  if (!filter.caller.empty()) query.where("caller=?", std::string_view(filter.caller));
  if (filter.since) {
    // Ids carry the time they were made at, so the index of ids finds where to stop reading.
    const auto first = first_id_at(*filter.since);
    query.where(
        "seq>=(SELECT min(seq) FROM (SELECT seq FROM (SELECT seq FROM tasks WHERE settled IS NULL "
        "AND id>=? ORDER BY id LIMIT 1)",
        first);
    query.add(" UNION ALL SELECT seq FROM (SELECT seq FROM tasks WHERE settled IS NOT NULL");
    query.where("id>=?", first);
    query.add(" ORDER BY id LIMIT 1)))");
    query.where("created>=?", filter.since->time_since_epoch().count());
  }
  return source;
}

// One row more than the page holds is asked for: it tells whether there is a next page.
void add_order(Query& query, const Cursor& cursor, bool oldest_first, std::int64_t limit) {
  if (cursor.seq != kNoSeq) query.where(oldest_first ? "seq>?" : "seq<?", cursor.seq);
  query.add(oldest_first ? " ORDER BY seq LIMIT " : " ORDER BY seq DESC LIMIT ");
  query.add(std::to_string(limit + 1));
}

Status check_limit(int limit) {
  if (limit > 0) return {};
  return fail(ErrorCode::InvalidArgument, "a page's limit must be at least 1");
}

// Reads up to `limit` rows of one pass into `items` and moves the cursor along. True: there are
// more.
Result<bool> read_pass(Database& database, const domain::TaskFilter& filter, int limit,
                       Cursor& cursor, std::vector<domain::TaskRecord>& items) {
  Query query;
  const std::string source = add_filter(query, filter);
  if (filter.failures_first) {
    query.where(cursor.pass == 0 ? "(state IN ('failed','dead') AND settled<=?)"
                                 : "NOT (state IN ('failed','dead') AND settled<=?)",
                cursor.committed);
  }
  add_order(query, cursor, filter.oldest_first, limit);
  auto rows = query.lease(database, select_tasks(Detail::Listing, source));
  if (!rows) return fail(std::move(rows.error()));
  for (int taken = 0;; ++taken) {
    auto more = (*rows)->step();
    if (!more) return fail(std::move(more.error()));
    if (!*more) return false;
    if (taken == limit) return true;
    auto task = read_task(**rows, Detail::Listing);
    if (!task) return fail(std::move(task.error()));
    items.push_back(std::move(*task));
    cursor.seq = (*rows)->integer(0);
  }
}

}  // namespace

Result<domain::Listing<domain::TaskRecord>> list_tasks(Database& database,
                                                       const domain::TaskFilter& filter,
                                                       const domain::Page& page,
                                                       std::int64_t committed) {
  if (auto good = check_limit(page.limit); !good) return fail(std::move(good.error()));
  const char order =
      filter.failures_first ? (filter.oldest_first ? 'F' : 'f') : (filter.oldest_first ? 'o' : 'n');
  auto cursor = parse_cursor(page.cursor, order);
  if (!cursor) return fail(std::move(cursor.error()));
  if (page.cursor.empty()) cursor->committed = committed;

  domain::Listing<domain::TaskRecord> listing;
  for (;;) {
    const int left = page.limit - static_cast<int>(listing.items.size());
    auto more = read_pass(database, filter, left, *cursor, listing.items);
    if (!more) return fail(std::move(more.error()));
    if (*more) {
      listing.next_cursor = cursor->str();
      return listing;
    }
    if (!filter.failures_first || cursor->pass == 1) return listing;
    cursor->pass = 1;
    cursor->seq = kNoSeq;
  }
}

Result<domain::Listing<domain::WorkflowRecord>> list_workflows(Database& database,
                                                               const domain::WorkflowFilter& filter,
                                                               const domain::Page& page) {
  if (auto good = check_limit(page.limit); !good) return fail(std::move(good.error()));
  auto cursor = parse_cursor(page.cursor, 'w');
  if (!cursor) return fail(std::move(cursor.error()));
  Query query;
  std::string_view source = "workflows NOT INDEXED";
  if (filter.state) query.where("state=?", to_string(*filter.state));
  if (filter.state && !is_terminal(*filter.state)) {
    source = "workflows INDEXED BY workflows_live";
    query.where("settled IS NULL");
  }
  if (!filter.name.empty()) query.where("name=?", std::string_view(filter.name));
  if (filter.since) {
    query.where("seq>=(SELECT seq FROM workflows WHERE id>=?", first_id_at(*filter.since));
    query.add(" ORDER BY id LIMIT 1)");
    query.where("created>=?", filter.since->time_since_epoch().count());
  }
  add_order(query, *cursor, false, page.limit);
  auto rows = query.lease(database, select_workflows(source));
  if (!rows) return fail(std::move(rows.error()));
  domain::Listing<domain::WorkflowRecord> listing;
  for (;;) {
    auto more = (*rows)->step();
    if (!more) return fail(std::move(more.error()));
    if (!*more) return listing;
    if (static_cast<int>(listing.items.size()) == page.limit) {
      listing.next_cursor = cursor->str();
      return listing;
    }
    auto workflow = read_workflow(**rows);
    if (!workflow) return fail(std::move(workflow.error()));
    listing.items.push_back(std::move(*workflow));
    cursor->seq = (*rows)->integer(0);
  }
}

}  // namespace mahavishnu::journal
