// Names in an archive are data: what they may be. Pure.
#pragma once

#include "messages/base/error.hpp"

#include <string>
#include <string_view>

namespace banger::image {

/// "./usr/bin/" → "usr/bin"; "." and "./" → "". `bad_request`: absolute, with "..", a zero byte, an
/// empty name, or longer than a path or a file name can be.
expected<std::string> entry_path(std::string_view raw);

} // namespace banger::image
