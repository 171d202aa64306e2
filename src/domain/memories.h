// Memories: what a finished task left to remember, and what callers asked to keep; and the port
// behind which they are stored and searched.
//
// The memory of a task is one row in the same commit as the task's end; its words are made from the
// task's record when they are needed. Plain values and pure functions; the port is the control
// thread's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "domain/records.h"

namespace mahavishnu::domain {

struct MemoryKind {
  static constexpr std::string_view prefix = "mem_";
};
using MemoryId = base::Id<MemoryKind>;  // of a task's memory: the task's own ULID

inline constexpr std::size_t kMemoryContentBytes = 64U << 10U;  // longest content a caller may keep
inline constexpr std::size_t kMemoryQueryBytes = 1000;

struct Memory {
  MemoryId id;
  TaskId task;                    // null: a caller stored it
  std::string title;              // the command, or the first line of what was stored
  std::string text;               // how it ended and the end of its output, or all that was stored
  std::vector<std::string> tags;  // "key=value" of a task's labels
  StringMap metadata;  // of what a caller stored
  PoolId pool;
  std::string pool_name;
  std::string repo;
  std::string state;  // of the task; "" when there is none
  std::string reason;
  std::optional<int> exit_code;
  Millis run_time{0};
  WallTime time{};  // when the task ended, or when it was stored
};

// Whether the end of a task is worth a memory. One that never ran since another failed is not: the
// other's memory says what happened, and one failure can leave thousands of these.
bool leaves_memory(const TaskStatus& status);

// The memory of a task that has ended, with at most `output_bytes` of the end of its output. Its
// texts are as the task left them: valid UTF-8 without NULs, and not redacted yet. A word that the
// cut, or an earlier one, went through is left out whole: half a secret has no form to know it by.
Memory memory_of(const TaskRecord& task, std::size_t output_bytes);

// The same text with what is no UTF-8, and every NUL, replaced by U+FFFD.
std::string plain_text(std::string_view text);

// The first line, cut to some 200 bytes between two characters.
std::string first_line(std::string_view text);

// What a caller asks to keep.
struct NewMemory {
  std::string content;
  std::vector<std::string> tags;
  StringMap metadata;
  std::string dedup_key;  // "": none. Known to the whole server, not to one caller
  std::string caller;
};

struct StoredMemory {
  MemoryId id;
  bool duplicate = false;  // the key named this one already; nothing was stored
};

struct MemoryQuery {
  std::string words;               // as a person would type them; no syntax
  std::vector<std::string> pools;  // names or ids; any of them
  std::vector<std::string> repos;  // any of them
  std::vector<std::string> tags;   // all of them; "key" also stands for "key=…"
  std::optional<WallTime> since;
  int limit = 10;
};

struct MemoryHit {
  Memory memory;        // its text is empty
  double score = 0;     // the higher the better; to be compared within one answer only
  std::string snippet;  // the place that matches best, matches between **
};

struct MemoriesFound {
  std::vector<MemoryHit> hits;  // best first
  bool all_words = true;        // false: none has all of the words, these have some
  std::int64_t behind = 0;      // memories on disk that the index did not hold yet
};

// Stores and searches. Every answer comes on the control thread; after the implementation's `stop`
// none does.
class Memories {
 public:
  template <class T>
  using Answer = std::function<void(Result<T>)>;
  virtual ~Memories() = default;

  // Redacted, then on disk before the answer. InvalidArgument: no content, or too long a one;
  // Exhausted: the disk is full; Unavailable: memories are off.
  virtual void store(NewMemory memory, Answer<StoredMemory> answer) = 0;
  // InvalidArgument: no word to search for; Deadline; Unavailable: memories are off.
  virtual void search(MemoryQuery query, Answer<MemoriesFound> answer) = 0;
  // How many memories of this pool the index holds; nullopt when memories are off.
  virtual std::optional<std::int64_t> count(PoolId pool) const = 0;
};

}  // namespace mahavishnu::domain
