// Machines that stop without an order: why they ended or stand still, and what follows. Pure.
#pragma once

#include "actors/io/machine_status.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace banger::vm {

/// An end that no step waited for.
struct end_of_machine {
  enum class kind : std::uint8_t {
    off,    ///< the guest switched itself off
    reboot, ///< the guest asked for a reboot: it is to be started again
    failed,
  };
  kind is = kind::failed;
  std::string why;      ///< for people; empty unless it failed
  std::string evidence; ///< lines of the console: from the panic on, or the last ones
};

inline constexpr const char* ended_unasked = "the hypervisor ended unexpectedly";

/// `said`: the guest's agent told that it goes down. `console`: the last lines, 60 suffice.
end_of_machine judge_end(io::ending how, bool said, std::string_view console);

/// "no space left on FOLDER", and the like.
std::string describe_pause(const io::pause& why, const std::string& folder);

/// Whether a machine that stands still for this may go on by itself.
bool may_resume(const io::pause& why);

/// Between two looks whether it may go on: 1 s, doubled up to 10 s.
std::chrono::milliseconds next_look(std::chrono::milliseconds last);

/// With less room than this the guest would be halted again at once.
inline constexpr std::uint64_t least_room_bytes = std::uint64_t{4} * 1024 * 1024;

} // namespace banger::vm
