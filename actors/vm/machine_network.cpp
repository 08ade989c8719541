// The part of a machine that has to do with the bridge. Its steps are there only where there is
// one.
#include "actors/vm/machine_state.hpp"

namespace banger::vm {

using namespace std::chrono_literals;

constexpr auto network_deadline = 60s;

void machine_state::connect_network() {
  const auto& vm = build_->vm;
  const network::arrival who{op_, vm.id.str(), vm.name.str(),
                             vm.machine.address.substr(0, vm.machine.address.find('/')),
                             vm.wanted.nat};
  actor::ask(self_, room_->network, network_deadline, network::attach_atom::value, who)
      .then(
          [this](const network::lease_ptr& lease) {
            build_->vm.machine.bridge = lease->bridge;
            build_->vm.machine.address = lease->address;
            build_->port = {lease->gateway, lease->mac, lease->device};
            finish({});
          },
          [this](caf::error& why) { finish(tl::unexpected(actor::from_error(why))); });
}

void machine_state::disconnect_network() {
  build_->port.reset();
  tell_network(network::detach_atom::value, op_, build_->vm.id.str());
}

// To what its record says now: as it is to be, or, undone, as it was.
void machine_state::change_network() {
  const auto id = build_->vm.id.str();
  const bool nat = build_->vm.wanted.nat;
  actor::ask(self_, room_->network, network_deadline, network::rename_atom::value, id,
             build_->vm.name.str())
      .then([this, id, nat] { tell_network(network::nat_atom::value, op_, id, nat); },
            [this](caf::error& why) { finish(tl::unexpected(actor::from_error(why))); });
}

// Nobody waits for it.
void machine_state::leave_network() {
  if (room_->network)
    actor::ask(self_, room_->network, network_deadline, network::detach_atom::value, op_,
               build_->vm.id.str())
        .then([] {}, [](caf::error&) {});
}

template <class... Words>
void machine_state::tell_network(Words... words) {
  actor::ask(self_, room_->network, network_deadline, words...)
      .then([this] { finish({}); },
            [this](caf::error& why) { finish(tl::unexpected(actor::from_error(why))); });
}

} // namespace banger::vm
