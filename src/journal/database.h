// A thin owner of one SQLite connection and of its prepared statements.
//
// It knows SQLite and nothing of tasks: it turns result codes into Errors that name the file and
// the way out, and sees to it that no handle leaks. A connection and its statements belong to one
// thread at a time; statements end before their connection. Exists so that the rest of the layer is
// free of `sqlite3_` calls.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"

namespace mahavishnu::journal {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

// For the answer when the disk is full, or another program holds the file.
inline constexpr long kFullRetryMs = 1000;

// One prepared statement. Parameters and columns are numbered by the caller's enums or counters;
// texts and blobs are bound without a copy and must live until the step.
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}

  void bind(int at, std::int64_t value) { sqlite3_bind_int64(handle_.get(), at, value); }
  void bind(int at, std::string_view text);
  void bind(int at, base::Ulid id);  // 16 bytes, most significant first: sorts as the id does
  void bind_null(int at) { sqlite3_bind_null(handle_.get(), at); }
  void bind_some(int at, std::string_view text);  // NULL when empty
  void bind_some(int at, base::Ulid id);          // NULL when null
  void bind_some(int at, std::optional<base::WallTime> time);
  void bind_some(int at, std::optional<int> value);
  void bind(int at, base::WallTime time) { bind(at, time.time_since_epoch().count()); }
  void bind(int at, base::Millis time) { bind(at, time.count()); }

  // True: there is a row. False: done, and the statement is reset for its next use.
  Result<bool> step();
  // Runs a statement that yields no rows and resets it.
  Status run();
  // Required after reading fewer rows than there are.
  void reset() { sqlite3_reset(handle_.get()); }
  // Forgets what is bound as well, which may be gone by now.
  void clear() {
    sqlite3_reset(handle_.get());
    sqlite3_clear_bindings(handle_.get());
  }

  bool is_null(int column) const;
  std::int64_t integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  double real(int column) const { return sqlite3_column_double(handle_.get(), column); }
  std::string_view text(int column) const;  // valid until the next step
  base::Ulid id(int column) const;          // null for NULL
  base::WallTime time(int column) const { return base::WallTime(base::Millis(integer(column))); }
  std::optional<base::WallTime> some_time(int column) const;
  std::optional<int> some_int(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

// A statement on loan from its connection; given back clear.
class Lease {
 public:
  explicit Lease(std::shared_ptr<Statement> statement) : statement_(std::move(statement)) {}
  Lease(Lease&&) = default;
  Lease& operator=(Lease&&) = delete;
  ~Lease() {
    if (statement_) statement_->clear();
  }
  Statement* operator->() const { return statement_.get(); }
  Statement& operator*() const { return *statement_; }

 private:
  std::shared_ptr<Statement> statement_;
};

class Database {
 public:
  enum class Mode { ReadWrite, ReadOnly };

  Database();
  ~Database();
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;

  // ReadWrite makes the file (0600) when there is none. Nothing of an existing file is changed.
  static Result<Database> open(const std::filesystem::path& path, Mode mode);

  Result<Statement> prepare(std::string_view sql);
  // The same, kept for the next time: preparing costs as much as reading some twenty rows. Do not
  // ask for a text again while it is on loan.
  Result<Lease> lease(const std::string& sql);
  Status execute(const std::string& sql);                // one or more statements, rows are ignored
  Result<std::int64_t> integer(const std::string& sql);  // first column of the first row; 0 if none
  std::int64_t changes() const { return sqlite3_changes64(handle_.get()); }
  bool in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }
  void roll_back();  // if a transaction is open

  sqlite3* handle() { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  std::unique_ptr<sqlite3, Close> handle_;
  std::unordered_map<std::string, std::shared_ptr<Statement>> kept_;
};

// The connection's last error in the project's words: Exhausted when the disk is full, Deadline
// when interrupted, Conflict for a broken constraint, Unavailable when locked, otherwise Internal.
Error error_of(sqlite3* handle);

}  // namespace mahavishnu::journal
