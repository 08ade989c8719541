// Figures as they are printed: medians with their spread, each beside its floor.
#pragma once

#include <string>
#include <vector>

namespace banger::bench {

using figures = std::vector<double>;

double median(figures all);
/// "p50 0.97, p99 4.05"
std::string tail(const figures& all);
/// "12.3 (11.9-14.0)": median, and the range from the first to the ninth decile.
std::string spread(const figures& all);

/// A floor and what we need for the same, measured in turn; one element of each per pair.
struct pairs {
  figures floor, ours;
  /// Median of the differences.
  double over() const;
};

/// One line of the table; `bound` is what was promised, for the reader to compare.
void print_row(const std::string& what, const std::string& floor, const std::string& ours,
               const std::string& over, const std::string& bound);
void print_head();

} // namespace banger::bench
