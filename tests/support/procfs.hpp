// What /proc tells of processes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace banger::test {

/// Running processes (no zombies) with this text in their command line, their environment or the
/// path of a file that they have open; not ourselves.
std::vector<pid_t> processes_with(std::string_view text);

bool alive(pid_t pid);
std::string command_line(pid_t pid);

/// A line of /proc/PID/status, without its name: "Seccomp" gives "2".
std::optional<std::string> status_line(pid_t pid, std::string_view name);

/// The number in such a line: VmRSS in KiB, voluntary_ctxt_switches, Uid (the real one).
std::int64_t status_number(pid_t pid, std::string_view name);

/// Voluntary context switches of all threads: how often the process woke up.
std::int64_t wake_ups(pid_t pid);

} // namespace banger::test
