// `operations`, `operations wait`, `operations cancel`.
#include "cli/exit_codes.hpp"
#include "cli/operations.hpp"
#include "cli/print.hpp"
#include "cli/signals.hpp"
#include "cli/verbs.hpp"

namespace banger::cli {

using namespace messages;

namespace {

// The end of an operation that may have ended already. Ctrl-C stops the waiting, nothing else.
expected<finished> await_end(context& ctx, const operation_view& op, bool quiet) {
  progress_line line(ctx.screen, quiet, op.target);
  const auto seen = watch(*ctx.daemon, {op.op}, {&line, -1, {}});
  line.clear();
  if (!seen)
    return tl::unexpected(seen.error());
  return seen->ends.front();
}

int wait_for(context& ctx, const operation_options& asked) {
  const auto op = ctx.daemon->watch(asked.op);
  if (!op)
    return ctx.report(op.error());
  const auto end = await_end(ctx, *op, asked.quiet);
  if (!end)
    return ctx.report(end.error());
  if (const auto error = error_of(*end))
    return ctx.report(*error);
  return print(ctx, op->target + "\n");
}

int cancel(context& ctx, const operation_options& asked) {
  const auto op = ctx.daemon->watch(asked.op);
  if (!op)
    return ctx.report(op.error());
  const auto ran = ctx.daemon->try_cancel(op->op);
  if (!ran)
    return ctx.report(ran.error());
  if (!*ran)
    return ctx.report({errc::bad_request, "operation " + op->op + " cannot be cancelled",
                       op->state == "running" ? "a stop, kill or delete is carried through"
                                              : "it has ended: " + op->state,
                       "`banger operations wait " + op->op + "` tells its end", ""});
  const auto end = await_end(ctx, *op, true);
  if (!end)
    return ctx.report(end.error());
  const auto error = error_of(*end);
  if (!error)
    return ctx.report({errc::bad_request, "operation " + op->op + " was done before it heard of it",
                       "", "", op->op});
  if (error->code != errc::cancelled)
    return ctx.report(*error);
  return print(ctx, op->op + "\n");
}

} // namespace

int perform(const operations_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  const auto all = ctx.daemon->operations();
  if (!all)
    return ctx.report(all.error());
  return print(ctx, asked.json ? operations_json(*all) : operations_table(*all, unix_ms()));
}

int perform(const operation_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  return asked.verb == "wait" ? wait_for(ctx, asked) : cancel(ctx, asked);
}

} // namespace banger::cli
