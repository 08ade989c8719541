// What the store must ask of each of its connections anew, since SQLite forgets it.
#include "actors/store/database.hpp"
#include "storage_scratch.hpp"
#include "tests/support/catch.hpp"

#include <chrono>
#include <filesystem>
#include <sqlite3.h>
#include <thread>

using namespace banger;
namespace fs = std::filesystem;

namespace {

/// Every connection that anybody opens in this process, as SQLite tells it.
std::vector<sqlite3*> opened;

int note_connection(sqlite3* db, char**, const sqlite3_api_routines*) {
  opened.push_back(db);
  return SQLITE_OK;
}

struct watched_place {
  test::scratch folder;
  watched_place() {
    opened.clear();
    ::sqlite3_auto_extension(reinterpret_cast<void (*)()>(note_connection));
  }
  ~watched_place() { ::sqlite3_reset_auto_extension(); }
  fs::path file() const { return folder / "state.db"; }
};

std::string ask(sqlite3* db, const char* pragma) {
  sqlite3_stmt* row = nullptr;
  REQUIRE(::sqlite3_prepare_v2(db, pragma, -1, &row, nullptr) == SQLITE_OK);
  REQUIRE(::sqlite3_step(row) == SQLITE_ROW);
  std::string answer = reinterpret_cast<const char*>(::sqlite3_column_text(row, 0));
  ::sqlite3_finalize(row);
  return answer;
}

vm::record some_vm() {
  return {*vm_id::parse("0123456789ab"),
          *vm_name::parse("otter"),
          {*image_name::parse("tiny"), 1, 256, GiB, false, false},
          vm::state::running,
          {},
          {},
          42,
          std::string(32, 'a')};
}

/// A connection of somebody else.
struct other_connection {
  sqlite3* db = nullptr;
  explicit other_connection(const fs::path& file) {
    REQUIRE(::sqlite3_open(file.c_str(), &db) == SQLITE_OK);
  }
  ~other_connection() { ::sqlite3_close(db); }
  void say(const char* statement) const {
    CHECK(::sqlite3_exec(db, statement, nullptr, nullptr, nullptr) == SQLITE_OK);
  }
};

} // namespace

TEST_CASE("lesson 24: each connection that stays has its pragmas, also to a file that was there") {
  const watched_place p;
  for (int i = 0; i < 3; ++i) {
    opened.clear();
    auto db = store::database::open(p.file());
    REQUIRE(db);
    REQUIRE_FALSE(opened.empty());
    auto* const stays = opened.back(); // those before it looked at the schema, and are closed
    CHECK(ask(stays, "PRAGMA foreign_keys") == "1");
    CHECK(ask(stays, "PRAGMA journal_mode") == "wal");
    CHECK(ask(stays, "PRAGMA synchronous") == "1");
    CHECK(ask(stays, "PRAGMA busy_timeout") == "5000");
    const auto moved = std::move(*db);
    CHECK(ask(stays, "PRAGMA foreign_keys") == "1");
  }
}

TEST_CASE("a batch is on the disk when it is committed") {
  const watched_place p;
  auto db = store::database::open(p.file());
  REQUIRE(db);
  auto* const stays = opened.back();
  REQUIRE(db->begin_batch());
  CHECK(ask(stays, "PRAGMA synchronous") == "2");
  CHECK(db->save(some_vm()));
  REQUIRE(db->commit_batch());
  CHECK(ask(stays, "PRAGMA synchronous") == "1");
}

TEST_CASE("lesson 24: a commit waits for one who reads or writes, rather than to fail") {
  const watched_place p;
  auto db = store::database::open(p.file());
  REQUIRE(db);
  REQUIRE(db->save(some_vm()));
  const other_connection reader(p.file()), writer(p.file());
  reader.say("BEGIN; SELECT count(*) FROM vms");
  CHECK(db->save(some_vm())); // a reader holds up nobody
  reader.say("COMMIT");
  writer.say("BEGIN IMMEDIATE; DELETE FROM journal");
  const auto begun = std::chrono::steady_clock::now();
  std::jthread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    writer.say("COMMIT");
  });
  CHECK(store::check_schema(p.file()));
  CHECK(db->settle(some_vm()));
  CHECK(std::chrono::steady_clock::now() - begun >= std::chrono::milliseconds(200));
}
