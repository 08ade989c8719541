#include "messages/base/nearest.hpp"

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace banger {

namespace {

constexpr std::size_t longest_word = 64;

// Insertions, deletions, replacements, and two neighbours that changed places, each once. One row
// of the table at a time; the two before it are needed.
std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> older(b.size() + 1), old(b.size() + 1), row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    older.swap(old);
    old.swap(row);
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const auto replaced = old[j] + (a[i] == b[j] ? 0 : 1);
      row[j + 1] = std::min({replaced, old[j + 1] + 1, row[j] + 1});
      if (i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j])
        row[j + 1] = std::min(row[j + 1], older[j - 1] + 1);
    }
  }
  return row.back();
}

} // namespace

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
  std::string_view best;
  if (word.size() > longest_word)
    return best;
  auto least = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const auto candidate : candidates)
    if (const auto n = edits(word, candidate); n < least) {
      least = n;
      best = candidate;
    }
  return best;
}

} // namespace banger
