// The word that was probably meant.
#pragma once

#include <string_view>
#include <vector>

namespace banger {

/// The candidate that is fewest edits away from `word`; empty if none is near enough to be meant.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

} // namespace banger
