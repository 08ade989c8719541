// The images actor: the only one that touches the image and kernel folders. Makes an image on first
// use, once, however many ask at the same time.
#pragma once

#include "actors/boot/kernel.hpp"
#include "actors/image/shelf.hpp"
#include "actors/work/thunk.hpp"
#include "messages/base/names.hpp"

#include <memory>

namespace banger::image {

/// What a VM boots from.
struct image_set {
  image_info image;
  boot::boot_set kernel;
};
using image_set_ptr = std::shared_ptr<const image_set>;

/// News of a long stage, for people.
struct note {
  std::string stage, detail;
};

using ensure_atom = caf::atom_constant<caf::atom("ensure")>;

} // namespace banger::image

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::image::image_set_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::image::note)

namespace banger::image {

/// Whoever wants to hear of progress while it waits for an image.
using note_listener = caf::typed_actor<caf::reacts_to<note>>;

using images_actor = caf::typed_actor<
    /// The image of this name and the kernel, made if need be. The listener gets `note`s meanwhile.
    /// `not_found` lists what there is; `unavailable`, `corrupted` and their remedies from the
    /// builders.
    caf::replies_to<ensure_atom, std::string, note_listener>::with<image_set_ptr>,
    caf::reacts_to<work::thunk>>;

struct image_folders {
  std::filesystem::path images, kernels;
  std::filesystem::path banger_init;  ///< goes into the initramfs
  std::filesystem::path package_file; ///< a kernel package at hand; empty: apt fetches it
};

/// `not_found` lists the images that there are.
expected<void> check_known(const image_name& wanted);

images_actor spawn_images(caf::actor_system& system, image_folders folders, work::pool& workers);

} // namespace banger::image
