#include "journal/database.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace mahavishnu::journal {
namespace {

constexpr int kBusyMs = 10000;  // a checkpoint that restarts the log holds the writer's lock
constexpr std::size_t kMaxKept = 64;  // statements; the filters of listings make many

std::array<char, 16> bytes_of(base::Ulid id) {
  std::array<char, 16> bytes{};
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>(id.high >> (56 - 8 * i));
    bytes[8 + i] = static_cast<char>(id.low >> (56 - 8 * i));
  }
  return bytes;
}

// SQLite would make the file with the umask's permissions; its -wal and -shm files copy those of
// the database, so making it here settles all three.
Status make_private(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return fail(ErrorCode::Unavailable,
                "cannot open " + path.string() + ": " + std::strerror(errno));
  }
  ::fchmod(fd, 0600);
  ::close(fd);
  return {};
}

std::string directory_of(sqlite3* handle) {
  const char* name = sqlite3_db_filename(handle, "main");
  return name == nullptr ? "" : std::filesystem::path(name).parent_path().string();
}

}  // namespace

Error error_of(sqlite3* handle) {
  const int extended = sqlite3_extended_errcode(handle);
  const char* name = sqlite3_db_filename(handle, "main");
  const std::string said = std::string(name == nullptr ? "" : name) + ": " + sqlite3_errmsg(handle);
  const bool no_space = sqlite3_system_errno(handle) == ENOSPC;
  switch (extended & 0xFF) {
    case SQLITE_FULL:
      return {ErrorCode::Exhausted,
              "the disk under " + directory_of(handle) + " is full; free space, then try again",
              kFullRetryMs};
    case SQLITE_IOERR:
      if (no_space) {
        return {ErrorCode::Exhausted,
                "the disk under " + directory_of(handle) + " is full; free space, then try again",
                kFullRetryMs};
      }
      return {ErrorCode::Internal, said + "; see the system's log for the disk's state"};
    case SQLITE_INTERRUPT:
      return {ErrorCode::Deadline, "the read took too long; narrow the filter or ask for less"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::Unavailable, said + "; is another program using the file?", kFullRetryMs};
    case SQLITE_CONSTRAINT:
      return {ErrorCode::Conflict, said};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {ErrorCode::Internal,
              said +
                  "; the file is damaged or no journal, and is left as it is: move it away or "
                  "restore a copy"};
    default:
      return {ErrorCode::Internal, said};
  }
}

void Statement::bind(int at, std::string_view text) {
  // A null data pointer would bind NULL instead of an empty text.
  sqlite3_bind_text64(handle_.get(), at, text.data() == nullptr ? "" : text.data(), text.size(),
                      SQLITE_STATIC, SQLITE_UTF8);
}

void Statement::bind(int at, base::Ulid id) {
  const auto bytes = bytes_of(id);
  sqlite3_bind_blob(handle_.get(), at, bytes.data(), bytes.size(), SQLITE_TRANSIENT);
}

void Statement::bind_some(int at, std::string_view text) {
  text.empty() ? bind_null(at) : bind(at, text);
}

void Statement::bind_some(int at, base::Ulid id) { id.is_null() ? bind_null(at) : bind(at, id); }

void Statement::bind_some(int at, std::optional<base::WallTime> time) {
  time ? bind(at, *time) : bind_null(at);
}

void Statement::bind_some(int at, std::optional<int> value) {
  value ? bind(at, std::int64_t{*value}) : bind_null(at);
}

Result<bool> Statement::step() {
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(handle_.get());
    return false;
  }
  Error error = error_of(sqlite3_db_handle(handle_.get()));
  sqlite3_reset(handle_.get());
  return fail(std::move(error));
}

Status Statement::run() {
  auto row = step();
  if (!row) return fail(std::move(row.error()));
  if (*row) reset();
  return {};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}

std::string_view Statement::text(int column) const {
  const auto* data = sqlite3_column_text(handle_.get(), column);
  if (data == nullptr) return {};
  return {reinterpret_cast<const char*>(data),
          static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

base::Ulid Statement::id(int column) const {
  const auto* data = static_cast<const unsigned char*>(sqlite3_column_blob(handle_.get(), column));
  base::Ulid id;
  if (data == nullptr || sqlite3_column_bytes(handle_.get(), column) != 16) return id;
  for (std::size_t i = 0; i < 8; ++i) {
    id.high = (id.high << 8U) | data[i];
    id.low = (id.low << 8U) | data[8 + i];
  }
  return id;
}

std::optional<base::WallTime> Statement::some_time(int column) const {
  if (is_null(column)) return std::nullopt;
  return time(column);
}

std::optional<int> Statement::some_int(int column) const {
  if (is_null(column)) return std::nullopt;
  return static_cast<int>(integer(column));
}

Database::Database() = default;
Database::~Database() = default;
Database::Database(Database&&) noexcept = default;

// Statements end before their connection, so member by member would be the wrong order.
Database& Database::operator=(Database&& other) noexcept {
  kept_ = std::move(other.kept_);
  handle_ = std::move(other.handle_);
  return *this;
}

Result<Database> Database::open(const std::filesystem::path& path, Mode mode) {
  if (mode == Mode::ReadWrite) {
    if (auto made = make_private(path); !made) return fail(made.error());
  }
  const int access = mode == Mode::ReadWrite ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle,
                                   access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  Database database;
  database.handle_.reset(handle);
  if (code != SQLITE_OK) {
    const std::string why = handle == nullptr ? "out of memory" : sqlite3_errmsg(handle);
    return fail(ErrorCode::Unavailable, "cannot open " + path.string() + ": " + why);
  }
  sqlite3_busy_timeout(handle, kBusyMs);
  if (mode == Mode::ReadOnly) {
    if (auto set = database.execute("PRAGMA query_only=ON"); !set) return fail(set.error());
  }
  return database;
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  if (code != SQLITE_OK) return fail(error_of(handle_.get()));
  return Statement(handle);
}

Result<Lease> Database::lease(const std::string& sql) {
  auto at = kept_.find(sql);
  if (at == kept_.end()) {
    auto prepared = prepare(sql);
    if (!prepared) return fail(std::move(prepared.error()));
    if (kept_.size() >= kMaxKept) kept_.erase(kept_.begin());
    at = kept_.emplace(sql, std::make_shared<Statement>(std::move(*prepared))).first;
  }
  return Lease(at->second);
}

Status Database::execute(const std::string& sql) {
  if (sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return fail(error_of(handle_.get()));
  }
  return {};
}

Result<std::int64_t> Database::integer(const std::string& sql) {
  auto statement = prepare(sql);
  if (!statement) return fail(std::move(statement.error()));
  auto row = statement->step();
  if (!row) return fail(std::move(row.error()));
  return *row ? statement->integer(0) : 0;
}

void Database::roll_back() {
  if (in_transaction()) sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

}  // namespace mahavishnu::journal
