// `image build`, `image list`, `image delete`.
#include "cli/exit_codes.hpp"
#include "cli/operations.hpp"
#include "cli/print.hpp"
#include "cli/signals.hpp"
#include "cli/verbs.hpp"

namespace banger::cli {

using namespace messages;

int perform(const image_build_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  signal_source signals;
  const auto ticket = ctx.daemon->begin(asked.request);
  if (!ticket)
    return ctx.report(ticket.error());
  progress_line line(ctx.screen, asked.quiet, asked.request.name);
  const auto seen = watch(*ctx.daemon, {ticket->op}, {&line, signals.fd(), {}});
  line.clear();
  if (!seen)
    return ctx.report(seen.error());
  if (seen->gave_up)
    return exit_signal + seen->signal;
  if (const auto error = error_of(seen->ends.front())) {
    const int code = ctx.report(*error);
    return seen->signal != 0 ? exit_signal + seen->signal : code;
  }
  return print(ctx, asked.request.name + "\n");
}

int perform(const image_list_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  const auto images = ctx.daemon->images();
  if (!images)
    return ctx.report(images.error());
  return print(ctx, asked.json ? images_json(*images) : image_table(*images, unix_ms()));
}

int perform(const image_delete_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  std::vector<int> codes;
  for (const auto& name : asked.names) {
    const auto gone = ctx.daemon->delete_image(name);
    codes.push_back(gone ? print(ctx, name + "\n") : ctx.report(gone.error()));
  }
  return worst(codes);
}

} // namespace banger::cli
