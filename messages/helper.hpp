// The interfaces of the root helper: one actor for each role, on a socket of its own. A block of
// its own as well: only bangerd and the helper know these types.
#pragma once

#include "messages/block.hpp"
#include "messages/privileged.hpp"

CAF_BEGIN_TYPE_ID_BLOCK(banger_helper, caf::id_block::banger::end)
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::helper_about))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::bridge_order))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::taps_order))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::taps_reply))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::guest_order))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::policy_order))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::guest_change))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::policy_reply))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::resolver_order))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::network_inventory))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::network_sweep))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::sweep_reply))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::launch_order))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::launch_reply))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::signal_order))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::cleanup_order))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::root_disk_order))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::root_disk_reply))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::socket_order))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::machine_inventory))
CAF_ADD_TYPE_ID(banger_helper, (banger::messages::machine_sweep))

CAF_ADD_ATOM(banger_helper, banger::messages, bridge_atom, "bridge")
CAF_ADD_ATOM(banger_helper, banger::messages, taps_atom, "taps")
CAF_ADD_ATOM(banger_helper, banger::messages, policy_atom, "policy")
CAF_ADD_ATOM(banger_helper, banger::messages, guest_atom, "guest")
CAF_ADD_ATOM(banger_helper, banger::messages, resolver_atom, "resolver")
CAF_ADD_ATOM(banger_helper, banger::messages, inventory_atom, "inventory")
CAF_ADD_ATOM(banger_helper, banger::messages, sweep_atom, "sweep")
CAF_ADD_ATOM(banger_helper, banger::messages, launch_atom, "launch")
CAF_ADD_ATOM(banger_helper, banger::messages, signal_atom, "signal")
CAF_ADD_ATOM(banger_helper, banger::messages, cleanup_atom, "cleanup")
CAF_ADD_ATOM(banger_helper, banger::messages, rootdisk_atom, "rootdisk")
CAF_ADD_ATOM(banger_helper, banger::messages, socket_atom, "socket")
CAF_END_TYPE_ID_BLOCK(banger_helper)

namespace banger::messages {

/// With CAP_NET_ADMIN and nothing else. Every order is what there is to be, so repeating one is
/// harmless. All answer `bad_request` (field and rule are in the text; nothing was changed) and
/// `operation_failed` (tried, and undone).
using network_helper = caf::typed_actor<
    /// Never fails, never waits.
    caf::replies_to<hello_atom, hello_request>::with<helper_about>,
    /// `already_exists`: a link of that name that is not as we would make it.
    caf::replies_to<bridge_atom, bridge_order>::with<void>,
    /// `busy`: a hypervisor still lives on one of them. `token` is empty where none is to be there.
    caf::replies_to<taps_atom, taps_order>::with<taps_reply>,
    /// `unavailable`: this kernel has no nftables.
    caf::replies_to<policy_atom, policy_order>::with<policy_reply>,
    caf::replies_to<guest_atom, guest_change>::with<policy_reply>,
    /// `unavailable`: there is no systemd-resolved.
    caf::replies_to<resolver_atom, resolver_order>::with<void>,
    /// Also while an order is under way. `busy`: too many ask.
    caf::replies_to<inventory_atom>::with<network_inventory>,
    caf::replies_to<sweep_atom, network_sweep>::with<sweep_reply>>;

/// What starts and ends hypervisors, and makes their devices. Orders are checked; what is not built
/// yet answers `unavailable`.
using machine_helper =
    caf::typed_actor<caf::replies_to<hello_atom, hello_request>::with<helper_about>,
                     caf::replies_to<launch_atom, launch_order>::with<launch_reply>,
                     caf::replies_to<signal_atom, signal_order>::with<void>,
                     caf::replies_to<cleanup_atom, cleanup_order>::with<void>,
                     caf::replies_to<rootdisk_atom, root_disk_order>::with<root_disk_reply>,
                     caf::replies_to<socket_atom, socket_order>::with<void>,
                     caf::replies_to<inventory_atom>::with<machine_inventory>,
                     caf::replies_to<sweep_atom, machine_sweep>::with<sweep_reply>>;

} // namespace banger::messages
