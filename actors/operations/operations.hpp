// The registry of everything that takes long. Who began an operation hears of it here, and so does
// whoever comes back to it later; what has ended is remembered for a while.
#pragma once

#include "actors/events/events.hpp"
#include "messages/actor/help.hpp"
#include "messages/client.hpp"
#include "messages/operations.hpp"

#include <chrono>

namespace banger::operations {

/// Whoever runs operations can be asked to end one of them.
using runner_actor =
    caf::typed_actor<caf::replies_to<messages::cancel_atom, std::string>::with<bool>>;

/// An operation that begins.
struct opening {
  std::string op;
  std::string kind;             ///< as in messages::operation_view
  std::string target;           ///< name of the VM or image
  messages::client_actor asker; ///< may be null
  runner_actor runner;
};

/// Where the running operations are, for whoever looks for one that is stuck.
struct running_step {
  std::string op, step;
  std::chrono::microseconds age{0}; ///< of the step
};
struct running_steps {
  std::vector<running_step> all;
};

using opening_atom = caf::atom_constant<caf::atom("opening")>;
using flush_atom = caf::atom_constant<caf::atom("flush")>;
using steps_atom = caf::atom_constant<caf::atom("steps")>;
using count_atom = caf::atom_constant<caf::atom("count")>;
using drain_atom = caf::atom_constant<caf::atom("drain")>;

} // namespace banger::operations

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::operations::opening)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::operations::running_steps)

namespace banger::operations {

using operations_actor = messages::operations_facet::extend_with<messages::client_actor>::extend<
    /// Comes before the first progress of this operation.
    caf::reacts_to<opening_atom, opening>,
    /// How many run. Never waits.
    caf::replies_to<count_atom>::with<std::uint32_t>,
    /// Answers when none runs any more.
    caf::replies_to<drain_atom>::with<void>,
    /// Internal: the last progress of a burst of this operation is due.
    caf::reacts_to<flush_atom, std::string>,
    /// Never waits.
    caf::replies_to<steps_atom>::with<running_steps>>;

/// As many operations that have ended are remembered.
inline constexpr std::size_t most_ended = 100;

/// `events` hears of everything; may be null.
operations_actor spawn_operations(caf::actor_system& system, events::events_actor events = {});

} // namespace banger::operations
