#include "actors/hypervisor/tsc.hpp"

#include <ctime>

#ifdef __x86_64__
#  include <x86intrin.h>
#endif

namespace banger::hypervisor {

#ifdef __x86_64__
namespace {

constexpr std::uint64_t span_ns = 15'000'000;
constexpr int tries = 8;

struct moment {
  std::uint64_t ns = 0, ticks = 0;
};

std::uint64_t raw_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

// Both clocks at one moment: of several readings the one that took least was not interrupted.
moment read_both() {
  moment best;
  std::uint64_t least = ~std::uint64_t{0};
  for (int i = 0; i < tries; ++i) {
    const auto before = __rdtsc();
    const auto ns = raw_ns();
    const auto after = __rdtsc();
    if (after - before < least) {
      least = after - before;
      best = {ns, before + least / 2};
    }
  }
  return best;
}

} // namespace

std::uint64_t measure_tsc_khz() {
  const auto begin = read_both();
  while (raw_ns() - begin.ns < span_ns) {
  }
  const auto end = read_both();
  return (end.ticks - begin.ticks) * 1'000'000 / (end.ns - begin.ns);
}
#else
std::uint64_t measure_tsc_khz() { return 0; }
#endif

} // namespace banger::hypervisor
