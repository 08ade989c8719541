// `vm run` and `vm create`: the verbs that are interrupted, and clean up.
#include "cli/command_session.hpp"
#include "cli/exit_codes.hpp"
#include "cli/operations.hpp"
#include "cli/print.hpp"
#include "cli/waiting.hpp"

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

// The operation goes on without us.
made leave_vm(context& ctx, const create_request& request, bool quiet) {
  const auto ticket = ctx.daemon->begin(request);
  if (!ticket)
    return {{}, ctx.report(ticket.error())};
  const auto vm = ctx.daemon->show(ticket->vm);
  if (!vm)
    return {{}, ctx.report(vm.error())};
  if (!quiet)
    note("operation " + ticket->op + "; banger operations wait " + ticket->op + "\n");
  return {vm->view, {}};
}

made make_vm(context& ctx, const create_request& request, const signal_source& signals, bool quiet,
             bool timing, bool wait = true) {
  if (auto ok = ctx.reach(); !ok)
    return {{}, ctx.report(ok.error())};
  if (!quiet && ::isatty(STDERR_FILENO) != 0)
    note(spec_line(request));
  if (!wait)
    return leave_vm(ctx, request, quiet);
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

// Bounded, and not to be interrupted. A daemon that does not manage in time does it later: the VM
// is ephemeral, and its client will be gone.
void remove_vm(context& ctx, const vm_view& vm, bool quiet) {
  const uninterrupted shield;
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

int made_all_the_same(const made& made) {
  if (made.vm)
    note("VM " + made.vm->name + " was made all the same; banger vm delete " + made.vm->name +
         "\n");
  return *made.code;
}

int detach(context& ctx, const run_options& asked, const vm_view& vm) {
  if (!asked.quiet)
    note("VM " + vm.name + " is running; banger vm shell " + vm.name +
         " opens a shell, banger vm exec " + vm.name + " -- COMMAND runs a command\n");
  return print(ctx, vm.name + "\n");
}

} // namespace

int perform(const run_options& asked, context& ctx) {
  if (const auto code = refuse_long(ctx, asked.command))
    return *code;
  const signal_source signals;
  const auto made = make_vm(ctx, asked.request, signals, asked.quiet, asked.timing);
  if (!made.vm)
    return *made.code;
  if (asked.detach)
    return made.code ? made_all_the_same(made) : detach(ctx, asked, *made.vm);
  auto request = asked.command;
  request.ref = made.vm->id;
  const auto end = made.code
                       ? session_end{*made.code, false}
                       : run_session(ctx, request, asked.escape, signals, asked.request.ephemeral);
  if (asked.request.ephemeral)
    remove_vm(ctx, *made.vm, asked.quiet);
  else if (!asked.quiet && !end.lost)
    remind(ctx, made.vm->id);
  return end.code;
}

int perform(const create_options& asked, context& ctx) {
  const signal_source signals;
  const auto made = make_vm(ctx, asked.request, signals, asked.quiet, asked.timing, asked.wait);
  if (made.code)
    return made_all_the_same(made);
  return print(ctx, asked.json ? vm_json(*made.vm) : made.vm->name + "\n");
}

} // namespace banger::cli
