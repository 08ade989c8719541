// Starting `bangerd` on demand: once, however many ask at the same time, and known to listen when
// this returns. No CAF.
#pragma once

#include "messages/base/error.hpp"
#include "messages/base/paths.hpp"
#include "messages/base/unique_fd.hpp"

#include <chrono>
#include <filesystem>
#include <string>

namespace banger::cli {

struct start_options {
  std::chrono::milliseconds deadline{30000}; ///< from the spawn to "ready"
};

/// BANGER_DAEMON, else beside our own program, else in PATH. `unavailable`.
expected<std::filesystem::path> find_daemon_program();

/// BANGER_IDLE_EXIT: seconds without VMs and clients after which the daemon leaves; 0: never.
/// Returns when a daemon listens in `where.runtime`: ours or one that somebody else started just
/// now. `unavailable`: it did not start, with its own words; `timed_out`; `unauthorized`: the
/// folders are not ours alone.
expected<void> start_daemon(const folders& where, const start_options& options = {});
/// The same by whoever holds the lock already.
expected<void> start_daemon(const folders& where, const unique_fd& lock,
                            const start_options& options = {});

/// Held by the one who may start a daemon here; others wait for it. The folders must be there.
expected<unique_fd> take_start_lock(const folders& where);

/// What the daemon printed before it died, for the end of an error: the last lines, in one.
std::string last_words(const std::filesystem::path& file);

} // namespace banger::cli
