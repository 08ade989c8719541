// What we end with. docs/exit-codes.md tells it to users.
#pragma once

#include "cli/exec_stream.hpp"
#include "messages/base/error.hpp"
#include "messages/guest/protocol.hpp"

#include <vector>

namespace banger::cli {

inline constexpr int exit_ok = 0;
inline constexpr int exit_failure = 1;
inline constexpr int exit_usage = 2;
inline constexpr int exit_own_failure =
    125; ///< of run and exec, whose other codes are the command's
inline constexpr int exit_not_runnable = 126;
inline constexpr int exit_not_found = 127;
inline constexpr int exit_signal = 128; ///< plus the signal's number

ending ending_of(guest::exit_kind kind);

/// Of a stream that ended. 141 (SIGPIPE) if whoever read our output went away.
int exit_code(const outcome& end);

/// Several targets end with the worst of their codes.
int worst(const std::vector<int>& codes);

} // namespace banger::cli
