// The sockets of a role, made while the process may still give them away; or those that systemd
// made.
#pragma once

#include "messages/transport/socket.hpp"
#include "privhelper/confinement.hpp"

#include <filesystem>
#include <optional>
#include <sys/types.h>

namespace banger::helper {

struct doors {
  local::listener orders;                     ///< actor messages
  std::optional<local::listener> descriptors; ///< of taps; role `network` only
};

/// In `folder`, ROLE.sock and descriptors.sock, mode 0600 and the owner's; or what systemd passed
/// under the names ROLE and descriptors. `unauthorized`: somebody else than root could replace what
/// is in the folder. `already_exists`: another helper serves there.
/// Passed sockets that are not this role's are closed.
expected<doors> open_doors(role r, const std::filesystem::path& folder, uid_t owner);

/// What systemd passed to `parent`, which made this process, was meant for this one.
void inherit_passed(pid_t parent);

} // namespace banger::helper
