// `vm run`, `vm exec`, `vm create`: the verbs that are interrupted, stream, and clean up.
#include "cli/exec_stream.hpp"
#include "cli/exit_codes.hpp"
#include "cli/operations.hpp"
#include "cli/print.hpp"
#include "cli/signals.hpp"
#include "cli/verbs.hpp"

#include <cstring>
#include <unistd.h>

namespace banger::cli {

using namespace messages;

namespace {

constexpr std::chrono::milliseconds remove_deadline{10000};

// A VM that was made, or the code to end with. When it was interrupted there may be both.
struct made {
  std::optional<vm_view> vm;
  std::optional<int> code;
};

int interrupted(const context& ctx, int signal) {
  note(error_line({errc::cancelled, "interrupted", "", "", ""}, ctx.screen.colour));
  return exit_signal + signal;
}

made make_vm(context& ctx, const create_request& request, const signal_source& signals, bool quiet,
             bool timing) {
  if (auto ok = ctx.reach(); !ok)
    return {{}, ctx.report(ok.error())};
  if (!quiet && ::isatty(STDERR_FILENO) != 0)
    note(spec_line(request));
  progress_line line(ctx.screen, quiet, request.name);
  const auto ticket = ctx.daemon->begin(request);
  if (!ticket)
    return {{}, ctx.report(ticket.error())};
  const auto seen = watch(*ctx.daemon, {ticket->op}, {&line, signals.fd(), {}});
  line.clear();
  if (!seen)
    return {{}, ctx.report(seen.error())};
  if (seen->gave_up)
    return {{}, interrupted(ctx, seen->signal)};
  const auto& end = seen->ends.front();
  const auto error = error_of(end);
  if (seen->signal != 0 && (!error || error->code == errc::cancelled))
    return {error ? std::nullopt : std::optional(end.vm), interrupted(ctx, seen->signal)};
  if (error)
    return {{}, ctx.report(*error)};
  if (timing)
    note(timing_table(end.stages));
  return {end.vm, {}};
}

failure not_started(const std::string& program, const outcome& end) {
  const bool missing = end.how == ending::not_found;
  return {missing ? errc::not_found : errc::operation_failed,
          "cannot run '" + program + "' in the VM",
          missing ? "no such program" : std::strerror(static_cast<int>(end.value)), "", ""};
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

// `owner`: the VM lives for us.
int stream_command(context& ctx, exec_request request, const signal_source& signals,
                   bool owner = false) {
  request.has_stdin = !ctx.stdin_closed;
  const auto ticket = ctx.daemon->exec(request);
  if (!ticket)
    return ctx.report(ticket.error());
  auto connection = open_stream(stream_socket(ctx.where), ticket->token);
  if (!connection)
    return ctx.report(connection.error());
  const stream_ends ends{ctx.stdin_closed ? -1 : STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO,
                         signals.fd()};
  const auto end = run_exec_stream(std::move(*connection), ends, way_back(ctx, *ticket, owner));
  if (!end)
    return ctx.report(end.error());
  if (end->how == ending::not_found || end->how == ending::not_runnable)
    note(error_line(not_started(request.argv.front(), *end), ctx.screen.colour));
  return exit_code(*end);
}

// Bounded, and not to be interrupted. A daemon that does not manage in time does it later: the VM
// is ephemeral, and its client will be gone.
void remove_vm(context& ctx, const vm_view& vm, bool quiet) {
  progress_line line(ctx.screen, quiet, vm.name);
  const auto ticket = ctx.daemon->begin(verb_request{"delete", vm.id});
  if (!ticket) {
    ctx.report(ticket.error());
    return;
  }
  const auto seen = watch(*ctx.daemon, {ticket->op}, {&line, -1, remove_deadline});
  line.clear();
  if (!seen)
    ctx.report(seen.error());
  else if (const auto error = error_of(seen->ends.front()); error && error->code != errc::not_found)
    ctx.report(*error);
}

} // namespace

int perform(const run_options& asked, context& ctx) {
  const signal_source signals;
  const auto made = make_vm(ctx, asked.request, signals, asked.quiet, asked.timing);
  if (!made.vm)
    return *made.code;
  auto request = asked.command;
  request.ref = made.vm->id;
  const int code =
      made.code ? *made.code : stream_command(ctx, request, signals, asked.request.ephemeral);
  if (asked.request.ephemeral)
    remove_vm(ctx, *made.vm, asked.quiet);
  else if (!asked.quiet && ::isatty(STDERR_FILENO) != 0)
    note("VM " + made.vm->name + " is still running; banger vm stop " + made.vm->name + "\n");
  return code;
}

int perform(const exec_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  const signal_source signals;
  return stream_command(ctx, asked.request, signals);
}

int perform(const create_options& asked, context& ctx) {
  const signal_source signals;
  const auto made = make_vm(ctx, asked.request, signals, asked.quiet, asked.timing);
  if (made.code) {
    if (made.vm)
      note("VM " + made.vm->name + " was made all the same; banger vm delete " + made.vm->name +
           "\n");
    return *made.code;
  }
  return print(ctx, asked.json ? vm_json(*made.vm) : made.vm->name + "\n");
}

} // namespace banger::cli
