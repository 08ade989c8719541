// Starts a command: its own session and process group, its own cgroup where there are any.
#pragma once

#include "guest/result.hpp"
#include "messages/guest/protocol.hpp"

#include <sys/types.h>

namespace banger::guest {

struct spawned {
  pid_t pid = 0;
  unique_fd in, out, err; ///< our ends; they do not block. Of a terminal, `in` and `out`
  unique_fd failure;      ///< holds a `spawn_failure` once the command could not be executed
};

/// `cgroup` is a descriptor of its folder, or -1. Answers before the command is executed; that it
/// cannot be shows in `failure` when the child has ended. ENOENT for a `cwd` that is not there.
result<spawned> spawn(const open_body& order, int cgroup);

struct spawn_failure {
  exited_body end;
  std::string why; ///< where errno does not say it
};
/// What the child left in `failure`, if anything.
std::optional<spawn_failure> read_failure(int fd);

/// Signals and scheduling, which a program keeps from the one that starts it, as they are at first.
void reset_inherited();

done resize_terminal(int fd, std::uint16_t rows, std::uint16_t cols);

} // namespace banger::guest
