// `vm prune`: what does not run goes, after a question. `vm adopt`: what the database does not know
// comes back.
#include "cli/exit_codes.hpp"
#include "cli/print.hpp"
#include "cli/verbs.hpp"

#include <algorithm>
#include <cerrno>
#include <unistd.h>

namespace banger::cli {

using namespace messages;

namespace {

bool at_rest(const vm_view& vm) {
  return !messages::has_machine(vm) && vm.operation.empty() && vm.queued == 0;
}

// A line from standard input, without reading beyond it.
std::string answer() {
  std::string line;
  for (char c = 0;;) {
    const auto n = ::read(STDIN_FILENO, &c, 1);
    if (n < 0 && errno == EINTR)
      continue;
    if (n != 1 || c == '\n')
      return line;
    if (line.size() < 16)
      line += c;
  }
}

bool agreed(const std::string& table, const std::string& question) {
  note(table);
  note(question + ", for good? [y/N] ");
  const auto said = answer();
  if (said == "y" || said == "Y" || said == "yes")
    return true;
  note("nothing was deleted\n");
  return false;
}

bool wanted(const orphan_view& orphan, const std::vector<std::string>& ids) {
  return ids.empty() || std::any_of(ids.begin(), ids.end(),
                                    [&](const auto& id) { return orphan.id.starts_with(id); });
}

int prune_orphans(const prune_options& asked, context& ctx) {
  auto status = ctx.daemon->status();
  if (!status)
    return ctx.report(status.error());
  auto all = std::move(status->orphans);
  std::erase_if(all, [&](const orphan_view& o) { return !wanted(o, asked.ids); });
  int code = exit_ok;
  for (const auto& id : asked.ids) {
    const auto fits =
        std::count_if(all.begin(), all.end(), [&](const auto& o) { return o.id.starts_with(id); });
    if (fits > 1)
      return ctx.report({errc::ambiguous,
                         "'" + id + "' fits several folders without a record",
                         {},
                         "`banger daemon status` shows their ids",
                         {}});
    if (fits == 0)
      code = ctx.report({errc::not_found,
                         "there is no folder of a VM '" + id + "' without a record",
                         {},
                         "`banger daemon status` shows those there are",
                         {}});
  }
  if (all.empty() && asked.ids.empty())
    note("there is no folder without a record: nothing to delete\n");
  if (all.empty())
    return code;
  const auto* these = all.size() == 1 ? "Delete this folder" : "Delete these folders";
  if (!asked.force && !agreed(orphan_table(all), std::string(these) + " and the disks in them"))
    return exit_failure;
  std::string gone_ones;
  for (const auto& orphan : all)
    if (const auto gone = ctx.daemon->discard(orphan.id); !gone)
      code = ctx.report(gone.error());
    else
      gone_ones += orphan.id + "\n";
  const int printed = gone_ones.empty() ? exit_ok : print(ctx, gone_ones);
  return printed != exit_ok ? printed : code;
}

} // namespace

int perform(const prune_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  if (asked.orphans)
    return prune_orphans(asked, ctx);
  auto vms = ctx.daemon->list();
  if (!vms)
    return ctx.report(vms.error());
  std::erase_if(*vms, [](const vm_view& vm) { return !at_rest(vm); });
  if (vms->empty()) {
    note("no VM is at rest: nothing to delete\n");
    return exit_ok;
  }
  const auto* these = vms->size() == 1 ? "Delete this VM" : "Delete these VMs";
  if (!asked.force && !agreed(vm_table(*vms, unix_ms()), std::string(these) + " and their disks"))
    return exit_failure;
  // The daemon looks again: one that was started meanwhile stays.
  verb_options order;
  order.verb = "delete";
  order.quiet = asked.quiet;
  order.only_at_rest = true;
  for (const auto& vm : *vms)
    order.refs.push_back(vm.id);
  return perform(order, ctx);
}

int perform(const adopt_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  const auto vm = ctx.daemon->reclaim(asked.request);
  if (!vm)
    return ctx.report(vm.error());
  return print(ctx, asked.json ? vm_json(*vm) : vm->name + "\n");
}

} // namespace banger::cli
