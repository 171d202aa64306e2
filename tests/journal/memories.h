// Memories as a caller of the journal meets them, for tests.
#pragma once

#include <doctest/doctest.h>

#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "journal/database.h"
#include "journal/world.h"

namespace mahavishnu::test {

using journal::Database;

template <class T, class Ask>
Result<T> answer_of(World& world, Ask ask) {
  std::optional<Result<T>> answer;
  ask([&answer](Result<T> result) { answer = std::move(result); });
  world.run_until([&answer] { return answer.has_value(); });
  return std::move(*answer);
}

inline Result<domain::StoredMemory> store(World& world, domain::NewMemory memory) {
  return answer_of<domain::StoredMemory>(world, [&](auto answer) {
    world.journal().memories().store(std::move(memory), std::move(answer));
  });
}

inline Result<domain::StoredMemory> store(World& world, std::string content, std::string key = {}) {
  domain::NewMemory memory;
  memory.content = std::move(content);
  memory.dedup_key = std::move(key);
  return store(world, std::move(memory));
}

inline Result<domain::MemoriesFound> ask(World& world, domain::MemoryQuery query) {
  return answer_of<domain::MemoriesFound>(world, [&](auto answer) {
    world.journal().memories().search(std::move(query), std::move(answer));
  });
}

// Once all that is on disk is in the index.
inline domain::MemoriesFound search(World& world, domain::MemoryQuery query) {
  for (;;) {
    auto found = ask(world, query);
    if (!found) FAIL(found.error().message);
    if (found->behind == 0) return std::move(*found);
  }
}

inline domain::MemoriesFound search(World& world, std::string words) {
  domain::MemoryQuery query;
  query.words = std::move(words);
  query.limit = 50;
  return search(world, std::move(query));
}

inline TaskChanged ended(const TaskRecord& task, std::string output, std::uint64_t version = 5) {
  auto changed = failure(task, version);
  changed.result->text = std::move(output);
  changed.result->truncated = false;
  changed.result->message.clear();
  return changed;
}

inline TaskRecord run_task(World& world, Ids& ids, const std::string& command,
                           const std::string& output, StringMap labels = {},
                           const std::string& repo = {}) {
  TaskRecord task = queued_task(ids, command);
  auto spec = *task.spec;
  spec.labels = std::move(labels);
  spec.repo = repo;
  task.spec = std::make_shared<const TaskSpec>(std::move(spec));
  REQUIRE(world.commit({TaskAdmitted{task}}));
  REQUIRE(world.commit({ended(task, output)}));
  return task;
}

inline Database raw(const TempDirectory& directory, const char* name = "journal.db") {
  auto database = Database::open(directory.path() / name, Database::Mode::ReadWrite);
  REQUIRE(database);
  return std::move(*database);
}

inline std::int64_t rows(const TempDirectory& directory, const char* where = "1") {
  return raw(directory)
      .integer(std::string("SELECT count(*) FROM memories WHERE ") + where)
      .value_or(-1);
}

inline std::string bytes_of(const TempDirectory& directory, const std::string& name) {
  std::string all;
  for (const char* end : {"", "-wal"}) {
    std::ifstream file(directory.path() / (name + end), std::ios::binary);
    all.append(std::istreambuf_iterator<char>(file), {});
  }
  return all;
}

inline std::vector<std::string> titles(const domain::MemoriesFound& found) {
  std::vector<std::string> all;
  for (const auto& hit : found.hits) all.push_back(hit.memory.title);
  return all;
}

inline const std::string kToken = "ghp_" + std::string(36, 'Q');

}  // namespace mahavishnu::test
