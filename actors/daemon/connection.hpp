// How the VMs of this daemon are connected: found out once, before its first actor lives.
#pragma once

#include "actors/dns/responder.hpp"
#include "actors/network/network.hpp"
#include "actors/vms/vms.hpp"
#include "messages/config/config.hpp"

namespace banger::daemon {

struct connection {
  bool bridged = false;  ///< VMs that start come onto the bridge
  bool attended = false; ///< some do, or are there already
  std::string why_not;   ///< for people; empty if nobody wanted a bridge
  bridge_name bridge;
  expected<ipv4_net> net;       ///< of the bridge
  std::filesystem::path helper; ///< folder of its sockets; empty: this process does it itself
  std::vector<network::known_guest> known; ///< what the network actor begins with
};

/// `found`: the VMs that there are; those that have an address keep it if they can.
connection choose_connection(const config::settings& settings,
                             const std::vector<vms::found_vm>& found);

/// Name servers that guests on a bridge can reach: those of the host, but for its loopback.
std::vector<std::string> name_servers_of_host();

/// To whoever does what the bridge needs; to `own`, which is made, where that is this process.
/// `runtime`: its folder.
privileged::line line_of(const connection& c, caf::actor_system& system,
                         const std::filesystem::path& runtime,
                         std::unique_ptr<privileged::own_helper>& own);

/// Names are answered by `names`, if there is one.
network::name_service name_service_of(dns::responder* names);

/// The daemon ends: what it has on the host that nobody needs goes, as far as that takes 2 s.
void part_from_network(const network::network_actor& network, caf::actor_system& system);

} // namespace banger::daemon
