#include "journal/history_feed.h"

#include <utility>

#include "domain/memories.h"
#include "journal/event_query.h"

namespace mahavishnu::journal {

Status HistoryFeed::open() {
  if (database_) return {};
  auto opened = Database::open(file_, Database::Mode::ReadOnly);
  if (!opened) return fail(std::move(opened.error()));
  database_ = std::move(*opened);
  return {};
}

Result<domain::FeedPlace> HistoryFeed::place() {
  if (auto opened = open(); !opened) return fail(std::move(opened.error()));
  auto select = database_->lease(
      "SELECT history,coalesce(sent,(SELECT min(seq)-1 FROM events),newest) FROM feed");
  if (!select) return fail(std::move(select.error()));
  Statement& row = **select;
  auto found = row.step();
  if (!found) return fail(std::move(found.error()));
  if (!*found) {
    return fail(ErrorCode::Internal, file_.string() + " has lost its feed; restore a copy");
  }
  return domain::FeedPlace{std::string(row.text(0)), row.integer(1)};
}

// What was newest before the read is in it, or gone.
Result<domain::FeedPage> HistoryFeed::next(std::int64_t after, int limit, std::size_t bytes) {
  if (auto opened = open(); !opened) return fail(std::move(opened.error()));
  const auto newest = this->newest();
  auto select = database_->lease(std::string("SELECT ") + kEntryColumns +
                                 " FROM events WHERE seq>?1 ORDER BY seq LIMIT ?2");
  if (!select) return fail(std::move(select.error()));
  Statement& row = **select;
  row.bind(1, after);
  row.bind(2, std::int64_t{limit});
  domain::FeedPage page;
  page.up_to = after;
  page.more = true;
  for (std::size_t size = 0; size < bytes && static_cast<int>(page.items.size()) < limit;) {
    auto more = row.step();
    if (!more) return fail(std::move(more.error()));
    page.more = *more;
    if (!page.more) break;
    domain::FedEntry fed{row.integer(0), read_entry(row)};
    fed.entry.text = redactor_->redact(domain::plain_text(fed.entry.text));
    size += fed.entry.text.size();
    page.lost += fed.seq - page.up_to - 1;
    page.up_to = fed.seq;
    page.items.push_back(std::move(fed));
  }
  if (page.items.empty() && newest > after) {
    page.lost = newest - after;
    page.up_to = newest;
  }
  return page;
}

}  // namespace mahavishnu::journal
