// The daemon's log, read without the daemon.
#pragma once

#include "messages/base/error.hpp"

#include <filesystem>
#include <functional>
#include <string_view>

namespace banger::cli {

/// Gives the file's content to `sink` in pieces; with `follow` also what is added later, across a
/// rotation, for as long as `sink` answers true. `not_found`: there is no log yet.
expected<void> read_log(const std::filesystem::path& file, bool follow,
                        const std::function<bool(std::string_view)>& sink);

} // namespace banger::cli
