// The part of a machine that has to do with the bridge. Its steps are there only where there is
// one.
#include "actors/vm/machine_state.hpp"

namespace banger::vm {

using namespace std::chrono_literals;

namespace {

constexpr auto network_deadline = 60s;

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines)
    text += (text.empty() ? "" : "; ") + line;
  return text;
}

} // namespace

void machine_state::connect_network() {
  const auto& vm = build_->vm;
  const network::arrival who{op_, vm.id.str(), vm.name.str(),
                             vm.machine.address.substr(0, vm.machine.address.find('/')),
                             vm.wanted.nat};
  const auto turn = ++turn_;
  actor::ask(self_, room_->network, network_deadline, network::attach_atom::value, who)
      .then(
          [this, turn](const network::lease_ptr& lease) {
            if (turn != turn_)
              return;
            build_->vm.machine.bridge = lease->bridge;
            build_->vm.machine.address = lease->address;
            build_->vm.machine.in_the_way = joined(lease->obstacles);
            build_->port = {lease->gateway, lease->mac, lease->device};
            finish({});
          },
          [this, turn](caf::error& why) { network_failed(turn, why); });
}

// Where a VM that runs no longer was, another one may be.
network::departure machine_state::departure() const {
  const auto& m = build_->vm.machine;
  if (m.process.pid == 0)
    return {op_, build_->vm.id.str(), {}, {}};
  return {op_, build_->vm.id.str(), m.bridge, m.address};
}

// `for_good`: there will be no such VM, so its address is free.
void machine_state::disconnect_network(bool for_good) {
  build_->port.reset();
  const auto turn = ++turn_;
  const auto forget = [this, id = build_->vm.id.str(), for_good] {
    if (for_good)
      actor::tell(self_, room_->network, network::forget_atom::value, id);
  };
  actor::ask(self_, room_->network, network_deadline, network::detach_atom::value, departure())
      .then(
          [this, turn, forget] {
            forget();
            if (turn == turn_)
              finish({});
          },
          [this, turn, forget](caf::error& why) {
            forget();
            network_failed(turn, why);
          });
}

// To what its record says now: as it is to be, or, undone, as it was.
void machine_state::change_network() {
  const auto id = build_->vm.id.str();
  const bool nat = build_->vm.wanted.nat;
  // Said one after the other, and heard so: the answer to the second is enough.
  actor::tell(self_, room_->network, network::rename_atom::value, id, build_->vm.name.str());
  const auto turn = ++turn_;
  actor::ask(self_, room_->network, network_deadline, network::nat_atom::value, op_, id, nat)
      .then(
          [this, turn](const network::policy_ptr& policy) {
            if (turn != turn_)
              return;
            if (policy)
              build_->vm.machine.in_the_way = joined(policy->obstacles);
            finish({});
          },
          [this, turn](caf::error& why) { network_failed(turn, why); });
}

void machine_state::network_failed(std::uint64_t turn, const caf::error& why) {
  if (turn == turn_)
    finish(tl::unexpected(actor::from_error(why)));
}

// Nobody waits for it.
void machine_state::leave_network() {
  if (room_->network)
    actor::ask(self_, room_->network, network_deadline, network::detach_atom::value, departure())
        .then([] {}, [](caf::error&) {});
}

} // namespace banger::vm
