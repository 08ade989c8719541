// The facet for long operations: whoever was cut off from one comes back to it here.
#pragma once

#include "messages/block.hpp"

namespace banger::messages {

using operations_facet = caf::typed_actor<
    /// The running ones, then those that ended lately, each the oldest first. Never waits.
    caf::replies_to<list_atom>::with<std::vector<operation_view>>,
    /// The sender gets `progress` and `finished` as if it had begun the operation; at once if it
    /// has ended. `not_found`, `ambiguous`.
    caf::replies_to<watch_atom, std::string>::with<operation_view>,
    /// Asks an operation to end early and to undo what it did; its `finished` carries `cancelled`.
    /// True if it still ran and can be cancelled. `not_found`, `ambiguous`.
    caf::replies_to<cancel_atom, std::string>::with<bool>>;

} // namespace banger::messages
