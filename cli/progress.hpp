// Tells what is going on. On a terminal one line, rewritten in place, at most ten times a second.
// Elsewhere (a pipe, a CI job, a dumb terminal) a line for each stage that takes longer than two
// seconds, and again every ten. Nothing with --quiet.
#pragma once

#include "messages/models.hpp"

#include <chrono>
#include <cstdint>
#include <string>

namespace banger::cli {

struct terminal {
  bool live = false;   ///< may rewrite its line
  bool colour = false; ///< a terminal, and NO_COLOR is not set
  std::size_t width = 80;
};
/// Of standard error.
terminal look_at_terminal();

/// "otter: launch: starting QEMU (3.2 s)", cut to `width`.
std::string progress_text(const std::string& label, const messages::progress& news,
                          std::uint64_t elapsed_us, std::size_t width);

class progress_line {
public:
  using clock = std::chrono::steady_clock;

  progress_line(const terminal& to, bool quiet, std::string label);
  ~progress_line() { clear(); }
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;

  void show(const messages::progress& news);
  /// Draws again with the time that has passed.
  void tick();
  void clear();
  /// Until the next `tick` is due; -1: none is.
  int wait_ms() const;

private:
  void draw(clock::time_point now);

  clock::time_point next_draw() const;
  void show_plainly(const messages::progress& news);
  void write_line(clock::time_point now);

  bool live_, quiet_, drawn_ = false, fresh_ = false;
  std::size_t width_;
  std::string label_;
  messages::progress news_;
  clock::time_point heard_, drawn_at_;
  clock::time_point due_; ///< of the next plain line
};

} // namespace banger::cli
