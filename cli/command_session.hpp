// A command, or a shell, in a VM that runs: from the request to its exit code.
#pragma once

#include "cli/signals.hpp"
#include "cli/verbs.hpp"

namespace banger::cli {

struct session_end {
  int code = 0;
  bool lost = false; ///< a failure of ours, and was told
};

/// Prints an error and answers the exit code if no guest can execute a command of such length.
std::optional<int> refuse_long(const context& ctx, const messages::exec_request& request);

/// `request.tty`: a terminal session on our standard input. `owner`: the VM lives for us.
session_end run_session(context& ctx, messages::exec_request request, std::optional<char> escape,
                        const signal_source& signals, bool owner = false);

/// Says that the VM is still there, to people.
void remind(context& ctx, const std::string& vm);

} // namespace banger::cli
