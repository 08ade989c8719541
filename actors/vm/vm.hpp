// The VM actor: one per VM. Its queue of operations is what a per-VM mutex would be, and nothing
// else touches the VM. Mutating verbs take their turn in order; reads, cancel and exec are answered
// at once.
#pragma once

#include "actors/store/store.hpp"
#include "actors/vm/machine.hpp"
#include "messages/block.hpp"

namespace banger::vm {

using order_atom = caf::atom_constant<caf::atom("order")>;
using touch_atom = caf::atom_constant<caf::atom("vmtouch")>;
using machine_atom = caf::atom_constant<caf::atom("machine")>;

/// An operation that nobody asked for: a recovery. Its progress and end follow.
struct own_operation {
  std::string op, vm;
  verb what{};
};

} // namespace banger::vm

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::vm::order)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::vm::own_operation)

namespace banger::vm {

/// What a VM tells its directory.
using vm_listener = caf::typed_actor<
    /// Something that a list shows has changed.
    caf::reacts_to<messages::vm_view>, caf::reacts_to<own_operation>,
    caf::reacts_to<messages::progress>,
    /// An operation has ended. After the last one of a VM that is gone, the VM actor ends too.
    caf::reacts_to<messages::finished>>;

using vm_actor = machine_listener::extend<
    /// Takes its turn; its progress and end go to the directory.
    caf::reacts_to<order_atom, order>,
    /// Ends the operation if it waits or runs; false if it is not there any more.
    caf::replies_to<messages::cancel_atom, std::string>::with<bool>,
    /// The committed state, also in the middle of an operation. Never fails, never waits.
    caf::replies_to<messages::show_atom>::with<messages::vm_detail>,
    /// It is made use of: the time of that is kept.
    caf::reacts_to<touch_atom>,
    /// `not_running` unless it runs. Touches it.
    caf::replies_to<messages::exec_atom, messages::exec_request>::with<messages::stream_ticket>,
    /// `not_running` unless it runs. Touches it.
    caf::replies_to<messages::attach_atom, messages::attach_request>::with<messages::stream_ticket>,
    /// Reads, answered also in the middle of an operation: as the machine's (machine.hpp).
    caf::replies_to<messages::stats_atom>::with<messages::vm_stats>,
    caf::replies_to<messages::ports_atom>::with<messages::vm_ports>,
    caf::replies_to<messages::health_atom>::with<messages::vm_health>,
    caf::replies_to<messages::console_atom>::with<messages::stream_ticket>,
    /// Have clients commands in the guest? Never waits.
    caf::replies_to<in_use_atom>::with<bool>,
    /// The one beside it; each ends with the other. Never waits.
    caf::replies_to<machine_atom>::with<machine_actor>>;

/// Spawns a machine of its own. `then`: what a daemon start found to do first.
vm_actor spawn_vm(caf::actor_system& system, record vm, store::store_actor store,
                  const machine_room& room, vm_listener directory, recovery then = recovery::keep);

/// The same with a given machine, for tests that play the host. `folder` is only shown.
vm_actor spawn_vm(caf::actor_system& system, record vm, store::store_actor store,
                  machine_actor machine, step_table steps, std::string folder,
                  vm_listener directory, recovery then = recovery::keep);

messages::vm_view to_view(const record& r);

} // namespace banger::vm
