// The rate of this CPU's time stamp counter: an emulated guest is told instead of measuring it.
#pragma once

#include <cstdint>

namespace banger::hypervisor {

/// In kHz, against CLOCK_MONOTONIC_RAW; takes about 15 ms of CPU. 0: this CPU has none.
std::uint64_t measure_tsc_khz();

} // namespace banger::hypervisor
