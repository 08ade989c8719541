#include "actors/store/database.hpp"

#include "actors/store/migrations.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <algorithm>
#include <sys/stat.h>

namespace banger::store {

namespace {

failure from_sqlite(const SQLite::Exception& why, const std::string& what) {
  const int code = why.getErrorCode();
  if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
    return {errc::corrupted,
            what,
            why.getErrorStr(),
            "move the file away; VMs whose folders are whole can be made again",
            {}};
  if (code == SQLITE_CONSTRAINT)
    return {errc::already_exists,
            what,
            "a row that is not listed has its name",
            "choose another name; `banger daemon logs` tells of rows that were set aside",
            {}};
  const bool full = code == SQLITE_FULL || code == SQLITE_IOERR;
  return {errc::operation_failed, what, why.what(), full ? "free some space" : "", {}};
}

template <class F>
auto guarded(const std::string& what, F act) -> decltype(act()) {
  try {
    return act();
  } catch (const SQLite::Exception& why) {
    return tl::unexpected(from_sqlite(why, what));
  }
}

// A transaction in a batch, and outside of one, too.
class part {
public:
  explicit part(SQLite::Database& db) : db_(db) { db_.exec("SAVEPOINT part"); }
  ~part() {
    if (!kept_)
      static_cast<void>(db_.tryExec("ROLLBACK TO part; RELEASE part"));
  }
  part(const part&) = delete;
  part& operator=(const part&) = delete;
  void keep() {
    db_.exec("RELEASE part");
    kept_ = true;
  }

private:
  SQLite::Database& db_;
  bool kept_ = false;
};

void put(SQLite::Database& db, const vm::record& r) {
  SQLite::Statement row(
      db, "INSERT INTO vms (id, name, state, image, created_ms, spec_json, runtime_json)"
          " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET"
          " name = ?2, state = ?3, spec_json = ?6, runtime_json = ?7");
  row.bind(1, r.id.str());
  row.bind(2, r.name.str());
  row.bind(3, std::string(vm::to_string(r.now)));
  row.bind(4, r.wanted.image.str());
  row.bind(5, static_cast<std::int64_t>(r.created_ms));
  row.bind(6, vm::spec_to_json(r.wanted));
  row.bind(7, vm::runtime_to_json(r));
  row.exec();
}

void forget(SQLite::Database& db, const char* table, const char* column, const std::string& key) {
  SQLite::Statement row(db, std::string("DELETE FROM ") + table + " WHERE " + column + " = ?");
  row.bind(1, key);
  row.exec();
}

expected<vm::record> read_row(SQLite::Statement& row) {
  auto id = vm_id::parse(row.getColumn(0).getString());
  if (!id)
    return tl::unexpected(id.error());
  auto name = vm_name::parse(row.getColumn(1).getString());
  if (!name)
    return tl::unexpected(name.error());
  auto state = vm::parse_state(row.getColumn(2).getString());
  if (!state)
    return tl::unexpected(state.error());
  auto spec = vm::spec_from_json(row.getColumn(3).getString(), row.getColumn(5).getString());
  if (!spec)
    return tl::unexpected(spec.error());
  vm::record r{
      *id, *name, *spec, *state, {}, {}, static_cast<std::uint64_t>(row.getColumn(4).getInt64()),
      {}};
  if (auto ok = vm::runtime_from_json(row.getColumn(6).getString(), r); !ok)
    return tl::unexpected(ok.error());
  return r;
}

} // namespace

database::database(std::unique_ptr<SQLite::Database> db) : db_(std::move(db)) {}
database::database(database&&) noexcept = default;
database& database::operator=(database&&) noexcept = default;
database::~database() = default;

expected<database> database::open(const std::filesystem::path& file) {
  const auto what = "cannot open the database " + file.string();
  auto report = check_schema(file);
  if (!report)
    return tl::unexpected(report.error());
  if (report->state == schema_state::ahead)
    return fail(errc::bad_version, what, report->line,
                "use the banger that made it, or a newer one");
  return guarded(what, [&]() -> expected<database> {
    const auto mask = ::umask(077);
    auto db = std::make_unique<SQLite::Database>(
        file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 5000);
    ::umask(mask);
    db->exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;");
    migrate(*db);
    return database(std::move(db));
  });
}

expected<snapshot> database::load() {
  return load_where(nullptr).and_then([this](snapshot all) {
    return guarded("cannot tidy the database", [&]() -> expected<snapshot> {
      // What was cut off before its VM was recorded has done nothing.
      db_->exec("DELETE FROM journal WHERE vm NOT IN (SELECT id FROM vms)");
      return std::move(all);
    });
  });
}
expected<snapshot> database::load_one(const std::string& vm) { return load_where(&vm); }

expected<snapshot> database::load_where(const std::string* vm) {
  return guarded("cannot read the database", [&]() -> expected<snapshot> {
    snapshot all;
    SQLite::Statement row(
        *db_, "SELECT id, name, state, image, created_ms, spec_json, runtime_json FROM vms" +
                  std::string(vm == nullptr ? "" : " WHERE id = ?") + " ORDER BY created_ms, id");
    if (vm != nullptr)
      row.bind(1, *vm);
    while (row.executeStep()) {
      auto r = read_row(row);
      if (r)
        all.vms.push_back(std::move(*r));
      else
        all.quarantined.push_back(row.getColumn(0).getString() + ": " + describe(r.error()));
    }
    SQLite::Statement open(*db_, "SELECT op, vm, verb, step FROM journal" +
                                     std::string(vm == nullptr ? "" : " WHERE vm = ?") +
                                     " ORDER BY rowid");
    if (vm != nullptr)
      open.bind(1, *vm);
    while (open.executeStep())
      all.unfinished.push_back({open.getColumn(0).getString(), open.getColumn(1).getString(),
                                open.getColumn(2).getString(), open.getColumn(3).getString()});
    return all;
  });
}

expected<void> database::begin_batch() {
  return guarded("cannot write to the database", [&]() -> expected<void> {
    db_->exec("PRAGMA synchronous = FULL");
    db_->exec("BEGIN IMMEDIATE");
    in_batch_ = true;
    return {};
  });
}

expected<void> database::commit_batch() {
  auto done = guarded("cannot write to the database", [&]() -> expected<void> {
    db_->exec("COMMIT");
    return {};
  });
  if (!done)
    static_cast<void>(db_->tryExec("ROLLBACK"));
  in_batch_ = false;
  static_cast<void>(db_->tryExec("PRAGMA synchronous = NORMAL"));
  return done;
}

bool database::lost_batch() const {
  return in_batch_ && ::sqlite3_get_autocommit(db_->getHandle()) != 0;
}

expected<void> database::save(const vm::record& r) {
  return guarded("cannot store the VM " + r.name.str(), [&]() -> expected<void> {
    put(*db_, r);
    return {};
  });
}

expected<void> database::intend(const intent& i) {
  return guarded("cannot write the journal", [&]() -> expected<void> {
    SQLite::Statement row(*db_, "INSERT INTO journal (op, vm, verb, step) VALUES (?1, ?2, ?3, ?4)"
                                " ON CONFLICT (op) DO UPDATE SET step = ?4");
    row.bind(1, i.op);
    row.bind(2, i.vm);
    row.bind(3, i.verb);
    row.bind(4, i.step);
    row.exec();
    return {};
  });
}

expected<void> database::settle(const vm::record& r) {
  return guarded("cannot store the VM " + r.name.str(), [&]() -> expected<void> {
    part together(*db_);
    put(*db_, r);
    forget(*db_, "journal", "vm", r.id.str());
    together.keep();
    return {};
  });
}

expected<void> database::erase(const std::string& vm) {
  return guarded("cannot remove the VM " + vm + " from the database", [&]() -> expected<void> {
    part together(*db_);
    forget(*db_, "vms", "id", vm);
    forget(*db_, "journal", "vm", vm);
    together.keep();
    return {};
  });
}

expected<schema_report> check_schema(const std::filesystem::path& file) {
  std::error_code why;
  const bool there = std::filesystem::exists(file, why);
  if (why)
    return fail_errno("cannot look at the database " + file.string(), why.value());
  if (!there)
    return schema_report{schema_state::behind, pending_line({})};
  return guarded("cannot open the database " + file.string(), [&]() -> expected<schema_report> {
    SQLite::Database db(file.string(), SQLite::OPEN_READONLY, 5000);
    const auto done = applied_migrations(db);
    const auto known = newest_migration();
    const auto stranger =
        std::find_if(done.begin(), done.end(), [&](int id) { return id > known; });
    if (stranger != done.end())
      return schema_report{schema_state::ahead,
                           "incompatible: the database has migration " + std::to_string(*stranger) +
                               ", this program knows up to " + std::to_string(known)};
    if (done.size() < static_cast<std::size_t>(known))
      return schema_report{schema_state::behind, pending_line(done)};
    return schema_report{schema_state::current, "compatible: no migrations needed"};
  });
}

} // namespace banger::store
