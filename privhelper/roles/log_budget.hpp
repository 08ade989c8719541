// How much an owner who means harm may have written into the log.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

namespace banger::helper {

/// So many lines at once, and then one a second; the others are counted. For one thread.
class log_budget {
public:
  using clock = std::chrono::steady_clock;

  struct ruling {
    bool write = false;
    std::size_t unsaid = 0; ///< lines that were left out before this one
  };

  explicit log_budget(std::size_t most = 2000, clock::time_point now = clock::now())
      : most_(most), left_(most), since_(now) {}

  ruling next(clock::time_point now = clock::now()) {
    const auto whole = std::chrono::floor<std::chrono::seconds>(now - since_);
    since_ += whole;
    left_ = std::min(most_, left_ + static_cast<std::size_t>(whole.count()));
    if (left_ == 0) {
      ++unsaid_;
      return {};
    }
    --left_;
    return {true, std::exchange(unsaid_, 0)};
  }

private:
  std::size_t most_, left_, unsaid_ = 0;
  clock::time_point since_;
};

} // namespace banger::helper
