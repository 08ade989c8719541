// Makes ext4 images from a folder, as an ordinary user, without fakeroot or a loop mount.
#pragma once

#include "messages/base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <stop_token>
#include <string>

namespace banger::image {

struct owner {
  std::uint32_t uid = 0, gid = 0;
  std::optional<std::uint16_t> mode; ///< permission bits; absent: as in the tree
  std::string capability = {};       ///< value of security.capability; empty: none
};

/// By absolute path in the image ("/var/mail"). Everything that is not named belongs to 0:0.
using owner_map = std::map<std::string, owner>;

struct ext4_options {
  std::uint64_t bytes = 0; ///< 0: as large as the tree needs, and a little room
  std::string label;       ///< ≤ 16 bytes
  bool journal = false;
  owner_map owners;
};

/// Makes `file` (which must not exist; sparse) with the content of `tree`. On an error it is
/// removed. `bad_request`: the tree does not fit, or a named owner is not in it.
expected<void> build_ext4(const std::filesystem::path& tree, const std::filesystem::path& file,
                          const ext4_options& options, const std::stop_token& stop = {});

/// Reads the superblock only: magic, block count against the file's size. `corrupted` says which.
expected<void> check_ext4(const std::filesystem::path& file);

} // namespace banger::image
