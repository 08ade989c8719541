// `ps`, `vm ports`, `vm health`, `vm console`.
#include "cli/exec_stream.hpp"
#include "cli/exit_codes.hpp"
#include "cli/print.hpp"
#include "cli/resolve.hpp"
#include "cli/signals.hpp"
#include "cli/targets.hpp"

#include <algorithm>
#include <csignal>
#include <unistd.h>

namespace banger::cli {

using namespace messages;

expected<targets> find_targets(context& ctx, const std::vector<std::string>& refs) {
  if (refs.size() == 1)
    return targets{refs, {}};
  const auto vms = ctx.daemon->list();
  if (!vms)
    return tl::unexpected(vms.error());
  targets found;
  if (refs.empty())
    for (const auto& vm : *vms)
      found.refs.push_back(vm.id);
  for (const auto& target : resolve(refs, *vms)) {
    if (target.vm)
      found.refs.push_back(target.vm->id);
    else
      found.codes.push_back(ctx.report(target.vm.error()));
  }
  return found;
}

namespace {

std::vector<vm_view> wanted(std::vector<vm_view> vms, const ps_options& asked) {
  if (asked.latest && vms.size() > 1)
    vms.erase(vms.begin(), vms.end() - 1); // the list is by age
  if (!asked.all && !asked.latest)
    std::erase_if(vms, [](const auto& vm) { return !has_machine(vm); });
  return vms;
}

// What is wrong with a guest that gave no sign of life.
failure diagnosis(const vm_health& vm) {
  return {errc::timed_out, "VM " + vm.name + " is " + vm.verdict, vm.why, vm.remedy, {}};
}

} // namespace

int perform(const ps_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  const auto all = ctx.daemon->list();
  if (!all)
    return ctx.report(all.error());
  const auto vms = wanted(*all, asked);
  if (asked.quiet)
    return print(ctx, id_lines(vms));
  return print(ctx, asked.json ? vms_json(vms) : vm_table(vms, unix_ms()));
}

int perform(const ports_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  auto found = find_targets(ctx, asked.refs);
  if (!found)
    return ctx.report(found.error());
  const auto all = good_ones(ctx, ctx.daemon->ports(found->refs), found->codes);
  for (const auto& vm : all)
    if (vm.left_out > 0)
      note(std::to_string(vm.left_out) + " more listeners of " + plain(vm.name) +
           " are not shown\n");
  if (!all.empty())
    found->codes.push_back(print(ctx, asked.json ? ports_json(all) : ports_table(all)));
  return worst(found->codes);
}

int perform(const health_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  auto found = find_targets(ctx, asked.refs);
  if (!found)
    return ctx.report(found.error());
  const auto all = good_ones(ctx, ctx.daemon->health(found->refs), found->codes);
  if (!all.empty())
    found->codes.push_back(print(ctx, asked.json ? health_json(all) : health_table(all)));
  for (const auto& vm : all)
    if (vm.verdict != "healthy")
      found->codes.push_back(ctx.report(diagnosis(vm)));
  return worst(found->codes);
}

int perform(const console_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  const auto ticket = ctx.daemon->console(asked.ref);
  if (!ticket)
    return ctx.report(ticket.error());
  auto connection = open_stream(stream_socket(ctx.where), ticket->token);
  if (!connection)
    return ctx.report(connection.error());
  signal_source signals;
  note("the console of " + plain(asked.ref) + "; Ctrl-C leaves it, and the VM runs on\n");
  const auto end = run_log_stream(std::move(*connection), STDOUT_FILENO, signals.fd());
  if (!end)
    return ctx.report(end.error());
  if (end->how == ending::log_end)
    note("the VM " + plain(asked.ref) + " has ended\n");
  if (end->how != ending::gave_up)
    return exit_code(*end);
  note("\nleft the console; the VM runs on\n");
  return end->value == SIGINT ? exit_ok : exit_code(*end);
}

} // namespace banger::cli
