// The channels of a machine: unix sockets in its folder. The daemon listens and connects before the
// hypervisor exists; the hypervisor inherits the listening side and finds the connection waiting.
#pragma once

#include "actors/hypervisor/machine.hpp"

#include <string_view>

namespace banger::hypervisor {

/// "qmp.sock", "agent.sock", "console.sock".
std::string_view socket_name(channel which);

struct channel_pair {
  unique_fd listening; ///< 0600, blocking
  unique_fd connected; ///< non-blocking
};

/// Replaces what an earlier hypervisor left under this name; anything but a socket there is
/// `already_exists`. The folder's path may be longer than a socket address.
expected<channel_pair> make_channel(const std::filesystem::path& folder, channel which);

/// Connects to a hypervisor that listens already; non-blocking. `not_running`: nobody listens;
/// `busy`: others wait in front of us.
expected<unique_fd> connect_channel(const std::filesystem::path& folder, channel which);

} // namespace banger::hypervisor
