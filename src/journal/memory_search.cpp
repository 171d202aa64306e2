// The naive search would ask for score and snippet in one SELECT: SQLite then makes a snippet of
// every memory that matches before it sorts. So the best are found first, by score alone.
#include "journal/memory_search.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <utility>
#include <vector>

#include "journal/spec_json.h"

namespace mahavishnu::journal {
namespace {

constexpr std::size_t kMaxWords = 32;
constexpr std::size_t kSnippetBytes = 600;  // a "word" may be thousands of bytes long
// Of the title a match counts most, then tags and places, then the text.
constexpr const char* kScore = "bm25(words,4.0,1.0,2.0)";

// Each word in quotes: whatever it holds is text then.
std::vector<std::string> quoted_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool searchable = false;
  const auto finish = [&] {
    if (searchable && words.size() < kMaxWords) words.push_back("\"" + word + "\"");
    word.clear();
    searchable = false;
  };
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == 0x7F) {
      finish();
    } else {
      searchable = searchable || byte >= 0x80 || std::isalnum(byte) != 0;
      word.append(c == '"' ? "\"\"" : std::string(1, c));
    }
  }
  finish();
  return words;
}

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string all;
  for (const std::string& word : words) all.append(all.empty() ? "" : between).append(word);
  return all;
}

// The conditions of a query, with what is bound to their parameters in order.
struct Filter {
  std::string sql;
  std::vector<std::string> texts;

  void any_of(const char* column, const std::vector<std::string>& values) {
    if (values.empty()) return;
    sql += std::string(" AND m.") + column + " IN (";
    for (std::size_t i = 0; i < values.size(); ++i) sql += i == 0 ? "?" : ",?";
    sql += ")";
    texts.insert(texts.end(), values.begin(), values.end());
  }
};

Filter filter_of(const domain::MemoryQuery& query) {
  Filter filter;
  if (query.since) {
    filter.sql = " AND m.time>=" + std::to_string(query.since->time_since_epoch().count());
  }
  filter.any_of("repo", query.repos);
  for (const std::string& tag : query.tags) {
    filter.sql += " AND (instr(m.tags,?)>0 OR instr(m.tags,?)>0)";
    filter.texts.push_back("\n" + tag + "\n");
    filter.texts.push_back("\n" + tag + "=");
  }
  if (query.pools.empty()) return filter;
  std::vector<std::string> names;
  std::string ids;
  for (const std::string& pool : query.pools) {
    if (auto id = domain::PoolId::parse(pool)) {
      static constexpr char kDigits[] = "0123456789abcdef";
      ids += ids.empty() ? "x'" : ",x'";
      for (const std::uint64_t half : {id->value.high, id->value.low}) {
        for (int shift = 60; shift >= 0; shift -= 4) ids += kDigits[(half >> shift) & 0xFU];
      }
      ids += "'";
    } else {
      names.push_back(pool);
    }
  }
  Filter by_name;
  by_name.any_of("pool_name", names);
  filter.sql += " AND (m.pool IN (" + ids + ")" +
                (names.empty() ? "" : " OR " + by_name.sql.substr(std::string(" AND ").size())) +
                ")";
  filter.texts.insert(filter.texts.end(), by_name.texts.begin(), by_name.texts.end());
  return filter;
}

struct Ranked {
  std::int64_t seq;
  double score;
};

Result<std::vector<Ranked>> best(Database& index, const std::string& words, const Filter& filter,
                                 int limit) {
  auto select =
      index.lease(std::string("SELECT m.seq,") + kScore +
                  " AS score FROM words JOIN memories AS m ON m.seq=words.rowid WHERE "
                  "words MATCH ?" +
                  filter.sql + " ORDER BY score,m.seq DESC LIMIT " + std::to_string(limit));
  if (!select) return fail(std::move(select.error()));
  int at = 1;
  (*select)->bind(at++, std::string_view(words));
  for (const std::string& text : filter.texts) (*select)->bind(at++, std::string_view(text));
  std::vector<Ranked> ranked;
  for (;;) {
    auto more = (*select)->step();
    if (!more) return fail(std::move(more.error()));
    if (!*more) return ranked;
    ranked.push_back({(*select)->integer(0), -(*select)->real(1)});
  }
}

std::string shortened(std::string_view text) {
  if (text.size() <= kSnippetBytes) return std::string(text);
  std::size_t end = kSnippetBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return std::string(text.substr(0, end)) + "…";
}

std::vector<std::string> split(std::string_view tags) {
  std::vector<std::string> all;
  while (!tags.empty()) {
    const auto end = std::min(tags.find('\n'), tags.size());
    if (end > 0) all.emplace_back(tags.substr(0, end));
    tags.remove_prefix(std::min(end + 1, tags.size()));
  }
  return all;
}

Result<domain::MemoryHit> hit_of(Database& index, const std::string& words, const Ranked& ranked) {
  auto select = index.lease(
      "SELECT m.id,m.task,m.pool,m.pool_name,m.repo,m.time,m.state,m.reason,m.exit_code,m.run_ms,"
      "m.tags,m.metadata,words.title,snippet(words,-1,'**','**','…',32) FROM words JOIN memories "
      "AS m ON "
      "m.seq=words.rowid WHERE words MATCH ? AND words.rowid=?");
  if (!select) return fail(std::move(select.error()));
  Statement& row = **select;
  row.bind(1, std::string_view(words));
  row.bind(2, ranked.seq);
  auto there = row.step();
  if (!there) return fail(std::move(there.error()));
  if (!*there) return fail(ErrorCode::Internal, "search.db does not find again what it found");
  domain::MemoryHit hit;
  domain::Memory& memory = hit.memory;
  memory.id.value = row.id(0);
  memory.task.value = row.id(1);
  memory.pool.value = row.id(2);
  memory.pool_name = row.text(3);
  memory.repo = row.text(4);
  memory.time = row.time(5);
  memory.state = row.text(6);
  memory.reason = row.text(7);
  memory.exit_code = row.some_int(8);
  memory.run_time = base::Millis(row.integer(9));
  memory.tags = split(row.text(10));
  if (!row.is_null(11)) {
    if (auto read = read_json(row.text(11), memory.metadata); !read) return fail(read.error());
  }
  memory.title = domain::first_line(row.text(12));
  hit.snippet = shortened(row.text(13));
  hit.score = ranked.score;
  return hit;
}

}  // namespace

Result<domain::MemoriesFound> search_memories(Database& index, const domain::MemoryQuery& query) {
  const std::vector<std::string> words = quoted_words(query.words);
  if (words.empty()) {
    return fail(ErrorCode::InvalidArgument,
                "query: there is no word to search for in it; give one word or more");
  }
  const Filter filter = filter_of(query);
  domain::MemoriesFound found;
  std::string expression = joined(words, " ");
  auto ranked = best(index, expression, filter, query.limit);
  if (ranked && ranked->empty() && words.size() > 1) {
    found.all_words = false;
    expression = joined(words, " OR ");
    ranked = best(index, expression, filter, query.limit);
  }
  if (!ranked) return fail(std::move(ranked.error()));
  for (const Ranked& one : *ranked) {
    auto hit = hit_of(index, expression, one);
    if (!hit) return fail(std::move(hit.error()));
    found.hits.push_back(std::move(*hit));
  }
  return found;
}

}  // namespace mahavishnu::journal
