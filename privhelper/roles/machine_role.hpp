// The role `machine` as an actor: hypervisors and their devices, by typed orders.
#pragma once

#include "messages/helper.hpp"
#include "privhelper/effects/machine_effects.hpp"
#include "privhelper/roles/desk.hpp"

#include <memory>

namespace banger::helper {

using machine_role = messages::machine_helper::extend<caf::reacts_to<work::thunk>>;

machine_role spawn_machine_role(caf::actor_system& system, std::shared_ptr<machine_effects> effects,
                                threads where);

} // namespace banger::helper
