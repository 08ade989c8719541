// The folder of an image: `rootfs-DIGEST.img` and `manifest.json`. An image file is named by its
// content and never written to. Everything here blocks.
#pragma once

#include "actors/image/image.hpp"
#include "actors/image/recipe.hpp"
#include "actors/storage/files.hpp"

#include <filesystem>
#include <optional>

namespace banger::image {

/// The image in FOLDER (made if absent; its parent must exist). Made on first use; when several ask
/// at once, in any process, one builds and the others wait. What a build that was killed left there
/// is removed first. The errors of the builder; `corrupted`: as `check_image`.
/// Stages told: "image", "packages", "filesystem".
expected<image_info> ensure_image(const std::filesystem::path& folder, const recipe& what,
                                  const storage::progress_fn& progress,
                                  const std::stop_token& stop = {});

/// The image in FOLDER if it needs not be made. `corrupted`: as `check_image`.
expected<std::optional<image_info>> find_image(const std::filesystem::path& folder);

/// Makes it again, whatever is there. An older image file stays, for the VMs that stand on it.
expected<image_info> build_image(const std::filesystem::path& folder, const recipe& what,
                                 const storage::progress_fn& progress,
                                 const std::stop_token& stop = {});

/// `not_found`: no image there. `corrupted`: cut short, changed, or not an ext4; the remedy says
/// what to delete. Quick is a few system calls, for every start; digest reads all of it.
expected<image_info> check_image(const std::filesystem::path& folder,
                                 storage::check_depth depth = storage::check_depth::quick,
                                 const std::stop_token& stop = {});

/// What the image there was made from. `not_found`, `corrupted`.
expected<recipe> recipe_of(const std::filesystem::path& folder);

/// An image folder as a list shows it.
struct shelved {
  std::string name;
  std::string made_at;          ///< empty: it cannot be read
  std::uint64_t bytes = 0;      ///< of the disk
  std::uint64_t used_bytes = 0; ///< on this host, with older image files
  family kind = family::tiny;
  std::vector<std::string> include;
};

/// All that were made below IMAGES, by name.
std::vector<shelved> list_images(const std::filesystem::path& images);

/// Removes what only VMs of an earlier build could stand on, unless it is being built anew. The
/// caller knows that there are none.
void prune_image(const std::filesystem::path& folder);

/// Removes what builds left behind that a killed daemon had begun. Those that run go on.
void tidy_images(const std::filesystem::path& images);

/// Takes the image away, at once. `not_found`.
expected<void> remove_image(const std::filesystem::path& images, const std::string& name);

} // namespace banger::image
