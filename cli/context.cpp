#include "cli/exit_codes.hpp"
#include "cli/print.hpp"
#include "cli/session.hpp"
#include "cli/verbs.hpp"
#include "cli/waiting.hpp"
#include "messages/config/report.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <poll.h>
#include <unistd.h>
#include <utility>

namespace banger::cli {

namespace {

// Somebody who shares the descriptor with us has made it non-blocking.
expected<bool> await_room(int fd) { return await(fd, POLLOUT, for_ever); }

} // namespace

expected<void> context::reach() {
  if (!daemon)
    daemon = std::make_unique<client>();
  auto ok = reach_daemon(where, *daemon);
  if (ok)
    compare_settings();
  return ok;
}

void context::compare_settings() {
  if (std::exchange(compared, true))
    return;
  const auto theirs = config::read_report(where, daemon->daemon().pid);
  if (!theirs)
    return;
  if (const auto text = config::differences(*theirs, config::present(where)); !text.empty())
    note(plain(text) + "\n");
}

int context::report(const failure& f) const {
  if (const auto number = interruption())
    return interrupted(f, *number);
  note(error_line(f, screen.colour));
  return failure_code;
}

// Once, whatever else could not be done for it.
int context::interrupted(const failure& f, int signal) const {
  static bool told = false;
  if (signal == SIGINT && interrupt_is_end)
    return exit_ok;
  if (!std::exchange(told, true))
    note(error_line(f.code == errc::cancelled ? f
                                              : failure{errc::cancelled, "interrupted", "", "", ""},
                    screen.colour));
  return exit_signal + signal;
}

int print(const context& ctx, std::string_view text) {
  while (!text.empty()) {
    const auto n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n >= 0)
      text.remove_prefix(static_cast<std::size_t>(n));
    else if (errno == EPIPE)
      return exit_signal + SIGPIPE;
    else if (errno == EAGAIN) {
      if (const auto room = await_room(STDOUT_FILENO); !room)
        return ctx.report(room.error());
    } else if (errno != EINTR)
      return ctx.report(fail_errno("cannot write to standard output", errno).value());
  }
  return exit_ok;
}

void note(std::string_view text) {
  while (!text.empty()) {
    const auto n = ::write(STDERR_FILENO, text.data(), text.size());
    if (n >= 0)
      text.remove_prefix(static_cast<std::size_t>(n));
    else if (errno == EAGAIN ? !await_room(STDERR_FILENO) : errno != EINTR)
      return;
  }
}

} // namespace banger::cli
