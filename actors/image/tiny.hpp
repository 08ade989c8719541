// The image `tiny`: busybox and dropbear of the host's own packages in 256 MiB (6 MB used), made in
// less than a second. Shells and small tools; no package manager, no systemd.
#pragma once

#include "actors/storage/files.hpp"

#include <cstdint>
#include <filesystem>

namespace banger::image {

inline constexpr std::uint32_t tiny_format = 1; ///< another number: images are made again
inline constexpr std::uint64_t tiny_bytes = 256ULL * 1024 * 1024;

struct image_info {
  std::string name;
  std::filesystem::path file; ///< raw ext4 disk, never written to
  std::uint64_t bytes = 0;
  std::string sha256, made_at;
  std::string init{}; ///< executed as PID 1 in the new root; empty: the agent stays PID 1
};

/// The image in FOLDER (made if absent; its parent must exist): `rootfs-DIGEST.img`
/// and `manifest.json`.
/// Made on first use; when several ask at once, in any process, one builds and the others wait.
/// `unavailable`: busybox or dropbear is not installed. `corrupted`: as `check_image`.
expected<image_info> ensure_tiny(const std::filesystem::path& folder,
                                 const storage::progress_fn& progress,
                                 const std::stop_token& stop = {});

/// Makes it again, whatever is there. An older image file stays, for the VMs that stand on it.
expected<void> build_tiny(const std::filesystem::path& folder, const storage::progress_fn& progress,
                          const std::stop_token& stop = {});

/// `not_found`: no image there. `corrupted`: cut short, changed, or not an ext4; the remedy says
/// what to delete. Quick is a few system calls, for every start; digest reads all of it.
expected<image_info> check_image(const std::filesystem::path& folder,
                                 storage::check_depth depth = storage::check_depth::quick,
                                 const std::stop_token& stop = {});

} // namespace banger::image
