// The end of the machine.
#pragma once

#include <cstdint>
#include <functional>

namespace banger::guest {

/// Whether the image's own init can be asked to power off; asks it.
bool ask_init_to_power_off();

/// How the machine ends.
enum class finale : std::uint8_t { power_off, reboot };

/// Ends all processes, writes everything to disk, calls `last_words`, ends the machine.
[[noreturn]] void end_machine(finale how, const std::function<void()>& last_words);

} // namespace banger::guest
