// The one thread: descriptors, timers, and what is to be done after each round of events.
#pragma once

#include "guest/result.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

namespace banger::guest {

std::uint64_t monotonic_us();

class loop {
public:
  /// Gets the EPOLL* bits.
  using handler = std::function<void(std::uint32_t events)>;
  using timer = std::uint64_t;

  /// Opens what the loop needs; again after a fork, so that the child has its own.
  done open();

  /// Edge-triggered: a handler reads or writes until it would block.
  done watch(int fd, std::uint32_t events, handler call);
  /// Before the descriptor is closed.
  void forget(int fd);

  timer after_ms(std::uint64_t delay, std::function<void()> call);
  void cancel(timer which);

  /// Calls `work` after each round of events, until `stop`. While it answers true, without waiting.
  void run(const std::function<bool()>& work);
  void stop() { stopped_ = true; }

private:
  struct entry {
    std::uint32_t generation = 0;
    std::uint32_t events = 0;
    handler call;
  };

  done add(int fd, const entry& e);
  int until_next_timer() const;
  void run_timers();

  unique_fd epoll_;
  std::map<int, std::shared_ptr<entry>> watched_;
  std::map<std::pair<std::uint64_t, timer>, std::function<void()>> timers_; ///< by due time, µs
  std::uint32_t generation_ = 0;
  timer last_timer_ = 0;
  bool stopped_ = false;
};

} // namespace banger::guest
