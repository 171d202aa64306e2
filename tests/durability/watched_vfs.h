// A SQLite VFS for tests: it passes everything on to the system's, keeps a log of every write and
// sync of one directory's journal.db and its log, and fails calls when it is told to.
//
// The log is what a power loss is made of: `disk_at` builds the files as a disk could hold them at
// any moment of it, without what had not been synced, or with a random part of that, torn. Marks of
// the test ("this was answered") stand in the log in their order. Registered as the default before
// the first database is opened; any thread.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "domain/retry.h"

namespace mahavishnu::durability {

struct Op {
  enum class Kind : std::uint8_t { Write, Truncate, Sync, Delete, Mark };
  Kind kind = Kind::Mark;
  std::string file;         // its name in the directory
  std::int64_t offset = 0;  // of a write; the size of a truncate
  std::string data;
  std::uint64_t mark = 0;
};

using Log = std::vector<Op>;
using Files = std::map<std::string, std::string>;

// The files after the first `end` entries of the log. Without `tear` nothing of what was not synced
// is there; with it any part may be.
Files disk_at(const Log& log, std::size_t end, domain::Chance* tear);
void put_files(const Files& files, const std::filesystem::path& directory);

class WatchedVfs {
 public:
  static WatchedVfs& get();

  // Forgets what was logged and what was to fail.
  void watch(const std::filesystem::path& directory);
  void mark(std::uint64_t what);
  Log log() const;

  // From the `at`-th write, truncate or sync from now on (the first is 0), `times` of them fail.
  // `code`: SQLITE_FULL and SQLITE_IOERR_WRITE are for writes, SQLITE_IOERR_FSYNC is for syncs.
  void fail(std::size_t at, std::size_t times, int code);
  std::size_t failed() const;  // how many have

  // For the methods of files.
  std::optional<std::string> name_of(const char* path) const;
  std::optional<int> failure(Op::Kind kind);
  void add(Op op);
  sqlite3_vfs* system() { return system_; }

 private:
  WatchedVfs();

  mutable std::mutex mutex_;
  sqlite3_vfs* system_ = nullptr;
  sqlite3_vfs vfs_{};
  std::string directory_;
  Log log_;
  std::size_t calls_ = 0, fail_from_ = 0, fail_until_ = 0, failed_ = 0;
  int fail_code_ = 0;
};

}  // namespace mahavishnu::durability
