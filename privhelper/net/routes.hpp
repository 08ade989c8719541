// What of the IPv4 world is spoken for on this host: for choosing a network that is in nobody's
// way.
#pragma once

#include "messages/base/net.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace banger::net {

/// One next hop of one route, of any table.
struct host_route {
  ipv4 network;
  unsigned prefix = 0; ///< 0: a default route
  std::string device;  ///< empty: goes nowhere (unreachable, blackhole, prohibit)
  std::uint32_t table = 0;
  std::uint32_t metric = 0;
  std::string str() const; ///< "192.168.1.0/24 (eth0)"
};

/// The route that a bridge with this network would be in the way of, or that would be in its way.
/// Left out: those of `own`, and those so wide (shorter than /8) that they mean "all the rest".
std::optional<host_route> collision(const ipv4_net& net, const std::vector<host_route>& routes,
                                    const bridge_name& own);

/// Devices of default routes, best first, each once; the main table before others. Empty: no
/// uplink.
std::vector<std::string> uplinks(const std::vector<host_route>& routes);

} // namespace banger::net
