#include "actors/image/tiny.hpp"

#include "actors/image/tiny_tree.hpp"

namespace banger::image {

expected<filling> fill_tiny(const std::filesystem::path& tree, const std::stop_token& stop) {
  const auto parts = find_tiny_parts();
  if (!parts)
    return tl::unexpected(parts.error());
  if (auto ok = fill_tiny_tree(tree, *parts, stop); !ok)
    return tl::unexpected(ok.error());
  return filling{{tiny_bytes, "banger-tiny", true, tiny_owners()}, {}};
}

} // namespace banger::image
