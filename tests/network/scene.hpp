// A host with a bridge and an uplink, a machine outside, and guests: each in a namespace of its
// own.
//
//   guest eth0 10.88.0.N ── tap-fc-gN ┐
//                                     br-fc 10.88.0.1 (host) eth0 203.0.113.1 ── 203.0.113.2
//                                     (outside)
#pragma once

#include "privhelper/net/firewall.hpp"
#include "privhelper/net/links.hpp"
#include "tests/network/space.hpp"

#include <chrono>
#include <string>

namespace banger::test {

inline const auto bridge = *bridge_name::parse("br-fc");
inline const auto network = *ipv4_net::parse("10.88.0.0/24");
inline const auto host_outside = *ipv4::parse("203.0.113.1");
inline const auto outside_address = *ipv4::parse("203.0.113.2");
inline const auto metadata_service = *ipv4::parse("169.254.169.254");

/// The n-th guest, from 2: 10.88.0.n.
net::guest nth_guest(int n, bool nat = false);

/// This thread is in the host's namespace as long as it lives. The outside knows no way to guests;
/// the host knows a way to the metadata service's address, which is outside.
class scene {
public:
  explicit scene(std::optional<net::layers> where = std::nullopt);
  void apply(std::vector<net::guest> guests) { need(wall.apply({bridge, network, guests})); }

  space outside, host;
  space::visit stay{host};
  net::links on = need(net::links::open());
  net::firewall wall;
};

/// A guest with a network stack: one end of a veth pair plays its tap.
class house {
public:
  house(const scene& where, const net::guest& who);
  space inside;
  net::guest who;
};

/// A TCP service on all addresses of a namespace; connections wait in its queue.
unique_fd serve(const space& where, std::uint16_t port);
/// Who is next in the queue: its address as the service sees it, and the connection.
struct visitor {
  unique_fd connection;
  ipv4 address;
};
visitor next_visitor(const unique_fd& service);

/// What became of a connection.
struct call {
  unique_fd connection;
  int error = 0; ///< errno; ETIMEDOUT: nothing was heard for 300 ms
};
call dial(const space& from, ipv4 to, std::uint16_t port);
/// Bytes go from one to the other.
bool passes(const unique_fd& from, const unique_fd& to);

/// At most some tries of 50 ms.
bool pings(const space& from, ipv4 to, int tries = 40);

} // namespace banger::test
