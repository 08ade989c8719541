// The one SQLite file: VMs, and the journal of operations under way. No CAF; used by one thread at
// a time.
#pragma once

#include "actors/vm/record.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace SQLite {
class Database;
}

namespace banger::store {

/// What an operation is about to do. One row per operation; the newest intent replaces the one
/// before it.
struct intent {
  std::string op, vm, verb, step;
  bool first_to_disk = false; ///< a loss of power, too, must not undo it: it destroys something
};

struct snapshot {
  std::vector<vm::record> vms;    ///< by creation time
  std::vector<intent> unfinished; ///< operations that a crash cut off
  std::vector<std::string>
      quarantined; ///< rows that could not be read, and why; they stay in the file
};

enum class schema_state : std::uint8_t { current = 0, behind = 1, ahead = 2 };

/// Looks without writing. A file that is not there is `behind`. `line` is what `--check-migrations`
/// prints.
struct schema_report {
  schema_state state;
  std::string line;
};
expected<schema_report> check_schema(const std::filesystem::path& file);

class database {
public:
  /// Opens or makes the file (WAL, foreign keys) and brings its schema up to date.
  /// `bad_version`: made by a newer banger. `corrupted`: not a database, or damaged.
  static expected<database> open(const std::filesystem::path& file);
  database(database&&) noexcept;
  database& operator=(database&&) noexcept;
  ~database();

  /// All there is; then forgets what the journal says of VMs that are not there.
  expected<snapshot> load();
  /// The same of one VM, by its id; empty if there is none.
  expected<snapshot> load_one(const std::string& vm);

  /// Of the four words below, all that come until `commit` are one transaction: on the disk when
  /// that answers, or none of it there. One that fails changes nothing and leaves the others in.
  /// Outside of a batch each is a transaction of its own, which a loss of power may take back.
  expected<void> begin_batch();
  expected<void> commit_batch();
  bool in_batch() const { return in_batch_; }
  /// SQLite has taken the batch back by itself, as it does when the disk is full.
  bool lost_batch() const;

  expected<void> save(const vm::record& r);
  expected<void> intend(const intent& i);
  /// An operation of this VM has ended: the VM as it is now, and what the journal says of it gone,
  /// in one transaction. Rows that a crash left behind go with it.
  expected<void> settle(const vm::record& r);
  /// The same for a VM that is gone.
  expected<void> erase(const std::string& vm);

private:
  expected<snapshot> load_where(const std::string* vm);
  explicit database(std::unique_ptr<SQLite::Database> db);
  std::unique_ptr<SQLite::Database> db_;
  bool in_batch_ = false;
};

} // namespace banger::store
