// How a command comes to a daemon that it can talk to: connect; start one if there is none; ask an
// older one to make room.
#pragma once

#include "cli/client.hpp"
#include "messages/base/paths.hpp"

#include <memory>

namespace banger::cli {

/// Connects `daemon` to one that understands us; again, if its last one is gone. `unavailable`,
/// `bad_version`, `timed_out`, `unauthorized`.
expected<void> reach_daemon(const folders& where, client& daemon);

/// The daemon that runs, of whatever version. `not_found`: none does.
expected<std::unique_ptr<client>> find_daemon(const folders& where);

} // namespace banger::cli
