// INT, TERM, HUP and QUIT as something to read, in the thread that made it, while it exists. A
// signal that was ignored when we started (nohup) stays ignored. TSTP and CONT do what they always
// do, unless they are asked for. A job in the background is not stopped for its use of the
// terminal: a stopped one would be deaf to TERM.
#pragma once

#include "messages/base/unique_fd.hpp"

#include <chrono>
#include <csignal>
#include <deque>
#include <initializer_list>
#include <optional>

namespace banger::cli {

class signal_source {
public:
  /// `more` signals beside those four.
  explicit signal_source(std::initializer_list<int> more = {});
  ~signal_source();
  signal_source(const signal_source&) = delete;
  signal_source& operator=(const signal_source&) = delete;

  int fd() const { return fd_.get(); }
  std::optional<int> next() const; ///< signal number
  /// The same of the four alone: others stay for `next`.
  int ending_fd() const { return ending_.get(); }
  std::optional<int> next_ending() const;
  /// The one made last of those that exist; none: signals have their usual effect.
  static const signal_source* innermost();

private:
  sigset_t before_{};
  const signal_source* outer_;
  struct sigaction input_before_ {};
  struct sigaction output_before_ {};
  unique_fd fd_, ending_;
};

/// All signals blocked while it exists: threads made meanwhile never take one.
class signals_blocked {
public:
  signals_blocked();
  ~signals_blocked();
  signals_blocked(const signals_blocked&) = delete;
  signals_blocked& operator=(const signals_blocked&) = delete;

private:
  sigset_t before_{};
};

/// Tells when somebody hammers Ctrl-C: the third signal within a second.
class impatience {
public:
  using clock = std::chrono::steady_clock;
  bool add(clock::time_point now);

private:
  std::deque<clock::time_point> last_;
};

} // namespace banger::cli
