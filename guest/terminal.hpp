// What a terminal's line discipline does with a key that is a signal, also when the key cannot
// reach it because nobody reads what lies before.
#pragma once

namespace banger::guest {

/// If the terminal of this master takes the key for a signal and flushes its input for that:
/// flushes and gives it the key. False: neither; the key is a byte like any other, or waits its
/// turn.
bool press_signal_key(int master, char key);

} // namespace banger::guest
