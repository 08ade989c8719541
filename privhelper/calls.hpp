// The system calls of each role, by what they are for.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace banger::helper {

/// Calls that are free.
struct call_group {
  std::string_view purpose;
  std::vector<std::string_view> calls;
};

/// The call is free if `(argument & mask) == value`, for all conditions of a row.
struct call_condition {
  unsigned argument = 0;
  std::uint64_t mask = 0, value = 0;
};
struct conditional_call {
  std::string_view call;
  std::vector<call_condition> when;
  std::string_view only_if; ///< the same for people; rows of a call that say the same are one
};

/// Role `network`.
const std::vector<call_group>& free_calls();
std::vector<conditional_call> conditional_calls(); ///< of this process: its pid is among them
/// Answered with ENOSYS, so that the C library takes an older call instead.
const std::vector<std::string_view>& calls_with_older_ones();

/// Role `machine`: refused.
const std::vector<call_group>& refused_calls();

} // namespace banger::helper
