// What the disk and SQLite alone allow: rows of a task's size, so many a transaction, made durable
// as the journal does (WAL, synchronous=FULL), with nothing else around it.
//
// usage: bare_sqlite FILE ROWS ROWS_PER_TRANSACTION BYTES_PER_ROW
#include <sqlite3.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

void run(sqlite3* db, const char* sql) {
  char* error = nullptr;
  if (sqlite3_exec(db, sql, nullptr, nullptr, &error) != SQLITE_OK) {
    std::fprintf(stderr, "%s: %s\n", sql, error);
    std::exit(1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: bare_sqlite FILE ROWS ROWS_PER_TRANSACTION BYTES_PER_ROW\n");
    return 2;
  }
  const long rows = std::atol(argv[2]);
  const long per_transaction = std::atol(argv[3]);
  const std::string row(std::strtoul(argv[4], nullptr, 10), 'x');
  sqlite3* db = nullptr;
  if (sqlite3_open(argv[1], &db) != SQLITE_OK) {
    std::fprintf(stderr, "cannot open %s\n", argv[1]);
    return 1;
  }
  run(db, "PRAGMA journal_mode=WAL");
  run(db, "PRAGMA synchronous=FULL");
  run(db, "CREATE TABLE task(id INTEGER PRIMARY KEY, state INTEGER, body BLOB)");
  sqlite3_stmt* insert = nullptr;
  sqlite3_prepare_v2(db, "INSERT INTO task VALUES(?,0,?)", -1, &insert, nullptr);
  const auto began = std::chrono::steady_clock::now();
  for (long done = 0; done < rows;) {
    run(db, "BEGIN IMMEDIATE");
    for (long i = 0; i < per_transaction && done < rows; ++i) {
      sqlite3_bind_int64(insert, 1, ++done);
      sqlite3_bind_blob(insert, 2, row.data(), static_cast<int>(row.size()), SQLITE_STATIC);
      if (sqlite3_step(insert) != SQLITE_DONE) {
        std::fprintf(stderr, "insert: %s\n", sqlite3_errmsg(db));
        return 1;
      }
      sqlite3_reset(insert);
    }
    run(db, "COMMIT");
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("{\"rows\":%ld,\"seconds\":%.6f,\"per_second\":%.1f}\n", rows, took.count(),
              static_cast<double>(rows) / took.count());
  sqlite3_finalize(insert);
  sqlite3_close(db);
  return 0;
}
