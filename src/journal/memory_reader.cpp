#include "journal/memory_reader.h"

#include <utility>

#include "journal/record_reader.h"
#include "journal/spec_json.h"

namespace mahavishnu::journal {

Result<domain::Memory> stored_memory(const Statement& row) {
  domain::Memory memory;
  memory.id.value = row.id(1);
  memory.time = row.time(2);
  if (!row.is_null(3)) {
    if (auto read = read_json(row.text(3), memory.tags); !read) return fail(read.error());
  }
  if (!row.is_null(5)) {
    if (auto read = read_json(row.text(5), memory.metadata); !read) return fail(read.error());
  }
  memory.text = row.text(4);
  memory.title = domain::first_line(memory.text);
  return memory;
}

Result<std::optional<domain::Memory>> task_memory(Database& journal, domain::TaskId task,
                                                  std::size_t output_bytes) {
  const auto record = find_task(journal, task);
  if (!record && record.error().code == ErrorCode::NotFound) return std::nullopt;
  if (!record) return fail(record.error());
  return domain::memory_of(*record, output_bytes);
}

}  // namespace mahavishnu::journal
