// `daemon status`, `stop`, `logs`; `version`; help. None of them starts a daemon.
#include "cli/exit_codes.hpp"
#include "cli/log_file.hpp"
#include "cli/print.hpp"
#include "cli/session.hpp"
#include "cli/verbs.hpp"
#include "messages/base/version.hpp"
#include "messages/config/config.hpp"
#include "messages/config/report.hpp"

#include <chrono>
#include <sys/stat.h>

namespace banger::cli {

using namespace messages;

namespace {

// An operation of somebody else may have to end first.
constexpr std::chrono::milliseconds stop_deadline{60000};

// What the handshake alone tells, of a daemon whose protocol is another.
daemon_status known_of(const hello_reply& daemon) {
  daemon_status status;
  status.pid = daemon.pid;
  status.protocol = daemon.protocol;
  status.version = daemon.version;
  status.commit = daemon.commit;
  return status;
}

// The file that a daemon would read now is another one, or was changed since this one started.
bool config_is_stale(const daemon_status& daemon, const folders& where) {
  const auto file = config::find(where);
  if (!file || file->string() != daemon.config_file)
    return true;
  struct stat info {};
  if (file->empty() || ::stat(file->c_str(), &info) != 0)
    return !file->empty();
  const auto started =
      std::chrono::system_clock::now() - std::chrono::milliseconds(daemon.uptime_ms);
  return std::chrono::system_clock::from_time_t(info.st_mtim.tv_sec) +
             std::chrono::nanoseconds(info.st_mtim.tv_nsec) >
         started;
}

} // namespace

int perform(const daemon_status_options& asked, context& ctx) {
  auto daemon = find_daemon(ctx.where);
  if (!daemon && daemon.error().code != errc::not_found)
    return ctx.report(daemon.error());
  if (!daemon) {
    const int code = print(ctx, asked.json ? no_daemon_json() : "the daemon does not run\n");
    return code != exit_ok ? code : exit_failure;
  }
  ctx.daemon = std::move(*daemon);
  const auto& hello = ctx.daemon->daemon();
  const auto status = hello.protocol == protocol_version ? ctx.daemon->status()
                                                         : expected<daemon_status>(known_of(hello));
  if (!status)
    return ctx.report(status.error());
  const bool known = hello.protocol == protocol_version;
  const bool stale = known && config_is_stale(*status, ctx.where);
  ctx.compare_settings();
  return print(ctx, asked.json
                        ? status_json(*status, stale)
                        : status_page(*status, stale ? "; changed since the daemon started, "
                                                       "read again after `banger daemon stop`"
                                                     : ""));
}

int perform(const daemon_stop_options&, context& ctx) {
  auto daemon = find_daemon(ctx.where);
  if (!daemon && daemon.error().code == errc::not_found)
    return print(ctx, "the daemon does not run\n");
  if (!daemon)
    return ctx.report(daemon.error());
  ctx.daemon = std::move(*daemon);
  const bool understood = ctx.daemon->daemon().protocol == protocol_version;
  const auto said = understood ? ctx.daemon->halt() : ctx.daemon->retire();
  if (!said && said.error().code != errc::disconnected)
    return ctx.report(said.error());
  if (const auto gone = ctx.daemon->wait_gone(stop_deadline); !gone)
    return ctx.report(gone.error());
  return print(ctx, "the daemon has stopped; VMs that run go on\n");
}

int perform(const daemon_probe_options&, context& ctx) {
  if (auto ok = ctx.reach(); !ok)
    return ctx.report(ok.error());
  const auto hypervisor = ctx.daemon->reprobe();
  return hypervisor ? print(ctx, *hypervisor + "\n") : ctx.report(hypervisor.error());
}

int perform(const daemon_logs_options& asked, context& ctx) {
  int code = exit_ok;
  const auto read = read_log(daemon_log(ctx.where), asked.follow, [&](std::string_view piece) {
    code = print(ctx, piece);
    return code == exit_ok;
  });
  return read ? code : ctx.report(read.error());
}

int perform(const version_options& asked, context& ctx) {
  const auto& build = this_build();
  if (asked.line)
    return print(ctx, version_line(build));
  return print(ctx, asked.json ? version_json(build) : version_page(build));
}

int perform(const help_page& asked, context& ctx) { return print(ctx, asked.text); }

} // namespace banger::cli
