#include "actors/operations/ids.hpp"
#include "actors/vm/capability.hpp"
#include "actors/vm/rules.hpp"
#include "tests/support/catch.hpp"

#include <fstream>
#include <set>

using namespace banger;
using namespace banger::vm;

namespace {

record some_vm(state now, bool ephemeral = false) {
  return {*vm_id::parse("0123456789ab"),
          *vm_name::parse("otter"),
          {*image_name::parse("tiny"), 1, 256, 64 * MiB, false, ephemeral},
          now,
          {},
          {},
          1,
          {}};
}

const step_table table = compose(standard_capabilities());

std::vector<std::string> names(const std::vector<step>& steps) {
  std::vector<std::string> all;
  for (const auto& s : steps)
    all.push_back(s.name);
  return all;
}

} // namespace

TEST_CASE("the start table is composed from the capabilities, host first, guest last") {
  CHECK(names(table.start) == std::vector<std::string>{"image", "folder", "root-disk", "work-disk",
                                                       "launch", "hello", "configure", "flush",
                                                       "boot"});
}

TEST_CASE("a VM that is only made has no place on the bridge yet") {
  const auto bridged = compose(standard_capabilities(), true);
  order make{"", verb::create};
  CHECK(names(decide(some_vm(state::created), make, bridged)->steps) ==
        std::vector<std::string>{"image", "folder", "root-disk", "work-disk", "connect", "launch",
                                 "hello", "configure", "flush"});
  make.boot = false;
  CHECK(names(decide(some_vm(state::created), make, bridged)->steps) ==
        std::vector<std::string>{"image", "folder", "root-disk", "work-disk", "flush"});
  // A boot that hung begins again with the tap that it has.
  const auto start = *decide(some_vm(state::stopped), order{"", verb::start}, bridged);
  const failure hung{errc::timed_out, "", "", "", ""};
  CHECK(names(start.steps).at(*retry_from(start, 6, hung, 0)) == "launch");
}

TEST_CASE("a start goes on until the image's init is done only for those who wait for it") {
  for (auto v : {verb::create, verb::start}) {
    const auto awaited = *decide(some_vm(state::created), {"", v, true}, table);
    const auto plain = *decide(some_vm(state::created), order{"", v}, table);
    CHECK(names(awaited.steps).back() == "boot");
    CHECK(names(plain.steps).back() == "flush");
    CHECK(awaited.steps.size() == plain.steps.size() + 1);
  }
}

TEST_CASE(
    "a kill ends what runs without asking the guest, and has nothing to do with what does not") {
  for (auto now : {state::running, state::error}) {
    const auto todo = *decide(some_vm(now), order{"", verb::kill}, table);
    CHECK(names(todo.steps) == std::vector<std::string>{"kill", "release"});
    CHECK(todo.settled == state::stopped);
  }
  for (auto now : {state::created, state::stopped})
    CHECK(decide(some_vm(now), order{"", verb::kill}, table)->steps.empty());
}

TEST_CASE("a running VM cannot be started, and the error says what to do instead") {
  const auto todo = decide(some_vm(state::running), order{"", verb::start}, table);
  REQUIRE_FALSE(todo);
  CHECK(todo.error().code == errc::bad_request);
  CHECK(todo.error().remedy.find("banger vm exec otter") != std::string::npos);
}

TEST_CASE("stopping what does not run has nothing to do and keeps the state") {
  for (auto now : {state::created, state::stopped}) {
    const auto todo = decide(some_vm(now), order{"", verb::stop}, table);
    REQUIRE(todo);
    CHECK(todo->steps.empty());
    CHECK(todo->settled == now);
  }
}

TEST_CASE("stop and delete are legal from every state") {
  for (auto now : {state::created, state::running, state::stopped, state::error}) {
    CHECK(decide(some_vm(now), order{"", verb::stop}, table));
    const auto gone = decide(some_vm(now), order{"", verb::remove}, table);
    REQUIRE(gone);
    CHECK(gone->gone);
  }
}

TEST_CASE("only a boot that timed out is begun again, and only once, from its first boot step") {
  const auto p = *decide(some_vm(state::created), order{"", verb::create}, table);
  const auto at = [&](std::string_view name) {
    std::size_t i = 0;
    while (p.steps[i].name != name)
      ++i;
    return i;
  };
  const failure late{errc::timed_out, {}, {}, {}, {}},
      broken{errc::operation_failed, {}, {}, {}, {}};
  CHECK(retry_from(p, at("hello"), late, 0) == at("launch"));
  CHECK(retry_from(p, at("configure"), late, 0) == at("launch"));
  CHECK_FALSE(retry_from(p, at("hello"), late, 1));
  CHECK_FALSE(retry_from(p, at("hello"), broken, 0));
  CHECK_FALSE(retry_from(p, at("image"), late, 0));
}

TEST_CASE("a create that failed leaves no VM, a start that failed leaves it in error, a cancelled "
          "start stopped") {
  const failure why{errc::operation_failed, "no", {}, {}, {}},
      cancelled{errc::cancelled, "no", {}, {}, {}};
  CHECK(after_failure(some_vm(state::created), verb::create, why).gone);
  CHECK(after_failure(some_vm(state::created), verb::create, cancelled).gone);
  CHECK(after_failure(some_vm(state::stopped), verb::start, why).now == state::error);
  CHECK(after_failure(some_vm(state::stopped), verb::start, cancelled).now == state::stopped);
}

TEST_CASE("a verb that is refused changes no state") {
  const failure refused{errc::bad_request, "no", {}, {}, {}};
  for (const auto v : {verb::start, verb::stop, verb::remove})
    CHECK(after_failure(some_vm(state::running), v, refused, remains::untouched).now ==
          state::running);
}

TEST_CASE("of a set that was cut off only that is undone which can have been done") {
  const auto bridged = compose(standard_capabilities(), true);
  const auto names = [&](const record& r) {
    std::string all;
    for (const auto& s : undo_of_set(r, bridged).steps)
      all += s.name + " ";
    return all;
  };
  auto r = some_vm(state::stopped);
  CHECK(names(r) == "grow-disk ");
  r.machine.bridge = "br-fc"; // where it was
  CHECK(names(r) == "grow-disk ");
  r.now = state::running;
  r.machine.process.pid = 17;
  CHECK(names(r) == "network ");
  r.machine.bridge.clear();
  CHECK(names(r).empty());
}

TEST_CASE("what could not be undone is kept, in error") {
  const failure why{errc::cancelled, "no", {}, {}, {}};
  for (const auto v : {verb::create, verb::start, verb::restart}) {
    const auto left = after_failure(some_vm(state::stopped), v, why, remains::in_part);
    CHECK_FALSE(left.gone);
    CHECK(left.now == state::error);
  }
}

TEST_CASE("what a daemon start does follows from journal and evidence, and is never 'unknown'") {
  using r = recovery;
  const auto at_rest = some_vm(state::stopped), runs = some_vm(state::running);
  CHECK(recover(at_rest, {{}, false}) == r::keep);
  CHECK(recover(at_rest, {{}, true}) == r::sweep);
  CHECK(recover(runs, {{}, true}) == r::adopt);
  CHECK(recover(runs, {{}, false}) == r::stopped);
  for (bool lives : {false, true}) {
    CHECK(recover(some_vm(state::created), {verb::create, lives}) == r::remove);
    CHECK(recover(at_rest, {verb::start, lives}) == r::sweep);
    CHECK(recover(runs, {verb::stop, lives}) == r::sweep);
    CHECK(recover(runs, {verb::remove, lives}) == r::remove);
    CHECK(recover(some_vm(state::stopped, true), {{}, lives}) == r::remove);
    CHECK(recover(some_vm(state::running, true), {verb::stop, lives}) == r::remove);
  }
  // Its client may still be there, and come back.
  CHECK(recover(some_vm(state::running, true), {{}, true}) == r::adopt);
  CHECK(recover(some_vm(state::running, true), {{}, false}) == r::remove);
}

TEST_CASE("a restart stops what runs and starts it, and a failure of its stop undoes nothing") {
  for (auto now : {state::running, state::error}) {
    const auto todo = *decide(some_vm(now), order{"", verb::restart}, table);
    CHECK(names(todo.steps) == std::vector<std::string>{"shutdown", "release", "image", "folder",
                                                        "root-disk", "work-disk", "launch", "hello",
                                                        "configure", "flush"});
    CHECK(todo.undo_from == 2);
    CHECK_FALSE(todo.undoable(1));
    CHECK(todo.undoable(2));
  }
  for (auto now : {state::created, state::stopped})
    CHECK(names(decide(some_vm(now), order{"", verb::restart}, table)->steps) ==
          names(decide(some_vm(now), order{"", verb::start}, table)->steps));
}

TEST_CASE("a VM that is made without a start has its disks and is at rest") {
  order make{"", verb::create};
  make.boot = false;
  const auto todo = *decide(some_vm(state::created), make, table);
  CHECK(names(todo.steps) ==
        std::vector<std::string>{"image", "folder", "root-disk", "work-disk", "flush"});
  CHECK(todo.settled == state::created);
}

namespace {

record running_vm() {
  auto vm = some_vm(state::running);
  vm.machine.process.pid = 4711;
  return vm;
}

order set(change to) {
  order o{"", verb::set};
  o.to = to;
  return o;
}

} // namespace

TEST_CASE("a set keeps what it does not name, and the state") {
  change to;
  to.vcpu = 2;
  to.autostart = true;
  const auto then = *changed(some_vm(state::stopped), to);
  CHECK(then.wanted.vcpu == 2);
  CHECK(then.wanted.autostart);
  CHECK(then.wanted.memory_mib == 256);
  CHECK(then.wanted.disk_bytes == 64 * MiB);
  CHECK(then.name.str() == "otter");
  for (auto now : {state::created, state::stopped, state::error})
    CHECK(decide(some_vm(now), set(to), table)->settled == now);
}

TEST_CASE("a disk grows by a step that can be undone, and never shrinks") {
  change grow, shrink;
  grow.disk_bytes = 128 * MiB;
  shrink.disk_bytes = 32 * MiB;
  const auto todo = *decide(some_vm(state::stopped), set(grow), table);
  CHECK(names(todo.steps) == std::vector<std::string>{"grow-disk"});
  CHECK(todo.undoable(0));
  const auto refused = decide(some_vm(state::stopped), set(shrink), table);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::bad_request);
  CHECK(refused.error().why.find("64") != std::string::npos);
  change same;
  same.disk_bytes = 64 * MiB;
  CHECK(decide(some_vm(state::stopped), set(same), table)->steps.empty());
}

TEST_CASE("what runs takes a new name and autostart, and says to stop it for the rest") {
  change name, vcpu, memory, disk, nat, nested, same;
  name.name = *vm_name::parse("beaver");
  name.autostart = true;
  CHECK(decide(running_vm(), set(name), table));
  vcpu.vcpu = 2;
  memory.memory_mib = 512;
  disk.disk_bytes = 128 * MiB;
  nat.nat = true;
  nested.nested = true;
  for (const auto& to : {vcpu, memory, disk, nat, nested}) {
    const auto refused = decide(running_vm(), set(to), table);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::bad_request);
    CHECK(refused.error().remedy.find("banger vm stop otter") != std::string::npos);
  }
  same.vcpu = 1;
  CHECK(decide(running_vm(), set(same), table));
}

TEST_CASE("what was interrupted leaves the VM as the evidence has it") {
  const failure cancelled{errc::cancelled, "no", {}, {}, {}},
      why{errc::operation_failed, "no", {}, {}, {}};
  CHECK(after_failure(running_vm(), verb::stop, cancelled).now == state::running);
  CHECK(after_failure(running_vm(), verb::restart, cancelled).now == state::running);
  CHECK(after_failure(some_vm(state::running), verb::restart, cancelled).now == state::stopped);
  CHECK(after_failure(some_vm(state::created), verb::start, cancelled).now == state::created);
  CHECK(after_failure(some_vm(state::stopped), verb::set, why).now == state::stopped);
  for (auto v : {verb::kill, verb::remove, verb::set, verb::sweep})
    CHECK_FALSE(yields_to_force(v));
}

TEST_CASE("a create that the host's end cut off is kept once its guest may have written",
          "[faults]") {
  using r = recovery;
  const auto cut_off = [](bool rebooted, bool launched, bool ephemeral = false,
                          bool lives = false) {
    return recover(some_vm(state::created, ephemeral), {verb::create, lives, rebooted, launched});
  };
  CHECK(cut_off(true, true) == r::rescue);
  CHECK(cut_off(true, false) == r::remove);
  CHECK(cut_off(false, true) == r::remove); // the daemon was killed: nobody was told of it
  CHECK(cut_off(false, true, false, true) == r::remove);
  CHECK(cut_off(true, true, true) == r::remove);
  CHECK(recover(some_vm(state::stopped), {verb::remove, false, true, true}) == r::remove);
}

TEST_CASE("a host that was restarted is told apart from a VM that crashed") {
  using r = recovery;
  auto vm = some_vm(state::running);
  CHECK(recover(vm, {{}, false, true}) == r::stopped);
  vm.wanted.autostart = true;
  CHECK(recover(vm, {{}, false, true}) == r::restart);
  CHECK(recover(vm, {{}, false, false}) == r::stopped);
  CHECK(recover(vm, {{}, true, false}) == r::adopt);
  vm.now = state::stopped;
  CHECK(recover(vm, {{}, false, true}) == r::keep);
  CHECK(recover(vm, {verb::restart, false}) == r::restart);
  CHECK(recover(vm, {verb::set, false}) == r::revert);
  CHECK(recover(vm, {verb::set, true}) == r::sweep);
  vm.now = state::running;
  CHECK(recover(vm, {verb::set, true}) == r::revert);
  CHECK(recover(vm, {verb::set, false}) == r::sweep);
}

TEST_CASE("the step table in docs/lifecycle.md is the one in the code") {
  std::ifstream in(BANGER_SOURCE "/docs/lifecycle.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  INFO(describe_steps(table));
  CHECK(page.find(describe_steps(table)) != std::string::npos);
}

TEST_CASE("only a VM that does not run and has nothing to do is at rest") {
  for (const auto now : {state::created, state::stopped, state::error}) {
    CHECK(check_rest(some_vm(now), false));
    CHECK(check_rest(some_vm(now), true).error().code == errc::bad_request);
  }
  CHECK(check_rest(some_vm(state::running), false).error().why == "it is running");
}

TEST_CASE("clients may ask for verbs by their names only") {
  CHECK(parse_verb("stop") == verb::stop);
  CHECK(parse_verb("delete") == verb::remove);
  CHECK(parse_verb("kill") == verb::kill);
  CHECK(parse_verb("DELETE").error().code == errc::unknown_method);
  CHECK(parse_verb("").error().code == errc::unknown_method);
}

TEST_CASE("ids are inside their grammar and do not repeat") {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto id = operations::random_hex(12);
    CHECK(vm_id::parse(id));
    seen.insert(id);
  }
  CHECK(seen.size() == 1000);
  CHECK(operations::new_operation_id().size() == 13);
}
