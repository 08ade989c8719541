// The door: the gateway greets, the system actor answers for the daemon itself and decides when it
// leaves.
#pragma once

#include "actors/vms/vms.hpp"
#include "messages/system.hpp"

#include <functional>

namespace banger::gateway {

using gate_atom = caf::atom_constant<caf::atom("gate")>;
using client_atom = caf::atom_constant<caf::atom("client")>;
using idle_atom = caf::atom_constant<caf::atom("idle")>;

using system_actor = messages::system_facet::extend<
    /// A newer CLI asks for the place. `bad_version` if it is not newer; `busy` while operations
    /// run. Streams go on with the next daemon.
    caf::replies_to<messages::retire_atom, messages::hello_request>::with<void>,
    /// Connections were opened (+) or closed (-).
    caf::reacts_to<client_atom, std::int32_t>,
    /// Internal: time to see whether anybody needs us; the number tells an old timer from the last
    /// one.
    caf::reacts_to<idle_atom, std::uint64_t>,
    /// Who the gateway is.
    caf::reacts_to<gate_atom, messages::gateway_actor>,
    /// Internal.
    caf::reacts_to<work::thunk>>;

struct system_options {
  messages::daemon_status about;           ///< what does not change: versions, folders, back-ends
  std::function<std::string()> hypervisor; ///< which one, as it is now
  std::function<std::string()> no_names;   ///< why NAME.vm is not answered for, as it is now
  /// Examines the hypervisor again outside of actors, then calls with the new description.
  std::function<void(std::function<void(std::string)>)> reprobe;
  std::chrono::milliseconds idle_exit{0}; ///< 0: stays
  io::stream_server* streams = nullptr;
  std::function<void()> leave; ///< called once, when the daemon may end
  events::events_actor events; ///< may be null, as the store: then it has no part in a roll call
  store::store_actor store;
  caf::strong_actor_ptr network; ///< null where VMs have no bridge
};

system_actor spawn_system(caf::actor_system& system, vms::vms_actor vms,
                          operations::operations_actor operations, image::images_actor images,
                          system_options options);
messages::gateway_actor spawn_gateway(caf::actor_system& system, const vms::vms_actor& vms,
                                      const operations::operations_actor& operations,
                                      const messages::images_facet& images,
                                      const system_actor& itself);

} // namespace banger::gateway
