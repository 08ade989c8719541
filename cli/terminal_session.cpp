#include "cli/terminal_session.hpp"

#include <poll.h>
#include <unistd.h>

namespace banger::cli {

void terminal_session::say(std::string_view text) {
  pollfd ready{STDERR_FILENO, POLLOUT, 0};
  if (::isatty(STDERR_FILENO) == 0 || ::poll(&ready, 1, 0) != 1)
    return;
  [[maybe_unused]] const auto n = ::write(STDERR_FILENO, text.data(), text.size());
}

} // namespace banger::cli
