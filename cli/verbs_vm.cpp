// `vm start`, `stop`, `restart`, `kill`, `delete`, `set`, `rename`, `touch`, `list`, `show`,
// `logs`.
#include "cli/exec_stream.hpp"
#include "cli/exit_codes.hpp"
#include "cli/operations.hpp"
#include "cli/print.hpp"
#include "cli/signals.hpp"
#include "cli/targets.hpp"
#include "cli/verbs.hpp"

#include <algorithm>
#include <chrono>
#include <unistd.h>

namespace banger::cli {

using namespace messages;

namespace {

// Operations on their way, in the order of the words; codes of what could not begin.
struct errands {
  std::vector<op_ticket> begun;
  std::vector<int> codes;
};

template <class Begin>
expected<errands> begin_all(context& ctx, const std::vector<std::string>& refs, Begin begin) {
  auto found = find_targets(ctx, refs);
  if (!found)
    return tl::unexpected(found.error());
  errands all{{}, std::move(found->codes)};
  for (const auto& ref : found->refs) {
    const expected<op_ticket> ticket = begin(ref);
    if (ticket)
      all.begun.push_back(*ticket);
    else
      all.codes.push_back(ctx.report(ticket.error()));
  }
  return all;
}

struct manner {
  std::string label; ///< of the progress
  bool quiet = false, timing = false;
  int signals = -1; ///< descriptor; what arrives there cancels
};

int tell(const context& ctx, const manner& how, const finished& end) {
  if (const auto error = error_of(end))
    return ctx.report(*error);
  if (how.timing)
    note(timing_table(end.stages));
  return print(ctx, end.vm.name + "\n");
}

// The operations go on without us.
int leave_all(context& ctx, bool quiet, errands all) {
  for (const auto& ticket : all.begun) {
    const auto vm = ctx.daemon->show(ticket.vm);
    if (!quiet)
      note("operation " + ticket.op + "; banger operations wait " + ticket.op + "\n");
    all.codes.push_back(vm ? print(ctx, vm->view.name + "\n") : ctx.report(vm.error()));
  }
  return worst(all.codes);
}

std::string label_of(const std::vector<std::string>& refs) {
  return refs.size() == 1 ? refs.front() : "";
}

// Ends are told in the order in which the VMs were named.
int await_all(context& ctx, errands all, const manner& how) {
  std::vector<std::string> ops;
  ops.reserve(all.begun.size());
  for (const auto& ticket : all.begun)
    ops.push_back(ticket.op);
  progress_line line(ctx.screen, how.quiet, how.label);
  const auto seen = watch(*ctx.daemon, ops, {&line, how.signals, {}});
  line.clear();
  if (!seen)
    return ctx.report(seen.error());
  for (const auto& end : seen->ends)
    if (!end.op.empty())
      all.codes.push_back(tell(ctx, how, end));
  return seen->signal != 0 ? exit_signal + seen->signal : worst(all.codes);
}

} // namespace

int perform(const verb_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  // A start is undone by Ctrl-C; a stop or delete is only not waited for.
  std::optional<signal_source> signals;
  if (asked.verb == "start")
    signals.emplace();
  auto all = begin_all(ctx, asked.refs, [&](const std::string& ref) {
    return ctx.daemon->begin(verb_request{asked.verb, ref, asked.until_booted, asked.signal,
                                          asked.force, asked.only_at_rest});
  });
  if (!all)
    return ctx.report(all.error());
  if (!asked.wait)
    return leave_all(ctx, asked.quiet, std::move(*all));
  return await_all(ctx, std::move(*all),
                   {label_of(asked.refs), asked.quiet, asked.timing, signals ? signals->fd() : -1});
}

int perform(const set_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  auto all = begin_all(ctx, asked.refs, [&](const std::string& ref) {
    auto request = asked.request;
    request.ref = ref;
    return ctx.daemon->begin(request);
  });
  return all ? await_all(ctx, std::move(*all), {label_of(asked.refs), asked.quiet})
             : ctx.report(all.error());
}

int perform(const touch_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  auto found = find_targets(ctx, asked.refs);
  if (!found)
    return ctx.report(found.error());
  for (const auto& ref : found->refs)
    if (const auto touched = ctx.daemon->touch(ref); !touched)
      found->codes.push_back(ctx.report(touched.error()));
  return worst(found->codes);
}

int perform(const list_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  const auto vms = ctx.daemon->list();
  if (!vms)
    return ctx.report(vms.error());
  if (asked.quiet)
    return print(ctx, id_lines(*vms));
  return print(ctx, asked.json ? vms_json(*vms) : vm_table(*vms, unix_ms()));
}

int perform(const show_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  const auto vm = ctx.daemon->show(asked.ref);
  if (!vm)
    return ctx.report(vm.error());
  return print(ctx, asked.json ? vm_json(*vm) : vm_page(*vm, unix_ms()));
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
