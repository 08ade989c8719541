// `vm exec`, `vm shell`, and the command of `vm run`.
#include "cli/command_session.hpp"
#include "cli/exec_stream.hpp"
#include "cli/exit_codes.hpp"
#include "cli/print.hpp"
#include "cli/terminal_session.hpp"
#include "messages/base/version.hpp"
#include "messages/guest/protocol.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <unistd.h>

namespace banger::cli {

using namespace messages;

namespace {

// What an `open_body` has beside the words.
constexpr std::size_t open_rest = 64;

failure not_started(const exec_request& request, const outcome& end) {
  const bool missing = end.how == ending::not_found;
  const auto program = request.argv.empty() ? "the login shell" : "'" + request.argv.front() + "'";
  return {missing ? errc::not_found : errc::operation_failed,
          "cannot run " + program + " in the VM",
          missing           ? "no such program"
          : end.why.empty() ? std::strerror(static_cast<int>(end.value))
                            : end.why,
          end.value == E2BIG ? "pass long input through stdin or a file" : "", ""};
}

// Where a daemon that was lost left the command, the next one goes on with it.
reattach way_back(context& ctx, const stream_ticket& ticket, bool owner) {
  return [&ctx, ticket, owner](const stream_position& at) -> expected<unique_fd> {
    if (auto ok = ctx.reach(); !ok)
      return tl::unexpected(ok.error());
    const auto next = ctx.daemon->attach({ticket.vm, ticket.session, at.out, at.err, owner});
    if (!next)
      return tl::unexpected(next.error());
    return open_stream(stream_socket(ctx.where), next->token);
  };
}

expected<outcome> stream(context& ctx, const exec_request& request, stream_ends ends, bool owner) {
  ends.on_silence = [&request] {
    note("the guest does not answer; `banger vm health " + request.ref +
         "` tells how it is, `banger vm kill " + request.ref + "` ends it\n");
  };
  const auto ticket = ctx.daemon->exec(request);
  if (!ticket)
    return tl::unexpected(ticket.error());
  auto connection = open_stream(stream_socket(ctx.where), ticket->token);
  if (!connection)
    return tl::unexpected(connection.error());
  return run_exec_stream(std::move(*connection), ends, way_back(ctx, *ticket, owner));
}

// The terminal is as it was when this returns.
expected<outcome> stream_terminal(context& ctx, exec_request& request, std::optional<char> escape,
                                  bool owner) {
  const signal_source signals{SIGTSTP, SIGCONT, SIGWINCH};
  terminal_session here(STDIN_FILENO, escape);
  here.tells_keys = ctx.daemon->daemon().build >= this_build().number;
  const auto size = window_of(here.fd);
  request.rows = size.rows;
  request.cols = size.cols;
  stream_ends ends{STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, signals.fd()};
  ends.terminal = &here;
  return stream(ctx, request, ends, owner);
}

} // namespace

std::optional<int> refuse_long(const context& ctx, const exec_request& request) {
  std::size_t bytes = request.cwd.size();
  for (const auto* list : {&request.argv, &request.env})
    for (const auto& word : *list)
      bytes += word.size() + sizeof(std::uint32_t);
  if (bytes <= guest::max_open - open_rest)
    return std::nullopt;
  note(error_line(not_started(request, {ending::not_runnable, E2BIG}), ctx.screen.colour));
  return exit_not_runnable;
}

session_end run_session(context& ctx, exec_request request, std::optional<char> escape,
                        const signal_source& signals, bool owner) {
  request.has_stdin = request.has_stdin && !ctx.stdin_closed;
  const stream_ends ends{request.has_stdin ? STDIN_FILENO : -1, STDOUT_FILENO, STDERR_FILENO,
                         signals.fd()};
  const auto end = request.tty ? stream_terminal(ctx, request, escape, owner)
                               : stream(ctx, request, ends, owner);
  if (!end)
    return {ctx.report(end.error()), true};
  if (end->how == ending::not_found || end->how == ending::not_runnable)
    note(error_line(not_started(request, *end), ctx.screen.colour));
  if (end->how == ending::left)
    note("\nleft the session; what ran in it was hung up\n");
  if (end->unread > 0)
    note("note: a line that was typed went to a command that did not read it; -n keeps standard "
         "input from it\n");
  return {exit_code(*end), false};
}

void remind(context& ctx, const std::string& vm) {
  if (::isatty(STDERR_FILENO) == 0)
    return;
  const auto now = ctx.daemon->show(vm);
  if (!now)
    return;
  const auto& name = now->view.name;
  note(messages::has_machine(now->view)
           ? "VM " + name + " is still " + now->view.state + "; banger vm stop " + name + "\n"
           : "VM " + name + " is " + now->view.state + "; banger vm start " + name + "\n");
}

int perform(const exec_options& asked, context& ctx) {
  if (const auto code = refuse_long(ctx, asked.request))
    return *code;
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  const signal_source signals;
  const auto end = run_session(ctx, asked.request, asked.escape, signals);
  if (!end.lost && !asked.quiet)
    remind(ctx, asked.request.ref);
  return end.code;
}

} // namespace banger::cli
