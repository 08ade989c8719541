#include "actors/io/clock_rules.hpp"

#include <algorithm>
#include <cstdlib>

namespace banger::io {

namespace {

constexpr std::int64_t ms = 1'000'000;
// Half a round trip up to which a sample is as good as needed.
constexpr std::int64_t precise = 20 * ms;
constexpr std::int64_t promised = 50 * ms;
constexpr std::int64_t negligible = 1 * ms;
// Where NTP daemons step, too: it would take minutes to slew.
constexpr std::int64_t too_far = 128 * ms;
// By how much the host's clocks may differ in a round trip without having been set.
constexpr std::int64_t set_meanwhile = 5 * ms;

clock_decision slewed(std::int64_t offset, std::int64_t half) {
  if (std::abs(offset) <= std::max(half, negligible))
    return {};
  // Of a sample that is not precise only what is certain.
  const auto known = half <= precise ? offset : offset > 0 ? offset - half : offset + half;
  return {clock_action::slew, -known};
}

clock_decision stepped(std::int64_t offset, std::int64_t half, std::int64_t tolerated) {
  const bool enough = half <= precise;
  const auto least = std::abs(offset) - (enough ? 0 : half);
  if (least > tolerated)
    return {clock_action::step, -offset, enough};
  return {clock_action::leave, 0, enough};
}

} // namespace

clock_decision decide(const clock_sample& sample, clock_cause cause) {
  if (sample.keeper != guest::clock_keeper::host)
    return {};
  if (std::abs(sample.heard - sample.sent - sample.took) > set_meanwhile)
    return {clock_action::leave, 0, cause == clock_cause::upkeep};
  const auto half = sample.took / 2;
  const auto offset = sample.guest - (sample.sent + half);
  if (cause == clock_cause::boot)
    return stepped(offset, half, negligible);
  if (cause == clock_cause::upkeep && std::abs(offset) - half < too_far)
    return slewed(offset, half);
  if (half <= precise && std::abs(offset) + half < promised)
    return slewed(offset, half);
  return stepped(offset, half, promised - precise);
}

} // namespace banger::io
