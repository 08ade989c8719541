// From names that a hostile daemon sent to descriptors of what they name, looked at after they were
// opened. No name is used twice: whatever is done goes by the descriptor.
#pragma once

#include "messages/base/unique_fd.hpp"
#include "privhelper/rules/strong.hpp"

#include <filesystem>
#include <optional>

namespace banger::helper {

/// Folders are opened to go on from them, sockets to be changed (O_PATH).
enum class use : std::uint8_t { read, write };

/// The owner's state folder: absolute, no symbolic link at any component, the owner's, and closed
/// to writing by others. Close-on-exec. `unauthorized`, `not_found`, `bad_request`.
expected<unique_fd> open_state_folder(const std::filesystem::path& folder, uid_t owner);

/// What lies at `path` beneath `state` at this moment. Never waits for a reader, writer or lease.
/// `not_found`: nothing is there. `unauthorized`: it is reached by a symbolic link or on another
/// mount, of another kind than the path is for, not the owner's, a file with more names than one,
/// or setuid or setgid. `unavailable`: this kernel (before 5.6) cannot open in this way.
expected<unique_fd> open_beneath(int state, const managed_path& path, uid_t owner,
                                 use how = use::read);

/// What is known of a process beside its number.
struct process_claim {
  std::uint32_t pid = 0;
  std::uint64_t start_time = 0; ///< as in /proc/PID/stat: clock ticks after the host's start
  std::optional<id_range> ids = std::nullopt; ///< all its user ids are in here
};

/// A pidfd of that very process. `not_found`: it has ended, or the number is another's by now.
/// `unauthorized`: it runs as somebody else.
expected<unique_fd> open_process(const process_claim& claim);

/// What has this number now. `not_found`.
expected<std::uint64_t> start_time_of(std::uint32_t pid);

} // namespace banger::helper
