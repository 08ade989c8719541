// Durations as people write them, in the manner of Go: `90s`, `1h30m`, `250ms`, `0`.
#pragma once

#include "messages/base/error.hpp"

#include <chrono>
#include <string>
#include <string_view>

namespace banger {

/// Whole numbers with ms, s, m or h, each unit at most once and the larger first; `0` alone needs
/// none. Rejects signs, fractions, more than 10 years.
expected<std::chrono::milliseconds> parse_duration(std::string_view text);

/// "1h30m", "15m", "250ms", "0".
std::string format_duration(std::chrono::milliseconds span);

/// What the wall clock says, in milliseconds since the Unix epoch. It may jump.
std::uint64_t unix_ms();

} // namespace banger
