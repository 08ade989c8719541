// The report for clients (messages/config/report.hpp): written before the first one comes, and
// again when something about names has changed.
#pragma once

#include "actors/daemon/host.hpp"
#include "actors/io/reactor.hpp"
#include "actors/network/network.hpp"
#include "messages/config/config.hpp"
#include "messages/config/report.hpp"
#include "messages/models.hpp"

namespace banger::daemon {

/// What does not change while it runs.
messages::daemon_status describe_daemon(const folders& where, const back_ends& found,
                                        const config::settings& settings);

/// Writes the report before the first client comes. What the function hears later is written in the
/// reactor's thread.
network::names_trouble keep_report(io::reactor& loop, const folders& where, config::report now);

} // namespace banger::daemon
