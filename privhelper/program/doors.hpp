// The sockets of a role, made while the process may still give them away; or those that systemd
// made.
#pragma once

#include "messages/transport/socket.hpp"
#include "privhelper/confinement.hpp"

#include <filesystem>
#include <optional>

namespace banger::helper {

struct doors {
  local::listener orders;                     ///< actor messages
  std::optional<local::listener> descriptors; ///< of taps; role `network` only
};

/// In `folder`, ROLE.sock and descriptors.sock, mode 0600 and the owner's; or what systemd passed
/// under the names ROLE and descriptors. `unauthorized`: somebody else than root could replace what
/// is in the folder. `already_exists`: another helper serves there.
expected<doors> open_doors(role r, const std::filesystem::path& folder, uid_t owner);

} // namespace banger::helper
