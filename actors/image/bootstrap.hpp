// Runs mmdebstrap: packages from the host's own sources, unpacked into a folder of ours.
#pragma once

#include "actors/image/recipe.hpp"
#include "actors/image/tar_tree.hpp"
#include "actors/storage/files.hpp"

namespace banger::image {

/// Fills the empty folder `tree`; mmdebstrap works in the folder WORK, which must not exist.
/// `unavailable`, `not_found` (a package), `cancelled`. Nothing of mmdebstrap is left then, neither
/// processes nor files. When this process ends, it ends, too.
expected<tar_content> bootstrap(const recipe& what, const std::filesystem::path& tree,
                                const std::filesystem::path& work, const tar_options& options,
                                const storage::progress_fn& progress, const std::stop_token& stop);

/// Removes what a bootstrap that was killed left in WORK, whoever it belongs to.
expected<void> sweep_bootstrap(const std::filesystem::path& work);

} // namespace banger::image
