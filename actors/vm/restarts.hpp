// How often something may begin again by itself. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>

namespace banger::vm {

inline constexpr std::size_t most_restarts = 5;
inline constexpr std::chrono::minutes restart_span{10};

class restart_budget {
public:
  using clock = std::chrono::steady_clock;

  /// Counts one more; false: too many within the span, not again.
  bool allow(clock::time_point now) {
    while (!times_.empty() && times_.front() + restart_span <= now)
      times_.pop_front();
    if (times_.size() >= most_restarts)
      return false;
    times_.push_back(now);
    ++restarts_;
    return true;
  }

  std::uint32_t restarts() const { return restarts_; } ///< in all

private:
  std::deque<clock::time_point> times_;
  std::uint32_t restarts_ = 0;
};

} // namespace banger::vm
