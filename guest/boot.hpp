// Tells when the image's init is done with what it starts.
#pragma once

#include "guest/loop.hpp"

#include <string>
#include <sys/types.h>

namespace banger::guest {

/// systemd is asked by its own `systemctl is-system-running --wait`, as soon as it listens. Of any
/// other init nothing is known.
class boot_watch {
public:
  using told = std::function<void(std::string state)>;

  explicit boot_watch(loop& events) : events_(events) {}

  /// `init`: what runs as PID 1; empty: banger-init, which is done when it is configured. Calls
  /// `then` once, maybe at once. Asked again while it waits, it tells only the last who asked.
  void begin(const std::string& init, told then);
  /// True if the child that ended was ours.
  bool child_ended(pid_t pid);

private:
  void look();
  void ask();
  void finish(std::string state);

  loop& events_;
  told then_;
  unique_fd changes_, answer_, failure_;
  pid_t asking_ = 0;
  bool busy_ = false; ///< from the first `begin` to the answer
};

/// What `systemctl is-system-running` printed, if it is an answer. "offline", "unknown" and nothing
/// are said by a systemctl that came before its systemd.
std::string boot_state(std::string_view printed);

} // namespace banger::guest
