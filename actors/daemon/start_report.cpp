#include "actors/daemon/start_report.hpp"

#include "actors/log/log.hpp"
#include "messages/base/version.hpp"

#include <unistd.h>

namespace banger::daemon {

namespace {

void put(const config::report& now, const folders& where) {
  if (auto ok = config::write_report(now, where); !ok)
    log::failed({}, "report_not_written", ok.error());
}

} // namespace

messages::daemon_status describe_daemon(const folders& where, const back_ends& found,
                                        const config::settings& settings) {
  const auto& build = this_build();
  messages::daemon_status s;
  s.pid = static_cast<std::uint32_t>(::getpid());
  s.protocol = protocol_version;
  s.version = build.version;
  s.commit = build.commit;
  s.root_disk = found.root_disk;
  s.confinement = found.confinement;
  s.state_folder = where.state.string();
  s.runtime_folder = where.runtime.string();
  s.config_file = settings.file.string();
  return s;
}

network::names_trouble keep_report(io::reactor& loop, const folders& where, config::report now) {
  put(now, where);
  return [&loop, where, now = std::move(now)](const std::string& why) {
    auto changed = now;
    changed.names = why;
    loop.post([where, changed] { put(changed, where); });
  };
}

} // namespace banger::daemon
