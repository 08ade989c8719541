// When the store answers: not before the disk has it, and once for all that came meanwhile.
#include "tests/actor/stage.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

using namespace banger;
using namespace banger::test;

namespace {

struct bookkeeping : stage {
  scratch folder;
  store::store_actor file = keep(
      store::spawn_store_for_test(system, std::move(*store::database::open(folder / "state.db"))));

  int rows() const {
    SQLite::Database other((folder / "state.db").string(), SQLite::OPEN_READONLY);
    return other.execAndGet("SELECT count(*) FROM vms").getInt();
  }
  vm::record_ptr vm(const std::string& name) const {
    return std::make_shared<const vm::record>(some_vm(name));
  }
  /// Message by message, until somebody else sees a row.
  void run_until_seen() {
    for (int i = 0; i < 20 && rows() == 0; ++i)
      scheduler.run_once();
  }
};

} // namespace

TEST_CASE_METHOD(bookkeeping, "ends of operations that come together share a commit") {
  for (const auto* name : {"otter", "heron", "newt"})
    client->send(file, store::settle_atom::value, vm(name));
  run_until_seen();
  CHECK(rows() == 3);
  scheduler.run();
  for (int i = 0; i < 3; ++i)
    client->receive([] {}, caf::after(0s) >> [] { FAIL("no answer"); });
}

TEST_CASE_METHOD(bookkeeping, "a word that fails is told so, and does not fail the others") {
  client->send(file, store::settle_atom::value, vm("otter"));
  auto same = std::make_shared<vm::record>(some_vm("heron"));
  same->name = *vm_name::parse("otter");
  client->send(file, store::settle_atom::value, vm::record_ptr(same));
  int good = 0, bad = 0;
  scheduler.run();
  for (int i = 0; i < 2; ++i)
    client->receive([&] { ++good; }, [&](const caf::error&) { ++bad; },
                    caf::after(0s) >> [] { FAIL("no answer"); });
  CHECK(good == 1);
  CHECK(bad == 1);
  CHECK(rows() == 1);
}

TEST_CASE_METHOD(bookkeeping, "what is begun is written at once, and joins a commit under way") {
  client->send(file, store::save_atom::value, vm("otter"));
  run_until_seen();
  CHECK(rows() == 1);
  client->send(file, store::settle_atom::value, vm("heron"));
  client->send(file, store::save_atom::value, vm("newt"));
  for (int i = 0; i < 20 && rows() == 1; ++i)
    scheduler.run_once();
  CHECK(rows() == 3);
}

TEST_CASE_METHOD(bookkeeping, "what is found is on the disk") {
  client->send(file, store::settle_atom::value, vm("otter"));
  client->send(file, store::find_atom::value, vm("otter")->id.str());
  run_until_seen();
  CHECK(rows() == 1);
  scheduler.run();
  int answers = 0;
  for (int i = 0; i < 2; ++i)
    client->receive([&] { ++answers; },
                    [&](const store::snapshot_ptr& one) { answers += one->vms.size() == 1; },
                    caf::after(0s) >> [] { FAIL("no answer"); });
  CHECK(answers == 2);
}
