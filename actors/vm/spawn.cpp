// Puts VM and machine together.
#include "actors/vm/vm_state.hpp"

namespace banger::vm {

namespace {

vm_actor::behavior_type behave(vm_state& vm) {
  return {
      [&vm](const image::note& news) { vm.hear(news); },
      [&vm](const machine_ended& end) { vm.hear(end); },
      [&vm](const machine_paused& news) { vm.hear(news); },
      [&vm](used_atom) { vm.hear_use(); },
      [&vm](order_atom, const order& wanted) { vm.take(wanted); },
      [&vm](messages::cancel_atom, const std::string& op) { return vm.cancel(op); },
      [&vm](messages::show_atom) { return vm.detail(); },
      [&vm](touch_atom) { vm.touch(); },
      [&vm](messages::exec_atom, const messages::exec_request& request) {
        return vm.open(request);
      },
      [&vm](messages::attach_atom, const messages::attach_request& request) {
        return vm.open(request);
      },
      [&vm](messages::stats_atom what) { return vm.read<messages::vm_stats>(what); },
      [&vm](messages::ports_atom what) { return vm.read<messages::vm_ports>(what); },
      [&vm](messages::health_atom what) { return vm.read<messages::vm_health>(what); },
      [&vm](messages::console_atom what) { return vm.read<messages::stream_ticket>(what); },
      [&vm](in_use_atom what) { return vm.in_use(what); },
      [&vm](machine_atom) { return vm.machine(); },
  };
}

vm_actor::behavior_type vm_with_machine(vm_actor::stateful_pointer<vm_state> self, record vm,
                                        vm_state::surroundings around, recovery then) {
  static_assert(actor::sound_state<vm_state>);
  actor::make_sturdy(self);
  // A machine that nobody gives orders to must let go of its hypervisor, for the next one to take.
  self->link_to(around.machine);
  self->state.init(self, std::move(vm), std::move(around));
  self->state.recover(then);
  return behave(self->state);
}

vm_actor::behavior_type vm_in_room(vm_actor::stateful_pointer<vm_state> self, record vm,
                                   store::store_actor store, const machine_room* room,
                                   vm_listener directory, recovery then) {
  const auto me = caf::actor_cast<machine_listener>(vm_actor(self));
  const auto folder = (room->site.vms / vm.id.str()).string();
  auto machine = spawn_machine(self->home_system(), *room, me,
                               room->attend ? room->attend(vm.id.str()) : nullptr);
  return vm_with_machine(
      self, std::move(vm),
      {std::move(store), std::move(machine),
       compose(room->capabilities, static_cast<bool>(room->network), room->site.bridged), folder,
       std::move(directory), room->site.why_not_bridged, room->site.bridged},
      then);
}

} // namespace

vm_actor spawn_vm(caf::actor_system& system, record vm, store::store_actor store,
                  const machine_room& room, vm_listener directory, recovery then) {
  return system.spawn(vm_in_room, std::move(vm), std::move(store), &room, std::move(directory),
                      then);
}

vm_actor spawn_vm(caf::actor_system& system, record vm, store::store_actor store,
                  machine_actor machine, step_table steps, std::string folder,
                  vm_listener directory, recovery then) {
  return system.spawn(vm_with_machine, std::move(vm),
                      vm_state::surroundings{std::move(store), std::move(machine), std::move(steps),
                                             std::move(folder), std::move(directory)},
                      then);
}

} // namespace banger::vm
