// How often what dies of a bug is made again. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>

namespace banger::vms {

inline constexpr std::size_t most_restarts = 5;
inline constexpr std::chrono::minutes restart_span{10};

class restart_budget {
public:
  using clock = std::chrono::steady_clock;

  /// Counts a death; false: too many within the span, not again.
  bool allow(clock::time_point now) {
    while (!deaths_.empty() && deaths_.front() + restart_span <= now)
      deaths_.pop_front();
    if (deaths_.size() >= most_restarts)
      return false;
    deaths_.push_back(now);
    ++restarts_;
    return true;
  }

  std::uint32_t restarts() const { return restarts_; } ///< in all

private:
  std::deque<clock::time_point> deaths_;
  std::uint32_t restarts_ = 0;
};

} // namespace banger::vms
