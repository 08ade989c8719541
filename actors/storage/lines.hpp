// Text of other programs, line by line.
#pragma once

#include <algorithm>
#include <string_view>

namespace banger::storage {

/// Calls f with each line; `separator` stands between two, and after the last or not.
template <class F>
void each_line(std::string_view text, F f, char separator = '\n') {
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    f(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

} // namespace banger::storage
