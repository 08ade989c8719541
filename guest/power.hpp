// The end of the machine.
#pragma once

#include <functional>

namespace banger::guest {

/// Whether the image's own init can be asked to power off; asks it.
bool ask_init_to_power_off();

/// Ends all processes, writes everything to disk, calls `last_words`, switches the machine off.
[[noreturn]] void power_off(const std::function<void()>& last_words);

} // namespace banger::guest
