// The VMs that a reading verb was asked about.
#pragma once

#include "cli/verbs.hpp"

#include <string>
#include <vector>

namespace banger::cli {

struct targets {
  std::vector<std::string> refs; ///< that can be asked, each VM once, in the order of the words
  std::vector<int> codes;        ///< of those that were reported instead
};

/// One reference is left to the daemon; several are resolved from one list. None: all VMs.
expected<targets> find_targets(context& ctx, const std::vector<std::string>& refs);

/// The answers; a failure is reported, and its code added.
template <class T>
std::vector<T> good_ones(const context& ctx, std::vector<expected<T>> answers,
                         std::vector<int>& codes) {
  std::vector<T> good;
  for (auto& answer : answers)
    if (answer)
      good.push_back(std::move(*answer));
    else
      codes.push_back(ctx.report(answer.error()));
  return good;
}

} // namespace banger::cli
