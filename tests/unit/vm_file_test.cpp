// vm.json: what it keeps, and what is refused.
#include "actors/vm/vm_file.hpp"

#include "tests/unit/storage_scratch.hpp"

using namespace banger;
using namespace banger::vm;
using namespace banger::test;
using Catch::Contains;

namespace {

record some_vm() {
  record r{*vm_id::parse("0a1b2c3d4e5f"),
           *vm_name::parse("otter"),
           {*image_name::parse("tiny"), 2, 512, GiB, true, false, true},
           state::running,
           {},
           "an error",
           1234,
           std::string(32, 'f'),
           5678};
  r.machine.process = {17, 4711, "boot"};
  r.machine.root_disk = "qcow2";
  r.machine.image_file = "/images/tiny/rootfs.img";
  r.machine.init = "/sbin/init";
  r.machine.last_start = {{"launch", 17, true}};
  r.machine.hypervisor = "QEMU";
  return r;
}

struct place : scratch {
  std::filesystem::path folder() const { return *this / "0a1b2c3d4e5f"; }
  std::filesystem::path file() const { return folder() / vm_file_name; }
  place() { std::filesystem::create_directory(folder()); }
};

} // namespace

TEST_CASE("vm.json keeps what was asked for and what the disks are, and nothing that passes",
          "[faults]") {
  const place p;
  CHECK(code(read_vm_file(p.folder())) == errc::not_found);
  REQUIRE(write_vm_file(some_vm(), p.folder(), "first", false));
  const auto read = read_vm_file(p.folder());
  INFO(why(read));
  REQUIRE(read);
  CHECK(read->boot_id == "first");
  const auto& vm = read->vm;
  const auto was = some_vm();
  CHECK(vm.id == was.id);
  CHECK(vm.name == was.name);
  CHECK(spec_to_json(vm.wanted) == spec_to_json(was.wanted));
  CHECK(vm.created_ms == was.created_ms);
  CHECK(vm.machine_id == was.machine_id);
  CHECK(vm.machine.root_disk == "qcow2");
  CHECK(vm.machine.image_file == was.machine.image_file);
  CHECK(vm.machine.init == "/sbin/init");
  CHECK(vm.now == state::stopped);
  CHECK(vm.machine.process.pid == 0);
  CHECK(vm.last_error.empty());
}

TEST_CASE("vm.json is written again only for another VM than it has", "[faults]") {
  const place p;
  for (const bool durable : {false, true}) {
    auto vm = some_vm();
    REQUIRE(write_vm_file(vm, p.folder(), durable ? "third" : "first", durable));
    const auto text = slurp(p.file());
    vm.machine.hypervisor = "another";
    vm.machine.process = {};
    vm.touched_ms = 99;
    REQUIRE(write_vm_file(vm, p.folder(), "second", durable));
    CHECK(slurp(p.file()) == text);
    vm.name = *vm_name::parse(durable ? "badger" : "heron");
    REQUIRE(write_vm_file(vm, p.folder(), "second", durable));
    CHECK(read_vm_file(p.folder())->vm.name == vm.name);
    CHECK(read_vm_file(p.folder())->boot_id == "second");
  }
}

TEST_CASE("a vm.json that is torn, foreign or of a newer banger is refused by name", "[faults]") {
  const place p;
  REQUIRE(write_vm_file(some_vm(), p.folder(), "first", false));
  const auto whole = slurp(p.file());
  for (std::size_t bytes = 0; bytes + 2 < whole.size(); bytes += 7) {
    put(p.file(), whole.substr(0, bytes));
    const auto torn = read_vm_file(p.folder());
    CHECK(code(torn) == errc::corrupted);
    CHECK_THAT(why(torn), Contains("vm.json"));
  }
  const auto with = [&](const std::string& from, const std::string& to) {
    auto text = whole;
    text.replace(text.find(from), from.size(), to);
    put(p.file(), text);
    return why(read_vm_file(p.folder()));
  };
  CHECK_THAT(with("\"format\": 1", "\"format\": 2"), Contains("newer banger"));
  CHECK_THAT(with("0a1b2c3d4e5f", "0a1b2c3d4e50"), Contains("written for the VM 0a1b2c3d4e50"));
  CHECK_THAT(with("\"otter\"", "\"../x\""), Contains("corrupted"));
  CHECK_THAT(with("\"boot_id\"", "\"boot\""), Contains("corrupted"));
  put(p.file(), "[]");
  CHECK(code(read_vm_file(p.folder())) == errc::corrupted);
}

TEST_CASE("disks that had not come to the host's disk are seen before a VM is started on them",
          "[faults]") {
  const place p;
  auto vm = some_vm();
  CHECK_THAT(why(check_disks(vm, p.folder())), Contains("root.qcow2"));
  put(p.folder() / "root.qcow2", "QFI\xfb and more");
  CHECK_THAT(why(check_disks(vm, p.folder())), Contains("work.img"));
  put(p.folder() / "work.img", "");
  CHECK_THAT(why(check_disks(vm, p.folder())), Contains("is empty"));
  put(p.folder() / "work.img", "ext4");
  CHECK(check_disks(vm, p.folder()));
  put(p.folder() / "root.qcow2", std::string(16, '\0'));
  CHECK_THAT(why(check_disks(vm, p.folder())), Contains("no qcow2 file"));
  vm.machine.root_disk = "overlay";
  CHECK_THAT(why(check_disks(vm, p.folder())), Contains("upper.img"));
  vm.machine.root_disk.clear();
  CHECK_THAT(why(check_disks(vm, p.folder())), Contains("was not made"));
}
