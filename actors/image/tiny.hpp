// The image `tiny`: busybox and dropbear of the host's own packages in 256 MiB (6 MB used), made in
// less than a second. Shells and small tools; no package manager, no systemd.
#pragma once

#include "actors/image/filling.hpp"

#include <cstdint>
#include <filesystem>
#include <stop_token>

namespace banger::image {

inline constexpr std::uint64_t tiny_bytes = 256ULL * 1024 * 1024;

/// Fills the empty folder `tree`. `unavailable`: busybox or dropbear is not installed.
expected<filling> fill_tiny(const std::filesystem::path& tree, const std::stop_token& stop);

} // namespace banger::image
