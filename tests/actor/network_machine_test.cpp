// A machine on the bridge: what its steps make of the network actor.
#include "tests/actor/network_scene.hpp"

using namespace banger;
using namespace banger::test;

namespace {

struct on_bridge : bridged {
  std::optional<work::pool> hands{1};
  vm::machine_room room;
  vm::machine_listener owner = keep(system.spawn([]() -> vm::machine_listener::behavior_type {
    return {[](const image::note&) {}, [](const vm::machine_ended&) {},
            [](const vm::machine_paused&) {}, [](vm::used_atom) {}};
  }));
  vm::machine_actor machine;

  void enter(const std::string& subnet = "10.213.0.0/20") {
    open(*ipv4_net::parse(subnet));
    room.network = network;
    room.images = images;
    room.workers = room.readers = room.flushers = &*hands;
    machine = another();
  }
  vm::machine_actor another() { return keep(vm::spawn_machine(system, room, owner)); }
  ~on_bridge() {
    hands.reset();
    end_all();
  }

  static vm::step_request step(const std::string& name, vm::verb verb, const vm::record& r) {
    return {"op-1", name, verb, std::make_shared<const vm::record>(r)};
  }
  vm::record act(const vm::step_request& request) {
    return *ask<vm::record_ptr>(machine, vm::do_atom::value, request);
  }
  vm::record undo(const vm::step_request& request) {
    return *ask<vm::record_ptr>(machine, vm::undo_atom::value, request);
  }
};

} // namespace

TEST_CASE_METHOD(on_bridge, "a create that fails gives its address back, a start keeps it") {
  enter("10.213.0.0/30"); // one guest
  const auto otter = some_vm("otter");
  CHECK(act(step("connect", vm::verb::create, otter)).machine.address == "10.213.0.2/30");
  undo(step("connect", vm::verb::create, otter));
  machine = another();
  const auto heron = some_vm("heron", vm::state::stopped);
  CHECK(act(step("connect", vm::verb::start, heron)).machine.address == "10.213.0.2/30");
  undo(step("connect", vm::verb::start, heron));
  CHECK(refusal("beaver").code == errc::busy);
}

TEST_CASE_METHOD(on_bridge, "a rename keeps what is in the way of the VM's NAT") {
  enter();
  auto otter = some_vm("otter", vm::state::running);
  otter.wanted.nat = true;
  otter = act(step("connect", vm::verb::start, otter));
  CHECK(otter.machine.in_the_way == "a wall");
  otter.name = *vm_name::parse("beaver");
  CHECK(act(step("network", vm::verb::set, otter)).machine.in_the_way == "a wall");
  otter.wanted.nat = false;
  n.wall.clear();
  CHECK(act(step("network", vm::verb::set, otter)).machine.in_the_way.empty());
}

TEST_CASE_METHOD(on_bridge, "one whose place only its record knows is taken off by that") {
  open(fail(errc::bad_request, "VMs cannot have the network", "the host has the route"));
  room.network = network;
  room.workers = room.readers = room.flushers = &*hands;
  machine = another();
  auto otter = some_vm("otter", vm::state::running);
  otter.machine.bridge = "br-fc";
  otter.machine.address = "10.213.0.7/20";
  act(step("disconnect", vm::verb::stop, otter));
  CHECK(told().empty()); // it does not run
  otter.machine.process.pid = 4711;
  act(step("disconnect", vm::verb::stop, otter));
  CHECK(told() == words{"close tap-fc-0ad50007", "expel 10.213.0.7"});
}
