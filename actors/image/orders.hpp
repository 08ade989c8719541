// Decisions of the images actor. Pure.
#pragma once

#include "actors/image/shelf.hpp"
#include "messages/models.hpp"

#include <functional>

namespace banger::image {

/// What an `image build` is to make. `present`: the recipe of the image of this name, or why there
/// is none. The errors of `choose_recipe`; `already_exists`.
expected<recipe> decide_build(const messages::image_request& request, const image_name& name,
                              const expected<recipe>& present);

/// VMs by the image that they stand on.
std::vector<std::string> standing_on(const std::string& image,
                                     const std::vector<messages::vm_view>& vms);

/// `busy` names them.
expected<void> check_unused(const std::string& image, const std::vector<messages::vm_view>& vms);

/// Those that are here, then those that could be made, by name.
std::vector<messages::image_view> to_views(const std::vector<shelved>& here,
                                           const std::vector<messages::vm_view>& vms);

failure unknown_image(const std::string& name, const std::vector<shelved>& here);

} // namespace banger::image
