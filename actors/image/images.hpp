// The images actor: the only one that touches the image and kernel folders. Makes an image on first
// use or when told, once, however many ask at the same time; ends a build that nobody waits for any
// more.
#pragma once

#include "actors/image/workshop.hpp"
#include "actors/operations/operations.hpp"
#include "actors/workers/thunk.hpp"
#include "messages/images.hpp"
#include "messages/vms.hpp"

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
using leave_atom = caf::atom_constant<caf::atom("leave")>;
using known_atom = caf::atom_constant<caf::atom("known")>;
using drain_atom = caf::atom_constant<caf::atom("drain")>;
using meet_atom = caf::atom_constant<caf::atom("meet")>;

} // namespace banger::image

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::image::image_set_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::image::note)

namespace banger::image {

/// Whoever wants to hear of progress while it waits for an image.
using note_listener = caf::typed_actor<caf::reacts_to<note>>;

/// Whoever knows which images there are.
using catalogue_actor = caf::typed_actor<
    /// `not_found` lists those that there are; `bad_request`: it is no name.
    caf::replies_to<known_atom, std::string>::with<void>>;

using images_actor = messages::images_facet::extend_with<operations::runner_actor>::
    extend_with<catalogue_actor>::extend<
        /// The image of this name and the kernel, made if need be. The listener gets `note`s
        /// meanwhile. `not_found`; `unavailable`, `corrupted` and their remedies from the
        /// builders.
        caf::replies_to<ensure_atom, std::string, note_listener>::with<image_set_ptr>,
        /// This listener does not wait any more; what it asked for fails with `cancelled`.
        caf::reacts_to<leave_atom, note_listener>,
        /// The daemon is about to end: builds are cancelled, since they can be made again, and
        /// none is begun any more. Answered when what was cancelled is undone.
        caf::replies_to<drain_atom>::with<void>,
        /// Who knows which VMs stand on which image.
        caf::reacts_to<meet_atom, messages::vms_facet>, caf::reacts_to<work::thunk>>;

struct image_crew {
  std::shared_ptr<workshop> shop;
  work::run_fn briefly;   ///< for what takes milliseconds
  work::run_fn at_length; ///< for builds
  operations::operations_actor operations;
  bool prunes = true; ///< false: some VMs may be in no list, and what they stand on is kept
};

images_actor spawn_images(caf::actor_system& system, image_crew crew);

} // namespace banger::image
