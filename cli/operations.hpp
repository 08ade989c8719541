// Waiting for long operations: progress on the terminal, Ctrl-C as a cancellation, an end for every
// one of them.
#pragma once

#include "cli/client.hpp"
#include "cli/progress.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace banger::cli {

struct watch_options {
  progress_line* line = nullptr;
  int signals = -1; ///< a signalfd: the first signal cancels, the second gives up
  std::optional<std::chrono::milliseconds> deadline; ///< none: the daemon ends every operation
};

struct watched {
  std::vector<messages::finished> ends; ///< in the order of the operations; all, unless gave_up
  int signal = 0;                       ///< the first one that came
  bool gave_up = false;
};

/// `disconnected`: the daemon went away; `timed_out`.
expected<watched> watch(client& daemon, const std::vector<std::string>& ops,
                        const watch_options& options);

/// Nothing if the operation succeeded.
std::optional<failure> error_of(const messages::finished& end);

} // namespace banger::cli
