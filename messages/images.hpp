// The facet for images: what a client can say about them.
#pragma once

#include "messages/block.hpp"

namespace banger::messages {

using images_facet = caf::typed_actor<
    /// Makes an image. The sender gets `progress` and `finished` (without a VM). `bad_request`,
    /// `not_found` (no image is known under this name), `already_exists`.
    caf::replies_to<begin_atom, image_request>::with<op_ticket>,
    /// Those that are here, then those that could be made, by name. Never waits.
    caf::replies_to<list_atom>::with<std::vector<image_view>>,
    /// Deletes an image. `not_found`; `busy`: VMs stand on it, or it is being made.
    caf::replies_to<delete_atom, std::string>::with<void>>;

} // namespace banger::messages
