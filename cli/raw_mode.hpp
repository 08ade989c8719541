// The local terminal while a guest has it: every key goes through as bytes. However we end, the
// terminal is left as it was found; only SIGKILL gives nobody a chance.
#pragma once

#include "messages/base/error.hpp"

#include <chrono>
#include <cstdint>
#include <termios.h>

namespace banger::cli {

struct window {
  std::uint16_t rows = 24, cols = 80;
};
/// Of the terminal `fd`; 24 by 80 where it has no size, or none is known.
window window_of(int fd);

/// Whether the terminal's keys and modes are ours at the moment, and not those of another job. Also
/// true of a terminal that controls no jobs of ours.
bool in_foreground(int fd);
/// The kernel does not tell when that changes: after so long it is looked at again.
inline constexpr std::chrono::milliseconds look_again{250};

class raw_mode {
public:
  /// Changes nothing yet. One at a time. `fd` stays open while this exists.
  explicit raw_mode(int fd) : fd_(fd) {}
  ~raw_mode() { leave(); }
  raw_mode(const raw_mode&) = delete;
  raw_mode& operator=(const raw_mode&) = delete;

  /// Nothing new if it holds already, except after somebody else changed the terminal while we were
  /// stopped. Changes nothing in the background: try again.
  expected<void> enter();
  bool holds() const { return raw_; }
  void leave();
  /// Leaves, and stops the process as SIGTSTP would. Returns when it goes on, raw again
  /// if it is in the foreground.
  expected<void> suspend();

private:
  int fd_;
  bool known_ = false, raw_ = false;
  termios before_{};
};

} // namespace banger::cli
