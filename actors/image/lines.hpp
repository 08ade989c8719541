// Text of other programs, line by line.
#pragma once

#include <algorithm>
#include <string_view>

namespace banger::image {

/// Calls f with each line.
template <class F>
void each_line(std::string_view text, F f) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    f(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

} // namespace banger::image
