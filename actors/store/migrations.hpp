// The schema, as a list of numbered steps that only grows. Each runs once, in its own transaction
// with its record.
#pragma once

#include <string>
#include <vector>

namespace SQLite {
class Database;
}

namespace banger::store {

int newest_migration();
/// Numbers found in the file, in order; none if it has no record of them. Throws SQLite::Exception.
std::vector<int> applied_migrations(SQLite::Database& db);
/// Applies what is missing. Throws SQLite::Exception, the failed step undone.
void migrate(SQLite::Database& db);
/// "migrations needed: pending [2, 3] (applied on the next start)".
std::string pending_line(const std::vector<int>& applied);

} // namespace banger::store
