// Whether a root helper serves this user, found out without an order. No CAF.
#pragma once

#include "messages/base/error.hpp"

#include <chrono>
#include <filesystem>

namespace banger::privileged {

/// Its socket for orders, in its folder.
inline constexpr const char* orders_socket = "network.sock";

/// Connects and waits for the first byte of its greeting. `why` fits into "user-mode: WHY".
/// `not_found`: no helper serves there; `unauthorized`: it serves another user; `timed_out`;
/// `disconnected`: it closed the connection twice.
expected<void> look_for_helper(const std::filesystem::path& folder,
                               std::chrono::milliseconds deadline = std::chrono::seconds(2));

/// What a user can do about a helper that serves another one.
std::string remedy_for_foreign(const std::filesystem::path& folder);

} // namespace banger::privileged
