// Text of other programs, line by line.
#pragma once

#include <algorithm>
#include <cstddef>
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

/// The end of it, from the beginning of its `count`th last line on.
inline std::string_view last_lines(std::string_view text, std::size_t count) {
  auto at = text.size();
  if (at > 0 && text.back() == '\n')
    --at;
  for (std::size_t found = 0; at > 0; --at)
    if (text[at - 1] == '\n' && ++found == count)
      break;
  return text.substr(at);
}

} // namespace banger::storage
