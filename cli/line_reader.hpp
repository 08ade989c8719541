// The client's end of a stream of lines.
#pragma once

#include "messages/base/error.hpp"
#include "messages/base/unique_fd.hpp"

#include <functional>
#include <string_view>

namespace banger::cli {

/// Hands over whole lines without their newline, and acknowledges what was handed over, until the
/// stream ends or `line` answers false. `disconnected`: the daemon went away.
expected<void> read_lines(unique_fd connection, const std::function<bool(std::string_view)>& line);

} // namespace banger::cli
