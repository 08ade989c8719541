// `vm start`, `stop`, `kill`, `delete`, `list`, `show`, `logs`.
#include "cli/exec_stream.hpp"
#include "cli/exit_codes.hpp"
#include "cli/operations.hpp"
#include "cli/print.hpp"
#include "cli/resolve.hpp"
#include "cli/signals.hpp"
#include "cli/verbs.hpp"

#include <algorithm>
#include <chrono>
#include <unistd.h>

namespace banger::cli {

using namespace messages;

namespace {

// One target on its way: where it stands when it could not begin, or what it waits for.
struct errand {
  std::string op, vm;
  std::optional<failure> error;
};

// A single reference is resolved by the daemon itself, which spares us the list.
expected<std::vector<errand>> begin_all(const verb_options& asked, client& daemon) {
  std::vector<errand> errands;
  const auto begin = [&](const std::string& ref) {
    const auto ticket = daemon.begin(
        verb_request{asked.verb, ref, asked.until_booted, asked.signal, asked.only_at_rest});
    errands.push_back(ticket ? errand{ticket->op, ticket->vm, {}} : errand{{}, {}, ticket.error()});
  };
  if (asked.refs.size() == 1) {
    begin(asked.refs.front());
    return errands;
  }
  const auto vms = daemon.list();
  if (!vms)
    return tl::unexpected(vms.error());
  for (const auto& target : resolve(asked.refs, *vms)) {
    if (target.vm)
      begin(target.vm->id);
    else
      errands.push_back({{}, {}, target.vm.error()});
  }
  return errands;
}

int tell(const context& ctx, const verb_options& asked, const finished& end) {
  if (const auto error = error_of(end))
    return ctx.report(*error);
  if (asked.timing)
    note(timing_table(end.stages));
  return print(ctx, end.vm.name + "\n");
}

// The operations go on without us.
int leave_all(context& ctx, const verb_options& asked, const std::vector<errand>& errands) {
  std::vector<int> codes;
  for (const auto& errand : errands) {
    const auto vm = errand.error ? expected<vm_detail>(tl::unexpected(*errand.error))
                                 : ctx.daemon->show(errand.vm);
    if (!asked.quiet && !errand.op.empty())
      note("operation " + errand.op + "; banger operations wait " + errand.op + "\n");
    codes.push_back(vm ? print(ctx, vm->view.name + "\n") : ctx.report(vm.error()));
  }
  return worst(codes);
}

} // namespace

int perform(const verb_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  // A start is undone by Ctrl-C; a stop or delete is only not waited for.
  std::optional<signal_source> signals;
  if (asked.verb == "start")
    signals.emplace();
  const auto errands = begin_all(asked, *ctx.daemon);
  if (!errands)
    return ctx.report(errands.error());
  if (!asked.wait)
    return leave_all(ctx, asked, *errands);
  std::vector<std::string> ops;
  for (const auto& errand : *errands)
    if (!errand.error)
      ops.push_back(errand.op);
  progress_line line(ctx.screen, asked.quiet, asked.refs.size() == 1 ? asked.refs.front() : "");
  const auto seen = watch(*ctx.daemon, ops, {&line, signals ? signals->fd() : -1, {}});
  line.clear();
  if (!seen)
    return ctx.report(seen.error());
  std::vector<int> codes;
  std::size_t next = 0;
  for (const auto& errand : *errands) {
    if (errand.error)
      codes.push_back(ctx.report(*errand.error));
    else if (const auto& end = seen->ends[next++]; !end.op.empty())
      codes.push_back(tell(ctx, asked, end));
  }
  return seen->signal != 0 ? exit_signal + seen->signal : worst(codes);
}

int perform(const list_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  const auto vms = ctx.daemon->list();
  if (!vms)
    return ctx.report(vms.error());
  return print(ctx, asked.json ? vms_json(*vms) : vm_table(*vms, now_ms()));
}

int perform(const show_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  const auto vm = ctx.daemon->show(asked.ref);
  if (!vm)
    return ctx.report(vm.error());
  return print(ctx, asked.json ? vm_json(*vm) : vm_page(*vm, now_ms()));
}

int perform(const logs_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  const auto ticket = ctx.daemon->logs({asked.ref, asked.follow});
  if (!ticket)
    return ctx.report(ticket.error());
  auto connection = open_stream(stream_socket(ctx.where), ticket->token);
  if (!connection)
    return ctx.report(connection.error());
  const auto end = run_log_stream(std::move(*connection), STDOUT_FILENO);
  return end ? exit_code(*end) : ctx.report(end.error());
}

} // namespace banger::cli
