// Addresses and routes, by rtnetlink.
#pragma once

#include "guest/mounts.hpp"

namespace banger::guest {

done bring_up_loopback();

/// MAC, address and default route of the first Ethernet interface, in place of those it has. Does
/// nothing without an address.
done set_network(const configure_body& who);

} // namespace banger::guest
