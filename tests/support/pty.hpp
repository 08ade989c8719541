// A program at a terminal of its own, as somebody sees it who sits there.
#pragma once

#include "tests/support/process.hpp"

#include <termios.h>

namespace banger::test {

struct window_size {
  std::uint16_t rows = 24, cols = 80;
};

class at_terminal {
public:
  /// Its controlling terminal is new; it leads the session.
  explicit at_terminal(const program& p, window_size size = {});
  ~at_terminal();
  at_terminal(const at_terminal&) = delete;
  at_terminal& operator=(const at_terminal&) = delete;

  pid_t pid() const { return pid_; }
  /// Keys, as bytes.
  void type(std::string_view keys);
  /// Waits until `text` is shown after what was seen last; from then on it is seen. The deadline is
  /// scaled.
  bool sees(std::string_view text, milliseconds deadline = milliseconds(15'000));
  /// All that was shown so far; a flood is cut at its front.
  const std::string& shown() const { return shown_; }
  std::uint64_t bytes_shown() const { return count_; }
  /// Reads what comes, for that long.
  void look_for(milliseconds time);
  /// While false nothing is read: a terminal that stalls.
  void read_output(bool wanted) { reading_ = wanted; }

  void resize(window_size size) const;
  /// The modes as they are now.
  termios modes() const;
  bool cooked() const; ///< with echo, lines and signals, as a shell leaves it to its commands
  bool eventually_cooked(bool wanted, milliseconds deadline = milliseconds(15'000));
  void hang_up(); ///< the window is closed

  void signal(int number) const;
  /// Reads until it has ended: exit status, 128 + signal, or -1 at the deadline (scaled).
  int wait(milliseconds deadline);
  bool running();

private:
  void step(milliseconds patience);
  template <class Holds>
  bool until(Holds holds, milliseconds deadline);

  unique_fd master_, slave_;
  pid_t pid_ = -1;
  int status_ = -1;
  std::string shown_;
  std::size_t seen_ = 0;
  std::uint64_t count_ = 0;
  bool reading_ = true;
};

} // namespace banger::test
