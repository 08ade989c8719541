// What is done about a guest's wall clock, by one question and its answer. Pure.
#pragma once

#include "messages/guest/protocol.hpp"

#include <cstdint>

namespace banger::io {

/// The host's clock when the question went and when the answer came, the guest's in between; in ns.
/// The guest read it at some moment of the round trip: its middle is wrong by half of that at most.
struct clock_sample {
  std::int64_t sent = 0, heard = 0; ///< the host's wall clock
  std::int64_t took = 0;            ///< by a clock that is never set
  std::int64_t guest = 0;
  guest::clock_keeper keeper = guest::clock_keeper::host;
};

enum class clock_cause : std::uint8_t {
  upkeep, ///< a minute has passed
  jump,   ///< the host's clock was set, or the guest stood still
  boot,   ///< nothing runs in the guest yet
};

enum class clock_action : std::uint8_t { leave, step, slew };

struct clock_decision {
  clock_action action = clock_action::leave;
  std::int64_t delta = 0; ///< to add to the guest's clock, in ns
  bool settled = true;    ///< no: a better sample is wanted, now
};

clock_decision decide(const clock_sample& sample, clock_cause cause);

} // namespace banger::io
