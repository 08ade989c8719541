// The Debian images: from packages to a folder that becomes an ext4.
#pragma once

#include "actors/image/filling.hpp"

namespace banger::image {

/// Fills the empty folder `tree`. WORK as for `bootstrap`, whose errors these are.
expected<filling> fill_debian(const std::filesystem::path& tree, const recipe& what,
                              const std::filesystem::path& work,
                              const storage::progress_fn& progress, const std::stop_token& stop);

} // namespace banger::image
