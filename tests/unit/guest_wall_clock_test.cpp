#include "guest/wall_clock.hpp"
#include "tests/support/catch.hpp"

using namespace banger::guest;

namespace {

constexpr std::int64_t ms = 1'000'000;

timex undisciplined() {
  timex kernel{};
  kernel.status = STA_UNSYNC;
  kernel.tick = 10'000;
  return kernel;
}

} // namespace

TEST_CASE("a clock that nothing in the guest touches is the host's", "[faults]") {
  CHECK(keeper_of(undisciplined(), 0) == clock_keeper::host);
  CHECK(keeper_of(undisciplined(), 2 * ms) == clock_keeper::host); // an interrupted reading
  CHECK(keeper_of(undisciplined(), -2 * ms) == clock_keeper::host);
}

TEST_CASE("a clock that an NTP daemon disciplines is left to it", "[faults]") {
  auto kernel = undisciplined();
  SECTION("synchronised") { kernel.status = 0; }
  SECTION("its phase-locked loop runs") { kernel.status |= STA_PLL; }
  SECTION("its frequency-locked loop runs") { kernel.status |= STA_FLL; }
  SECTION("a pulse a second") { kernel.status |= STA_PPSFREQ; }
  SECTION("it changed the frequency") { kernel.freq = -65'536; }
  SECTION("it changed the tick") { kernel.tick = 10'001; }
  CHECK(keeper_of(kernel, 0) == clock_keeper::ntp);
  CHECK(keeper_of(kernel, 60'000 * ms) == clock_keeper::ntp);
}

TEST_CASE("a clock that something in the guest has set is left to it", "[faults]") {
  CHECK(keeper_of(undisciplined(), 60'000 * ms) == clock_keeper::guest);
  CHECK(keeper_of(undisciplined(), -60'000 * ms) == clock_keeper::guest);
}

TEST_CASE("a span back in time has a negative second and a positive rest", "[faults]") {
  const auto both = [](std::int64_t span) {
    const auto t = to_timeval(span);
    return std::pair<std::int64_t, std::int64_t>(t.tv_sec, t.tv_usec);
  };
  using span = std::pair<std::int64_t, std::int64_t>;
  CHECK(both(0) == span{0, 0});
  CHECK(both(1'500 * ms) == span{1, 500'000});
  CHECK(both(-1'000) == span{-1, 999'999});
  CHECK(both(-1'500 * ms) == span{-2, 500'000});
  CHECK(both(-2'000 * ms) == span{-2, 0});
}
