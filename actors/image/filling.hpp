// A folder that is ready to become an image, whatever it is filled with.
#pragma once

#include "actors/image/ext4.hpp"
#include "actors/image/recipe.hpp"
#include "actors/storage/files.hpp"

namespace banger::image {

struct filling {
  ext4_options disk;
  std::vector<std::string> packages; ///< "NAME VERSION", for the manifest
};

} // namespace banger::image
