// How the VMs of this daemon are connected: found out once, before its first actor lives.
#pragma once

#include "actors/dns/responder.hpp"
#include "actors/network/network.hpp"
#include "actors/vm/record.hpp"
#include "messages/config/config.hpp"

namespace banger::daemon {

struct connection {
  bool bridged = false;
  std::string why_not; ///< for people; empty if nobody wanted a bridge
  bridge_name bridge;
  expected<ipv4_net> net;       ///< of the bridge
  std::filesystem::path helper; ///< folder of its sockets; empty: this process does it itself
};

/// `recorded`: the VMs that there are; those that have an address keep it if they can.
connection choose_connection(const config::settings& settings,
                             const std::vector<vm::record>& recorded);

/// Name servers that guests on a bridge can reach: those of the host, but for its loopback.
std::vector<std::string> name_servers_of_host();

/// What the network actor begins with.
std::vector<network::known_guest> known_guests(const std::vector<vm::record>& recorded);

/// To whoever does what the bridge needs. `runtime`: of this daemon.
privileged::line line_of(const connection& c, caf::actor_system& system,
                         const std::filesystem::path& runtime);

/// Names are answered by `names`, if there is one.
network::name_service name_service_of(dns::responder* names);

} // namespace banger::daemon
