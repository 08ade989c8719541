// The events actor: hears of operations and VMs, and tells it line by line. It waits for nobody.
#pragma once

#include "messages/actor/help.hpp"
#include "messages/block.hpp"

#include <functional>
#include <optional>

namespace banger::events {

/// An operation that begins.
struct begun {
  std::string op, kind, target;
};

/// A VM is in another state now; or its actor died, was restarted, is gone.
struct change {
  std::string what; ///< state | actor
  std::string vm;   ///< its name
  std::string state;
  messages::error_info why;
};

} // namespace banger::events

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::events::begun)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::events::change)

namespace banger::events {

using events_actor =
    caf::typed_actor<caf::reacts_to<begun>,
                     /// Every one, also those that clients are spared.
                     caf::reacts_to<messages::progress>, caf::reacts_to<messages::finished>,
                     caf::reacts_to<change>,
                     /// A stream of lines. `unavailable` where nobody offers any.
                     caf::replies_to<messages::events_atom,
                                     messages::events_request>::with<messages::stream_ticket>>;

/// Where lines go, and how somebody comes to read them.
struct outlet {
  std::function<void(std::string line)> append;
  /// A stream token: the last lines, so many, and what comes; none: all that are remembered.
  std::function<std::string(std::optional<std::size_t> follow_after)> offer;
};

/// As many are remembered, of at most so many bytes; a follower is told the last few first.
inline constexpr std::size_t most_remembered = 1000, most_bytes = std::size_t{1024} * 1024,
                             told_first = 20;

/// The line for a reader who has missed so many.
std::string missed(std::uint64_t count);

events_actor spawn_events(caf::actor_system& system, outlet out);

} // namespace banger::events
