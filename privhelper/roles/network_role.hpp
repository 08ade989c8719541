// The role `network` as an actor: bridges, taps, packet filter and names, by typed orders.
#pragma once

#include "messages/base/unique_fd.hpp"
#include "messages/helper.hpp"
#include "messages/transport/socket.hpp"
#include "privhelper/resolver/resolver.hpp"
#include "privhelper/roles/desk.hpp"

#include <functional>
#include <vector>

namespace banger::helper {

using visitor_atom = caf::atom_constant<caf::atom("visitor")>;

/// What may be published is `messages::network_helper`; the rest is for this process.
using network_role = messages::network_helper::extend<
    /// A connection of this process (pid, uid) was opened, or closed.
    caf::reacts_to<visitor_atom, std::uint32_t, std::uint32_t, bool>, caf::reacts_to<work::thunk>>;

struct network_surroundings {
  std::uint32_t owner = 0;
  threads where;
  /// Offers descriptors to the process that asked for them; any thread. Answers a token.
  std::function<expected<std::string>(std::vector<unique_fd>, local::peer)> offer;
  resolver::bus_options bus = {};
};

network_role spawn_network_role(caf::actor_system& system, network_surroundings around);

} // namespace banger::helper
