#include "journal/schema.h"

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "journal/world.h"

namespace mahavishnu::test {
namespace {

using journal::Database;
using journal::Schema;

Database open_file(const TempDirectory& directory, const char* name = "journal.db") {
  auto opened = Database::open(directory.path() / name, Database::Mode::ReadWrite);
  REQUIRE(opened);
  return std::move(*opened);
}

void make_file(const TempDirectory& directory, const std::string& sql) {
  auto database = open_file(directory);
  const auto made = database.execute(sql);
  if (!made) FAIL(made.error().message);
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

base::Error refusal(const TempDirectory& directory) {
  asio::io_context context;
  auto opened = journal::SqliteJournal::open(context.get_executor(), options_in(directory));
  REQUIRE_FALSE(opened);
  return opened.error();
}

constexpr const char* kSteps[] = {"CREATE TABLE a(x);", "ALTER TABLE a ADD COLUMN y DEFAULT 7;",
                                  "CREATE TABLE b(z); INSERT INTO b SELECT x+y FROM a;"};
constexpr const char* kBroken[] = {"CREATE TABLE a(x);", "CREATE TABLE c(z);", "NOT SQL;"};

}  // namespace

TEST_SUITE("Schema") {
  TEST_CASE("an older file is led through every step it has not seen") {
    TempDirectory directory;
    make_file(directory, "CREATE TABLE a(x); INSERT INTO a VALUES(1); PRAGMA user_version=1");
    auto database = open_file(directory);
    REQUIRE(journal::migrate(database, Schema{"journal.db", kSteps}));
    CHECK(database.integer("SELECT z FROM b") == 8);
    CHECK(database.integer("PRAGMA user_version") == 3);
    REQUIRE(journal::migrate(database, Schema{"journal.db", kSteps}));
    CHECK(database.integer("SELECT count(*) FROM b") == 1);
  }

  TEST_CASE("a step that fails leaves the older form whole") {
    TempDirectory directory;
    make_file(directory, "CREATE TABLE a(x); PRAGMA user_version=1");
    auto database = open_file(directory);
    CHECK_FALSE(journal::migrate(database, Schema{"journal.db", kBroken}));
    CHECK(database.integer("PRAGMA user_version") == 1);
    CHECK(database.integer("SELECT count(*) FROM sqlite_schema") == 1);
  }

  TEST_CASE("an empty file becomes a journal with incremental vacuum and a write-ahead log") {
    TempDirectory directory;
    std::ofstream(directory.path() / "journal.db").close();
    World world(options_in(directory));
    auto database = open_file(directory);
    CHECK(database.integer("PRAGMA auto_vacuum") == 2);
    CHECK(database.integer("SELECT journal_mode='wal' FROM pragma_journal_mode") == 1);
    CHECK(database.integer("PRAGMA user_version") ==
          static_cast<std::int64_t>(journal::kJournalSchema.steps.size()));
  }

  TEST_CASE("a file of the first version is read") {
    TempDirectory directory;
    make_file(directory, std::string(journal::kJournalSchema.steps[0]) +
                             "INSERT INTO tasks(id,batch_index,priority,created,state,attempt,"
                             "version,queue_ms,run_ms,spec) VALUES(x'0000000000000000"
                             "0000000000000009',0,2,5,'queued',0,1,0,0,'{\"command\":\"true\"}');"
                             "PRAGMA user_version=1");
    World world(options_in(directory));
    const auto task = world.task(TaskId{{0, 9}});
    REQUIRE(task);
    CHECK(task->spec->work.command == "true");
  }

  TEST_CASE("a newer file is refused, and the error names both versions") {
    TempDirectory directory;
    make_file(directory, "CREATE TABLE future(x); PRAGMA user_version=99");
    const auto before = bytes_of(directory.path() / "journal.db");
    const auto error = refusal(directory);
    CHECK(error.code == base::ErrorCode::Conflict);
    CHECK(error.message.find("99") != std::string::npos);
    CHECK(error.message.find("up to " + std::to_string(journal::kJournalSchema.steps.size())) !=
          std::string::npos);
    CHECK(bytes_of(directory.path() / "journal.db") == before);
  }

  TEST_CASE("another program's database is refused and left as it is") {
    TempDirectory directory;
    make_file(directory, "CREATE TABLE songs(title)");
    const auto before = bytes_of(directory.path() / "journal.db");
    CHECK(refusal(directory).code == base::ErrorCode::Conflict);
    CHECK(bytes_of(directory.path() / "journal.db") == before);
  }

  TEST_CASE("a file that is no database is refused, named and left as it is") {
    TempDirectory directory;
    const auto path = directory.path() / "journal.db";
    const std::string noise(8192, 'x');
    std::ofstream(path) << noise;
    const auto error = refusal(directory);
    CHECK(error.message.find(path.string()) != std::string::npos);
    CHECK(error.message.find("left as it is") != std::string::npos);
    CHECK(bytes_of(path) == noise);
  }

  TEST_CASE("a journal damaged in the middle is an error, not a shorter list of tasks") {
    TempDirectory directory;
    Ids ids;
    {
      World world(options_in(directory));
      std::vector<Record> records;
      for (int i = 0; i < 500; ++i) records.push_back(TaskAdmitted{queued_task(ids)});
      REQUIRE(world.commit(records));
    }
    const auto path = directory.path() / "journal.db";
    {
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      const auto size = static_cast<std::streamoff>(std::filesystem::file_size(path));
      file.seekp(size / 2);
      file << std::string(static_cast<std::size_t>(size / 2), '\xFF');
    }
    asio::io_context context;
    auto opened = journal::SqliteJournal::open(context.get_executor(), options_in(directory));
    const auto loaded = opened ? (*opened)->load() : Result<Snapshot>(base::fail(opened.error()));
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().code == base::ErrorCode::Internal);
  }
}

}  // namespace mahavishnu::test
