// `vm start`, `stop`, `restart`, `kill`, `delete`, `set`, `rename`, `touch`, `list`, `show`,
// `logs`.
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
template <class Begin>
expected<std::vector<errand>> begin_all(const std::vector<std::string>& refs, client& daemon,
                                        Begin begin_one) {
  std::vector<errand> errands;
  const auto begin = [&](const std::string& ref) {
    const expected<op_ticket> ticket = begin_one(ref);
    errands.push_back(ticket ? errand{ticket->op, ticket->vm, {}} : errand{{}, {}, ticket.error()});
  };
  if (refs.size() == 1) {
    begin(refs.front());
    return errands;
  }
  const auto vms = daemon.list();
  if (!vms)
    return tl::unexpected(vms.error());
  for (const auto& target : resolve(refs, *vms)) {
    if (target.vm)
      begin(target.vm->id);
    else
      errands.push_back({{}, {}, target.vm.error()});
  }
  return errands;
}

int tell(const context& ctx, bool timing, const finished& end) {
  if (const auto error = error_of(end))
    return ctx.report(*error);
  if (timing)
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

struct manner {
  std::string label; ///< of the progress
  bool quiet = false, timing = false;
  int signals = -1; ///< descriptor; what arrives there cancels
};

std::string label_of(const std::vector<std::string>& refs) {
  return refs.size() == 1 ? refs.front() : "";
}

// Ends are told in the order in which the VMs were named.
int await_all(context& ctx, const std::vector<errand>& errands, const manner& how) {
  std::vector<std::string> ops;
  for (const auto& errand : errands)
    if (!errand.error)
      ops.push_back(errand.op);
  progress_line line(ctx.screen, how.quiet, how.label);
  const auto seen = watch(*ctx.daemon, ops, {&line, how.signals, {}});
  line.clear();
  if (!seen)
    return ctx.report(seen.error());
  std::vector<int> codes;
  std::size_t next = 0;
  for (const auto& errand : errands) {
    if (errand.error)
      codes.push_back(ctx.report(*errand.error));
    else if (const auto& end = seen->ends[next++]; !end.op.empty())
      codes.push_back(tell(ctx, how.timing, end));
  }
  return seen->signal != 0 ? exit_signal + seen->signal : worst(codes);
}

} // namespace

int perform(const verb_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  // A start is undone by Ctrl-C; a stop or delete is only not waited for.
  std::optional<signal_source> signals;
  if (asked.verb == "start")
    signals.emplace();
  const auto errands = begin_all(asked.refs, *ctx.daemon, [&](const std::string& ref) {
    return ctx.daemon->begin(verb_request{asked.verb, ref, asked.until_booted, asked.signal,
                                          asked.force, asked.only_at_rest});
  });
  if (!errands)
    return ctx.report(errands.error());
  if (!asked.wait)
    return leave_all(ctx, asked, *errands);
  return await_all(ctx, *errands,
                   {label_of(asked.refs), asked.quiet, asked.timing, signals ? signals->fd() : -1});
}

int perform(const set_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  const auto errands = begin_all(asked.refs, *ctx.daemon, [&](const std::string& ref) {
    auto request = asked.request;
    request.ref = ref;
    return ctx.daemon->begin(request);
  });
  return errands ? await_all(ctx, *errands, {label_of(asked.refs), asked.quiet})
                 : ctx.report(errands.error());
}

int perform(const touch_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  std::vector<int> codes;
  for (const auto& ref : asked.refs) {
    const auto touched = ctx.daemon->touch(ref);
    codes.push_back(touched ? exit_ok : ctx.report(touched.error()));
  }
  return worst(codes);
}

int perform(const list_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  const auto vms = ctx.daemon->list();
  if (!vms)
    return ctx.report(vms.error());
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
