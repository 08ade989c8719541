// The places and variables that a daemon was started with, in a file beside its socket: its callers
// compare them with their own at each command, which a request would make slower. No CAF.
#pragma once

#include "messages/base/error.hpp"
#include "messages/base/paths.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace banger::config {

struct report {
  std::uint32_t pid = 0; ///< of the daemon that wrote it
  /// Variable and its value; of one that names a folder or file, the place that it leads to.
  std::vector<std::pair<std::string, std::string>> environment;
};

/// What this process would start a daemon with.
report present(const folders& where);

/// Replaces the file. `system_error`.
expected<void> write_report(const report& now, const folders& where);
/// Nothing, if there is none, or it is not that of the daemon with this pid.
std::optional<report> read_report(const folders& where, std::uint32_t pid);
void remove_report(const folders& where);

/// One line for people on what holds for the daemon and not here; empty: nothing.
std::string differences(const report& daemon, const report& here);

} // namespace banger::config
