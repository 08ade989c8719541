// What the daemon says to a client without being asked.
#pragma once

#include "messages/block.hpp"

namespace banger::messages {

/// The listener behind every request for a long operation: whoever sent `begin` gets these.
using client_actor = caf::typed_actor<
    /// A stage began or has news. At most ten a second for one operation; the last one of a burst
    /// arrives.
    caf::reacts_to<progress>,
    /// The operation ended. Nothing comes after it. It may overtake the answer to `begin`.
    caf::reacts_to<finished>>;

} // namespace banger::messages
