// Tells systemd-resolved, over D-Bus, that a link of ours has a server for `vm`. Blocking: at most
// the deadline, all in all.
#pragma once

#include "messages/base/net.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace banger::resolver {

struct bus_options {
  std::string address = "unix:path=/run/dbus/system_bus_socket"; ///< as D-Bus writes addresses
  std::chrono::milliseconds deadline{2500};
};

/// From now on the host's resolver asks `server` for `vm` and what is below it, and for nothing
/// else, while the link is up and has an address and a carrier. What was said of this link before
/// is replaced; a route that breaks in the middle is undone. The link speaks no LLMNR and no mDNS,
/// so that guests name nothing, and neither DNSSEC nor TLS, whatever the host's defaults.
/// `unavailable`: no bus, no resolver on it, or one before systemd 246; `not_found`: no such link;
/// `busy`: systemd-networkd manages the link; `unauthorized`; `timed_out`; `operation_failed`.
expected<void> route(int ifindex, ipv4 server, std::uint16_t port, const bus_options& bus = {});

/// The resolver forgets all of it. That there is no such link, no resolver or no bus is success.
expected<void> revert(int ifindex, const bus_options& bus = {});

} // namespace banger::resolver
