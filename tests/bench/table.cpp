#include "tests/bench/table.hpp"

#include <algorithm>
#include <cstdio>

namespace banger::bench {

namespace {

double at(figures all, double share) {
  if (all.empty())
    return 0;
  std::sort(all.begin(), all.end());
  return all[static_cast<std::size_t>(share * static_cast<double>(all.size() - 1) + 0.5)];
}

} // namespace

double median(figures all) { return at(std::move(all), 0.5); }

std::string tail(const figures& all) {
  char text[64];
  std::snprintf(text, sizeof text, "p50 %.2f, p99 %.2f", at(all, 0.5), at(all, 0.99));
  return text;
}

std::string spread(const figures& all) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f (%.1f-%.1f)", at(all, 0.5), at(all, 0.1), at(all, 0.9));
  return text;
}

double pairs::over() const {
  figures differences;
  for (std::size_t i = 0; i < std::min(floor.size(), ours.size()); ++i)
    differences.push_back(ours[i] - floor[i]);
  return median(differences);
}

void print_head() {
  print_row("what", "floor", "banger", "over", "promised");
  print_row("----", "-----", "------", "----", "--------");
}

void print_row(const std::string& what, const std::string& floor, const std::string& ours,
               const std::string& over, const std::string& bound) {
  std::printf("%-44s  %-26s  %-26s  %-10s  %s\n", what.c_str(), floor.c_str(), ours.c_str(),
              over.c_str(), bound.c_str());
  std::fflush(stdout);
}

} // namespace banger::bench
