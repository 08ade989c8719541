#include "guest/wall_clock.hpp"

#include <cstdlib>

namespace banger::guest {

namespace {

constexpr std::int64_t second = 1'000'000'000;
// Below this a difference may be an interruption between two readings.
constexpr std::int64_t set_by_another = 10'000'000;
constexpr long usual_tick_us = 10'000;
constexpr int readings = 5;

std::int64_t now(clockid_t clock) {
  timespec t{};
  ::clock_gettime(clock, &t);
  return std::int64_t{t.tv_sec} * second + t.tv_nsec;
}

// A slewed clock takes the monotonic one along, so that only a step changes their difference. Of
// several readings the one that took least was not interrupted.
std::int64_t ahead_of_monotonic() {
  std::int64_t best = 0, least = INT64_MAX;
  for (int i = 0; i < readings; ++i) {
    const auto before = now(CLOCK_MONOTONIC);
    const auto wall = now(CLOCK_REALTIME);
    const auto took = now(CLOCK_MONOTONIC) - before;
    if (took < least) {
      least = took;
      best = wall - before - took / 2;
    }
  }
  return best;
}

} // namespace

clock_keeper keeper_of(const timex& kernel, std::int64_t moved_ns) {
  constexpr int disciplined = STA_PLL | STA_FLL | STA_PPSFREQ | STA_PPSTIME;
  if ((kernel.status & STA_UNSYNC) == 0 || (kernel.status & disciplined) != 0 || kernel.freq != 0 ||
      kernel.tick != usual_tick_us)
    return clock_keeper::ntp;
  return moved_ns > set_by_another || moved_ns < -set_by_another ? clock_keeper::guest
                                                                 : clock_keeper::host;
}

timeval to_timeval(std::int64_t span_ns) {
  timeval t{};
  t.tv_sec = span_ns / second;
  t.tv_usec = span_ns % second / 1000;
  if (t.tv_usec < 0) {
    t.tv_usec += 1'000'000;
    --t.tv_sec;
  }
  return t;
}

clock_keeper wall_clock::keeper() const {
  timex kernel{};
  if (::clock_adjtime(CLOCK_REALTIME, &kernel) < 0)
    return clock_keeper::guest; // a clock that cannot be read is not touched
  return keeper_of(kernel, ahead_ ? ahead_of_monotonic() - *ahead_ : 0);
}

void wall_clock::remember() { ahead_ = ahead_of_monotonic(); }

done wall_clock::set_forward(std::uint64_t realtime_ns) {
  const auto wanted = static_cast<std::int64_t>(realtime_ns);
  if (wanted > now(CLOCK_REALTIME)) {
    const timespec time{wanted / second, wanted % second};
    if (::clock_settime(CLOCK_REALTIME, &time) != 0)
      return failed_to("set the clock");
  }
  remember();
  return {};
}

clock_body wall_clock::answer(std::uint64_t number) {
  clock_body body;
  body.number = number;
  body.keeper = keeper();
  body.realtime_ns = static_cast<std::uint64_t>(now(CLOCK_REALTIME));
  return body;
}

done wall_clock::correct(const correction_body& order) {
  if (keeper() != clock_keeper::host)
    return {};
  const auto delta = static_cast<std::int64_t>(order.delta_ns);
  timex change{};
  if (order.how == correction::slew) {
    change.modes = ADJ_OFFSET_SINGLESHOT;
    change.offset = delta / 1000;
  } else {
    change.modes = ADJ_SETOFFSET; // not ADJ_NANO, which would stay the kernel's unit
    change.time = to_timeval(delta);
  }
  if (::clock_adjtime(CLOCK_REALTIME, &change) < 0)
    return failed_to("correct the clock");
  if (order.how == correction::step)
    remember();
  return {};
}

} // namespace banger::guest
