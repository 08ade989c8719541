// Runs a program of the host to its end: no shell, nothing inherited, bounded output, a deadline.
#pragma once

#include "messages/base/error.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace banger::storage {

struct command {
  std::vector<std::string> argv = {}; ///< argv[0] is searched in PATH, then in the sbin folders
  /// NAME=value, on top of LC_ALL=C, PATH and what of the daemon's says where the user and his
  /// proxies are: nothing else of the shell that started the daemon reaches a program.
  std::vector<std::string> env = {};
  std::filesystem::path cwd = {}; ///< empty: the daemon's
  int input = -1;  ///< descriptor that becomes stdin, still the caller's; -1: /dev/null
  int output = -1; ///< descriptor that becomes stdout, still the caller's; -1: it is kept
  std::chrono::milliseconds deadline{60'000};
  std::chrono::milliseconds grace{2'000}; ///< from SIGTERM to SIGKILL, at a stop or the deadline
  std::size_t max_output = 1 << 20; ///< bytes kept of each stream; what comes after is dropped
  /// Called with every whole line of stdout as it comes, in the caller's thread.
  std::function<void(std::string_view)> on_line = {};
  std::function<void(std::string_view)> on_error_line = {}; ///< the same, of stderr
  std::string remedy = "run scripts/bootstrap";             ///< told when the program is not there
};

struct process_end {
  int status = 0; ///< exit status; 128 + signal if a signal ended it
  std::string out, err;
};

/// The program's path, or empty. Searches PATH, then /usr/sbin and /sbin, where users rarely look.
std::filesystem::path find_program(std::string_view name);

/// Runs it; blocks until it has ended. A stop or the deadline ends its whole process group.
/// `unavailable`: no such program. `timed_out`, `cancelled`. Any exit status is a success here.
expected<process_end> run_any(const command& c, const std::stop_token& stop = {});

/// As `run_any`, and a status other than 0 is `operation_failed` with the last line of stderr.
expected<process_end> run(const command& c, const std::stop_token& stop = {});

} // namespace banger::storage
