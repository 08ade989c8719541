// `vm prune`: what does not run goes, after a question.
#include "cli/exit_codes.hpp"
#include "cli/print.hpp"
#include "cli/verbs.hpp"

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

bool agreed(const std::vector<vm_view>& vms) {
  note(vm_table(vms, unix_ms()));
  note("Delete " + std::string(vms.size() == 1 ? "this VM" : "these VMs") +
       " and their disks, for good? [y/N] ");
  const auto said = answer();
  return said == "y" || said == "Y" || said == "yes";
}

} // namespace

int perform(const prune_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  auto vms = ctx.daemon->list();
  if (!vms)
    return ctx.report(vms.error());
  std::erase_if(*vms, [](const vm_view& vm) { return !at_rest(vm); });
  if (vms->empty()) {
    note("no VM is at rest: nothing to delete\n");
    return exit_ok;
  }
  if (!asked.force && !agreed(*vms)) {
    note("nothing was deleted\n");
    return exit_failure;
  }
  // The daemon looks again: one that was started meanwhile stays.
  verb_options order;
  order.verb = "delete";
  order.quiet = asked.quiet;
  order.only_at_rest = true;
  for (const auto& vm : *vms)
    order.refs.push_back(vm.id);
  return perform(order, ctx);
}

} // namespace banger::cli
