// The three files that every guest boots from, made once per kernel and banger-init: Debian's cloud
// kernel, fetched as the package manager does it and unpacked, never installed on the host.
#pragma once

#include "actors/storage/files.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace banger::boot {

/// A banger-init that was read: which file, and the name of its initramfs, which has its digest.
struct known_init {
  std::uint64_t device = 0, inode = 0, bytes = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;
  std::string initramfs;
};

struct boot_set {
  std::string version;                 ///< kernel release, as in `uname -r`
  std::filesystem::path vmlinux;       ///< ELF, for -kernel
  std::filesystem::path initramfs;     ///< newc with banger-init as /init
  std::filesystem::path modules_image; ///< ext4, read-only, for /lib/modules/VERSION
  std::shared_ptr<const known_init> init = {};
};

struct boot_request {
  std::filesystem::path cache;        ///< folder of ours; made if absent
  std::filesystem::path banger_init;  ///< static binary for /init
  std::filesystem::path package_file; ///< a linux-image .deb at hand; empty: apt fetches it
  /// Of an earlier set: a banger_init that is the same file still is not read again.
  std::shared_ptr<const known_init> known = {};
};

/// The set, made on first use (about 3 s and 27 MB from the archive), reused after that without a
/// network or a child process. A new banger-init makes a new initramfs only. When several ask at
/// once, in any process, one builds and the others wait. Blocks: not for the scheduler's threads.
/// `unavailable`: offline, no package lists, or a tool is missing. `corrupted`: as
/// `check_boot_set`. `cancelled`. Stages told: "kernel", "initramfs".
expected<boot_set> ensure_boot_set(const boot_request& request,
                                   const storage::progress_fn& progress,
                                   const std::stop_token& stop = {});

/// The set if it is there, without waiting for one who makes it. `unavailable`, `corrupted`.
expected<std::optional<boot_set>> find_boot_set(const boot_request& request);

/// `corrupted` names the damaged file and what to delete so that it is made again. Quick (sizes and
/// times) is part of every `ensure_boot_set`; digest reads all bytes.
expected<void> check_boot_set(const boot_set& set, storage::check_depth depth,
                              const std::stop_token& stop = {});

} // namespace banger::boot
