// What a stream needs of the local terminal when its command has one, too.
#pragma once

#include "cli/escape.hpp"
#include "cli/raw_mode.hpp"

#include <string_view>

namespace banger::cli {

struct terminal_session {
  terminal_session(int at, std::optional<char> escape) : fd(at), raw(at), escapes(escape) {}

  int fd; ///< where its size is asked, and what is typed comes from
  raw_mode raw;
  escape_filter escapes;
  bool tells_keys = true; ///< the daemon takes keys that are told apart from the input

  /// To the one who types, if standard error is a terminal that takes it at once.
  static void say(std::string_view text);
};

} // namespace banger::cli
