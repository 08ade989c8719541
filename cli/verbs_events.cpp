// `events`, `debug actors`, `debug crash`.
#include "cli/exec_stream.hpp"
#include "cli/exit_codes.hpp"
#include "cli/line_reader.hpp"
#include "cli/print.hpp"
#include "cli/verbs.hpp"

namespace banger::cli {

int perform(const events_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  const auto ticket = ctx.daemon->open_events(asked.follow);
  if (!ticket)
    return ctx.report(ticket.error());
  auto connection = open_stream(stream_socket(ctx.where), ticket->token);
  if (!connection)
    return ctx.report(connection.error());
  int code = exit_ok;
  const auto end = read_lines(std::move(*connection), [&](std::string_view line) {
    code = print(ctx, asked.json ? std::string(line) + "\n" : event_line(line));
    return code == exit_ok;
  });
  return end ? code : ctx.report(end.error());
}

int perform(const debug_actors_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  const auto all = ctx.daemon->actors();
  if (!all)
    return ctx.report(all.error());
  return print(ctx, asked.json ? actors_json(*all) : actors_table(*all));
}

int perform(const debug_crash_options& asked, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  const auto said = ctx.daemon->crash(asked.ref);
  return said ? exit_ok : ctx.report(said.error());
}

} // namespace banger::cli
