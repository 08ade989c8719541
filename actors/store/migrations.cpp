#include "actors/store/migrations.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <algorithm>
#include <array>

namespace banger::store {

namespace {

struct migration {
  int id;
  const char* name;
  const char* body;
};

constexpr std::array<migration, 1> all = {{
    {1, "baseline",
     "CREATE TABLE vms (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, state TEXT NOT NULL, image "
     "TEXT NOT NULL,"
     " created_ms INTEGER NOT NULL, spec_json TEXT NOT NULL, runtime_json TEXT NOT NULL) STRICT;"
     "CREATE TABLE journal (op TEXT PRIMARY KEY, vm TEXT NOT NULL, verb TEXT NOT NULL, step TEXT "
     "NOT NULL) STRICT;"},
}};

bool contains(const std::vector<int>& ids, int id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

} // namespace

int newest_migration() { return all.back().id; }

std::vector<int> applied_migrations(SQLite::Database& db) {
  std::vector<int> ids;
  // Asks the schema first, since a damaged file must be an error and a fresh one must not.
  SQLite::Statement known(
      db, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'");
  if (!known.executeStep())
    return ids;
  SQLite::Statement row(db, "SELECT id FROM schema_migrations ORDER BY id");
  while (row.executeStep())
    ids.push_back(row.getColumn(0).getInt());
  return ids;
}

void migrate(SQLite::Database& db) {
  db.exec("CREATE TABLE IF NOT EXISTS schema_migrations (id INTEGER PRIMARY KEY, name TEXT NOT "
          "NULL) STRICT");
  const auto done = applied_migrations(db);
  for (const auto& step : all) {
    if (contains(done, step.id))
      continue;
    SQLite::Transaction together(db);
    db.exec(step.body);
    SQLite::Statement record(db, "INSERT INTO schema_migrations (id, name) VALUES (?, ?)");
    record.bind(1, step.id);
    record.bind(2, step.name);
    record.exec();
    together.commit();
  }
}

std::string pending_line(const std::vector<int>& applied) {
  std::string ids;
  for (const auto& step : all)
    if (!contains(applied, step.id))
      ids += (ids.empty() ? "" : ", ") + std::to_string(step.id);
  return "migrations needed: pending [" + ids + "] (applied on the next start)";
}

} // namespace banger::store
