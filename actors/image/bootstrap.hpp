// Runs mmdebstrap: packages from the host's own sources, unpacked into a folder of ours.
#pragma once

#include "actors/image/recipe.hpp"
#include "actors/image/tar_tree.hpp"
#include "actors/storage/files.hpp"

namespace banger::image {

/// Fills the empty folder `tree`. While it runs, RECORD names the folder in TMPDIR (or /var/tmp)
/// where mmdebstrap works; see `sweep_bootstrap`. `unavailable`, `not_found` (a package),
/// `cancelled`; nothing of mmdebstrap is left then, neither processes nor files.
expected<tar_content> bootstrap(const recipe& what, const std::filesystem::path& tree,
                                const std::filesystem::path& record, const tar_options& options,
                                const storage::progress_fn& progress, const std::stop_token& stop);

/// Removes what a bootstrap that was killed left behind. The caller knows that none runs.
expected<void> sweep_bootstrap(const std::filesystem::path& record);

} // namespace banger::image
