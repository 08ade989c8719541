// The folder from which the image `tiny` is made.
#pragma once

#include "actors/image/ext4.hpp"

#include <filesystem>
#include <vector>

namespace banger::image {

/// Where the host's packages put the programs of the image.
struct tiny_parts {
  std::filesystem::path busybox;
  std::vector<std::filesystem::path> dropbear; ///< server, client, key tools
};

/// `unavailable` names the package that is missing.
expected<tiny_parts> find_tiny_parts();

/// Fills the empty folder `tree`. No host keys, no machine-id: those come with each VM.
expected<void> fill_tiny_tree(const std::filesystem::path& tree, const tiny_parts& parts,
                              const std::stop_token& stop);

/// What does not belong to 0:0 in it.
owner_map tiny_owners();

} // namespace banger::image
