// The guest's wall clock: what it says, what keeps it, and how the host corrects it.
#pragma once

#include "guest/result.hpp"
#include "messages/guest/protocol.hpp"

#include <cstdint>
#include <ctime>
#include <optional>
#include <sys/timex.h>

namespace banger::guest {

/// By the kernel's state, and by how far the wall clock has moved against the monotonic one since
/// the host set it.
clock_keeper keeper_of(const timex& kernel, std::int64_t moved_ns);

/// In whole microseconds, as the kernel takes it: a span back has a negative second and a positive
/// rest.
timeval to_timeval(std::int64_t span_ns);

class wall_clock {
public:
  /// Never back: the value is older than its arrival by as long as its way took.
  done set_forward(std::uint64_t realtime_ns);
  clock_body answer(std::uint64_t number);
  /// Nothing is done to a clock that is kept by the guest itself.
  done correct(const correction_body& order);

private:
  clock_keeper keeper() const;
  void remember();

  /// Wall clock less monotonic clock, as the host left it; nothing before the host's first word.
  std::optional<std::int64_t> ahead_;
};

} // namespace banger::guest
