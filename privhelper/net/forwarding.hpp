// The kernel's switch for being a router.
#pragma once

#include "messages/base/net.hpp"

namespace banger::net {

/// Sets net.ipv4.ip_forward, and the same of the bridge, unless they are set. Never undone: others
/// may have come to rely on it.
expected<void> turn_on_forwarding(const bridge_name& bridge);

} // namespace banger::net
