#include "journal/audit_writer.h"

#include <charconv>
#include <limits>
#include <utility>

namespace mahavishnu::journal {
namespace {

constexpr const char* kInsert =
    "INSERT OR IGNORE INTO audit(seq,time,caller,tool,decision,calls,arguments,outcome,made) "
    "VALUES(?,?,?,?,?,?,?,?,?)";
constexpr const char* kEnd = "UPDATE audit SET outcome=?, made=? WHERE seq=?";
// So many at a time: what has to go beyond them goes with the next change.
constexpr const char* kForgetMore =
    "DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE seq <= "
    "(SELECT max(seq) FROM audit) - ? ORDER BY seq LIMIT 2000)";
constexpr const char* kForgetOld =
    "DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE seq IN "
    "(SELECT seq FROM audit ORDER BY seq LIMIT 2000) AND time < ? AND "
    "seq < (SELECT max(seq) FROM audit))";
constexpr const char* kFind =
    "SELECT seq,time,caller,tool,decision,calls,arguments,outcome,made FROM audit "
    "WHERE seq < ?1 AND (?2 IS NULL OR caller=?2) AND (?3 IS NULL OR tool=?3) "
    "AND (?4 IS NULL OR decision=?4) AND time >= ?5 AND time <= ?6 ORDER BY seq DESC LIMIT ?7";

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

Result<std::int64_t> parse_cursor(const std::string& text) {
  if (text.empty()) return std::numeric_limits<std::int64_t>::max();
  std::int64_t seq = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + 1, end, seq);
  if (text.front() == 'a' && error == std::errc() && stop == end && seq > 0) return seq;
  return fail(ErrorCode::InvalidArgument,
              "the cursor is not one of audit_search; take next_cursor of its last page, or start "
              "without one");
}

domain::AuditRow read_row(const Statement& row) {
  domain::AuditRow found;
  found.seq = static_cast<std::uint64_t>(row.integer(0));
  found.time = row.time(1);
  found.caller = row.text(2);
  found.tool = row.text(3);
  found.decision = domain::parse_audit_decision(row.text(4)).value_or(found.decision);
  found.calls = static_cast<std::uint32_t>(row.integer(5));
  found.arguments = row.text(6);
  found.outcome = row.text(7);
  found.made = row.text(8);
  return found;
}

}  // namespace

Result<AuditWriter> AuditWriter::open(Database& database) {
  AuditWriter writer;
  const std::pair<Statement*, const char*> statements[] = {{&writer.insert_, kInsert},
                                                           {&writer.end_, kEnd},
                                                           {&writer.forget_more_, kForgetMore},
                                                           {&writer.forget_old_, kForgetOld}};
  for (const auto& [statement, sql] : statements) {
    auto prepared = database.prepare(sql);
    if (!prepared) return fail(std::move(prepared.error()));
    *statement = std::move(*prepared);
  }
  return writer;
}

Status AuditWriter::put(const domain::AuditRow& row) {
  insert_.bind(1, number(row.seq));
  insert_.bind(2, row.time);
  insert_.bind(3, row.caller);
  insert_.bind(4, row.tool);
  insert_.bind(5, to_string(row.decision));
  insert_.bind(6, std::int64_t{row.calls});
  insert_.bind_some(7, row.arguments);
  insert_.bind_some(8, row.outcome);
  insert_.bind_some(9, row.made);
  return insert_.run();
}

Status AuditWriter::end(const domain::AuditEnd& end) {
  end_.bind_some(1, end.outcome);
  end_.bind_some(2, end.made);
  end_.bind(3, number(end.seq));
  return end_.run();
}

Status AuditWriter::keep(const domain::AuditLimits& limits) {
  forget_more_.bind(1, number(limits.rows));
  if (auto done = forget_more_.run(); !done) return done;
  forget_old_.bind(1, limits.since);
  return forget_old_.run();
}

Status AuditWriter::apply(const domain::AuditChange& change) {
  for (const auto& row : change.rows) {
    if (auto done = put(row); !done) return done;
  }
  for (const auto& ended : change.ends) {
    if (auto done = end(ended); !done) return done;
  }
  return change.limits ? keep(*change.limits) : Status{};
}

Result<domain::Listing<domain::AuditRow>> find_audit(Database& database,
                                                     const domain::AuditFilter& filter,
                                                     const domain::Page& page) {
  if (page.limit < 1) {
    return fail(ErrorCode::InvalidArgument, "a page's limit must be at least 1");
  }
  const auto before = parse_cursor(page.cursor);
  if (!before) return fail(before.error());
  auto rows = database.lease(kFind);
  if (!rows) return fail(std::move(rows.error()));
  Statement& find = **rows;
  const std::string_view decision = filter.decision ? to_string(*filter.decision) : "";
  find.bind(1, *before);
  find.bind_some(2, filter.caller);
  find.bind_some(3, filter.tool);
  find.bind_some(4, decision);
  find.bind(5, filter.since.value_or(base::WallTime::min()));
  find.bind(6, filter.until.value_or(base::WallTime::max()));
  find.bind(7, std::int64_t{page.limit} + 1);
  domain::Listing<domain::AuditRow> listing;
  while (true) {
    auto more = find.step();
    if (!more) return fail(std::move(more.error()));
    if (!*more) return listing;
    if (static_cast<int>(listing.items.size()) == page.limit) {
      listing.next_cursor = "a" + std::to_string(listing.items.back().seq);
      return listing;
    }
    listing.items.push_back(read_row(find));
  }
}

Result<std::uint64_t> newest_audit(Database& database) {
  auto newest = database.integer("SELECT max(seq) FROM audit");
  if (!newest) return fail(std::move(newest.error()));
  return static_cast<std::uint64_t>(*newest);
}

}  // namespace mahavishnu::journal
