// Debian's kernel package: fetched as the package manager does it, unpacked, never installed.
#pragma once

#include "actors/storage/files.hpp"

#include <filesystem>
#include <stop_token>
#include <string>

namespace banger::boot {

struct kernel_package {
  std::filesystem::path deb;
  std::string name, version; ///< linux-image-6.1.0-56-cloud-amd64, 6.1.192-2
};

/// What the package in the file is. `bad_request`: not a kernel package for amd64.
expected<kernel_package> look_at_package(const std::filesystem::path& deb,
                                         const std::stop_token& stop);

/// Fetches the newest cloud kernel that apt knows into the folder; apt checks its signature. Needs
/// no root. `unavailable`: no apt, no package lists, or no network.
expected<kernel_package> fetch_package(const std::filesystem::path& folder,
                                       const storage::progress_fn& progress,
                                       const std::stop_token& stop);

struct unpacked_kernel {
  std::string release;           ///< as in `uname -r`
  std::filesystem::path bzimage; ///< .../boot/vmlinuz-RELEASE
  std::filesystem::path modules; ///< .../lib/modules/RELEASE, with what depmod writes
};

/// Unpacks it into the folder. `bad_request`: there is no kernel in it.
expected<unpacked_kernel> unpack_package(const std::filesystem::path& deb,
                                         const std::filesystem::path& folder,
                                         const std::stop_token& stop);

} // namespace banger::boot
