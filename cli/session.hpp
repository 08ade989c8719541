// How a command comes to a daemon that it can talk to: connect; start one if there is none; ask an
// older one to make room.
#pragma once

#include "cli/client.hpp"
#include "messages/base/paths.hpp"

#include <memory>

namespace banger::cli {

/// A daemon that understands us. `unavailable`, `bad_version`, `timed_out`, `unauthorized`.
expected<std::unique_ptr<client>> reach_daemon(const folders& where);

/// The daemon that runs, of whatever version. `not_found`: none does.
expected<std::unique_ptr<client>> find_daemon(const folders& where);

} // namespace banger::cli
