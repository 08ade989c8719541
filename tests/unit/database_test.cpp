#include "actors/store/database.hpp"
#include "tests/support/catch.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <fstream>

using namespace banger;
namespace fs = std::filesystem;

namespace {

struct place {
  fs::path folder;
  place() {
    auto pattern = (fs::temp_directory_path() / "banger-db-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
  }
  ~place() { fs::remove_all(folder); }
  fs::path file() const { return folder / "state.db"; }
};

vm::record some_vm(const std::string& id, const std::string& name) {
  vm::record r{*vm_id::parse(id),
               *vm_name::parse(name),
               {*image_name::parse("tiny"), 2, 512, GiB, true, true},
               vm::state::running,
               {},
               "it \"broke\"\nonce",
               42,
               std::string(32, 'a')};
  r.machine.process = {77, 1234, "boot"};
  r.machine.root_disk = "qcow2";
  r.machine.last_start = {{"launch", 1500, true}, {"hello", 1'400'000, false}};
  return r;
}

} // namespace

TEST_CASE("what is stored comes back whole") {
  const place p;
  const auto vm = some_vm("0123456789ab", "otter");
  {
    auto db = store::database::open(p.file());
    REQUIRE(db);
    REQUIRE(db->save(vm));
  }
  auto db = store::database::open(p.file());
  REQUIRE(db);
  const auto all = db->load();
  REQUIRE(all);
  REQUIRE(all->vms.size() == 1);
  const auto& back = all->vms.front();
  CHECK(back.name == vm.name);
  CHECK(back.now == vm::state::running);
  CHECK(back.wanted.memory_mib == 512);
  CHECK(back.wanted.nat);
  CHECK(back.wanted.ephemeral);
  CHECK(back.machine.process.start_time == 1234);
  CHECK(back.machine.last_start.at(1).micros == 1'400'000);
  CHECK(back.last_error == vm.last_error);
  CHECK(back.machine_id == vm.machine_id);
}

TEST_CASE("others see a batch whole or not at all, and a word of it that fails changes nothing") {
  const place p;
  auto db = store::database::open(p.file());
  REQUIRE(db);
  SQLite::Database other(p.file().string(), SQLite::OPEN_READONLY);
  const auto rows = [&] { return other.execAndGet("SELECT count(*) FROM vms").getInt(); };
  REQUIRE(db->begin_batch());
  REQUIRE(db->settle(some_vm("00000000000a", "a")));
  CHECK_FALSE(db->settle(some_vm("00000000000b", "a")));
  REQUIRE(db->intend({"op-1", "00000000000a", "delete", "kill"}));
  CHECK(rows() == 0);
  REQUIRE(db->commit_batch());
  CHECK(rows() == 1);
  CHECK(db->load()->unfinished.size() == 1);
  CHECK_FALSE(db->commit_batch());
  REQUIRE(db->erase("00000000000a"));
  CHECK(rows() == 0);
}

TEST_CASE("an intent stays until its operation is settled or its VM erased") {
  const place p;
  auto db = store::database::open(p.file());
  REQUIRE(db);
  const auto a = some_vm("00000000000a", "a"), b = some_vm("00000000000b", "b");
  REQUIRE(db->save(a));
  REQUIRE(db->save(b));
  REQUIRE(db->intend({"op-1", a.id.str(), "start", "launch"}));
  REQUIRE(db->intend({"op-1", a.id.str(), "start", "hello"}));
  REQUIRE(db->intend({"op-2", b.id.str(), "delete", "kill"}));
  auto all = db->load();
  REQUIRE(all->unfinished.size() == 2);
  CHECK(all->unfinished.front().step == "hello");
  REQUIRE(db->settle(a));
  REQUIRE(db->erase(b.id.str()));
  all = db->load();
  CHECK(all->unfinished.empty());
  REQUIRE(all->vms.size() == 1);
  CHECK(all->vms.front().name.str() == "a");
}

TEST_CASE("what a crash left in the journal goes with the next operation of that VM") {
  const place p;
  auto db = store::database::open(p.file());
  const auto a = some_vm("00000000000a", "a");
  REQUIRE(db->save(a));
  REQUIRE(db->intend({"op-of-the-crash", a.id.str(), "start", "launch"}));
  REQUIRE(db->intend({"op-of-the-sweep", a.id.str(), "sweep", "kill"}));
  REQUIRE(db->settle(a));
  CHECK(db->load()->unfinished.empty());
}

TEST_CASE("what the journal says of a VM that was never recorded is told once and forgotten") {
  const place p;
  auto db = store::database::open(p.file());
  const auto a = some_vm("00000000000a", "a");
  REQUIRE(db->save(a));
  REQUIRE(db->intend({"op-1", a.id.str(), "start", "launch"}));
  REQUIRE(db->intend({"op-2", "00000000000b", "create", "image"}));
  CHECK(db->load()->unfinished.size() == 2);
  const auto again = db->load();
  REQUIRE(again->unfinished.size() == 1);
  CHECK(again->unfinished.front().op == "op-1");
}

TEST_CASE("one VM is read with its unfinished operation and nothing of others") {
  const place p;
  auto db = store::database::open(p.file());
  const auto a = some_vm("00000000000a", "a"), b = some_vm("00000000000b", "b");
  REQUIRE(db->save(a));
  REQUIRE(db->save(b));
  REQUIRE(db->intend({"op-1", a.id.str(), "start", "launch"}));
  REQUIRE(db->intend({"op-2", b.id.str(), "stop", "kill"}));
  const auto one = db->load_one(b.id.str());
  REQUIRE(one);
  REQUIRE(one->vms.size() == 1);
  CHECK(one->vms.front().name == b.name);
  REQUIRE(one->unfinished.size() == 1);
  CHECK(one->unfinished.front().op == "op-2");
  CHECK(db->load_one("00000000000c")->vms.empty());
}

TEST_CASE("two VMs of one name are refused by the file itself") {
  const place p;
  auto db = store::database::open(p.file());
  REQUIRE(db->save(some_vm("00000000000a", "same")));
  const auto second = db->save(some_vm("00000000000b", "same"));
  REQUIRE_FALSE(second);
  CHECK(second.error().code == errc::already_exists);
}

TEST_CASE("a damaged row is set aside by name, the others are served") {
  const place p;
  auto db = store::database::open(p.file());
  REQUIRE(db->save(some_vm("00000000000a", "a")));
  REQUIRE(db->save(some_vm("00000000000b", "b")));
  SQLite::Database raw(p.file().string(), SQLite::OPEN_READWRITE);
  raw.exec("UPDATE vms SET runtime_json = '{' WHERE name = 'a'");
  const auto all = db->load();
  REQUIRE(all);
  CHECK(all->vms.size() == 1);
  REQUIRE(all->quarantined.size() == 1);
  CHECK(all->quarantined.front().rfind("00000000000a", 0) == 0);
}

TEST_CASE("a file of a newer banger is refused and left as it is") {
  const place p;
  { REQUIRE(store::database::open(p.file())); }
  {
    SQLite::Database raw(p.file().string(), SQLite::OPEN_READWRITE);
    raw.exec("INSERT INTO schema_migrations VALUES (999, 'from the future')");
  }
  const auto opened = store::database::open(p.file());
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == errc::bad_version);
  CHECK(store::check_schema(p.file())->state == store::schema_state::ahead);
}

TEST_CASE("a file that is no database is corrupted, not overwritten") {
  const place p;
  { std::ofstream(p.file()) << std::string(8192, 'x'); }
  const auto opened = store::database::open(p.file());
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == errc::corrupted);
  CHECK_FALSE(opened.error().remedy.empty());
  CHECK(fs::file_size(p.file()) == 8192);
}

TEST_CASE("the migration report has one line for each case") {
  const place p;
  CHECK(store::check_schema(p.file())->line ==
        "migrations needed: pending [1] (applied on the next start)");
  { REQUIRE(store::database::open(p.file())); }
  CHECK(store::check_schema(p.file())->line == "compatible: no migrations needed");
}
