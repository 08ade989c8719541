// The directory of VMs: who is there, under which name, and which operations run for whom. Every
// client speaks to VMs through it; it answers lists from memory and hands everything else on.
#pragma once

#include "actors/vm/vm.hpp"
#include "messages/client.hpp"
#include "messages/vms.hpp"

#include <functional>

namespace banger::vms {

struct census {
  std::uint32_t vms = 0, running = 0, operations = 0;
  std::uint32_t owned = 0; ///< that live for a client
};

using census_atom = caf::atom_constant<caf::atom("census")>;
using drain_atom = caf::atom_constant<caf::atom("drain")>;
using flush_atom = caf::atom_constant<caf::atom("flush")>;

} // namespace banger::vms

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::vms::census)

namespace banger::vms {

using vms_actor = messages::vms_facet::extend_with<vm::vm_listener>::extend<
    /// How many there are of each. Never waits.
    caf::replies_to<census_atom>::with<census>,
    /// No new operations from here on (`busy`); answers when the last one has ended.
    caf::replies_to<drain_atom>::with<void>,
    /// Internal: the last progress of a burst for this operation is due.
    caf::reacts_to<flush_atom, std::string>>;

/// What a daemon start found in the database, with what is to be done about it.
struct found_vm {
  vm::record record;
  vm::recovery then = vm::recovery::keep;
};

/// What the directory needs of the house around it.
struct surroundings {
  std::function<vm::vm_actor(vm::record, vm::vm_listener, vm::recovery)> make_vm;
  std::function<std::string(const std::string& id, bool follow)> offer_log; ///< a stream token
  host_limits limits;
};

vms_actor spawn_vms(caf::actor_system& system, std::vector<found_vm> found, surroundings around);

} // namespace banger::vms
