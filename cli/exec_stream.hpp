// The client's end of a stream connection: our standard input, output and error on one side, the
// session frames of messages/guest/protocol.hpp on the other. One poll loop in the caller's thread;
// nothing in it blocks, and what it holds is bounded by the protocol's window.
#pragma once

#include "messages/base/error.hpp"
#include "messages/base/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace banger::cli {

struct terminal_session;

enum class ending {
  exited,        ///< value: status 0–255
  signalled,     ///< value: signal number
  not_found,     ///< value: errno
  not_runnable,  ///< value: errno
  output_closed, ///< whoever read our output went away
  gave_up,       ///< value: the signal that we ended by, and not the command
  left,          ///< by an escape; value: the signal that the command got for it
  log_end,
};

struct outcome {
  ending how = ending::exited;
  std::uint32_t value = 0;
  std::uint64_t unread = 0; ///< typed bytes that went to a command that did not read them
  std::string why = {}; ///< why it was not runnable, in the guest's words; empty: errno says it all
};

/// Descriptors that the stream works with; it closes none of them. -1: not there.
struct stream_ends {
  int in = 0, out = 1, err = 2;
  int signals = -1; ///< a signalfd; what it says is forwarded to the command
  /// The command has a terminal, and `in` is the one that it appears on. `signals` then end the
  /// session, and say TSTP, CONT and WINCH as well.
  terminal_session* terminal = nullptr;
  /// Called once when the guest has not answered for 3 s.
  std::function<void()> on_silence = {};
};

/// Connects to the stream socket and shows the token. `disconnected`, `operation_failed`.
expected<unique_fd> open_stream(const std::filesystem::path& socket, const std::string& token);

/// How much of a command's output has come.
struct stream_position {
  std::uint64_t out = 0, err = 0;
};

/// A way back to a command whose connection was lost: a stream that goes on from there.
using reattach = std::function<expected<unique_fd>(const stream_position&)>;

/// Runs until the command has ended and its output is written. A lost connection is replaced by
/// `again`, without a byte lost or told twice, if it is given. Its error, if it fails;
/// `disconnected`: the daemon went away; `operation_failed`: the guest's reason, or our output
/// cannot be written.
expected<outcome> run_exec_stream(unique_fd connection, const stream_ends& ends,
                                  const reattach& again = {});

/// Copies a log to `out` until it ends, `out` is closed, or `signals` (a signalfd) has something to
/// say: `gave_up`.
expected<outcome> run_log_stream(unique_fd connection, int out, int signals = -1);

} // namespace banger::cli
