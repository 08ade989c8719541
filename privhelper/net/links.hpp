// Bridges and taps of ours, made and removed by netlink and ioctl in this process. All of it
// blocks: a bridge or a batch of taps is gone after some 50 ms, since the kernel waits for readers.
#pragma once

#include "messages/base/net.hpp"
#include "messages/base/unique_fd.hpp"
#include "privhelper/net/netlink.hpp"
#include "privhelper/net/routes.hpp"

#include <optional>
#include <string>
#include <vector>

namespace banger::net {

/// A tap that lives as long as its descriptors: ours, and the hypervisor's that it is passed to.
/// Frames have a virtio-net header; one queue.
struct tap {
  tap_name name;
  int index = 0;
  unique_fd fd; ///< close-on-exec, non-blocking
};

/// A link with one of our prefixes, whatever it is.
struct link_info {
  std::string name;
  int index = 0;
  std::string kind;   ///< "bridge", "tun" (taps, too), "veth", ...; empty: a device
  std::string master; ///< the bridge that it is a port of, or empty
  bool up = false;
  std::vector<std::string> addresses; ///< IPv4, "10.88.0.1/24"
};

/// In the network namespace of the thread that opens it.
class links {
public:
  static expected<links> open();

  /// A bridge that is up and has exactly one IPv4 address, the network's host address. Made if it
  /// is not there: with a MAC of its own that does not change with its ports, and without IPv6
  /// address. One that is there is used, with a missing address added. No spanning tree, no delays,
  /// and nothing is learned from frames of the link layer's own. `already_exists`: a link of this
  /// name has another IPv4 address, or is no bridge.
  expected<void> ensure_bridge(const bridge_name& bridge, const ipv4_net& net);

  /// Whether the bridge has this network's host address and no other. `not_found`: no such bridge,
  /// or it has no address. `unauthorized`: it has another one. `already_exists`: it is no bridge.
  expected<void> check_network(const bridge_name& bridge, const ipv4_net& net);

  /// Success if there is none. `busy`: it still has ports. `already_exists`: it is no bridge.
  expected<void> remove_bridge(const bridge_name& bridge);

  /// Taps that are ports of `bridge`, up, and isolated: they reach the host and not each other. All
  /// or none. A persistent tap of the name that nobody holds is replaced.
  /// `not_found`: no such bridge. `busy`: a hypervisor still has a tap of this name.
  /// `already_exists`: a link of this name is no tap. `bad_request`: a name twice.
  expected<std::vector<tap>> open_taps(const bridge_name& bridge,
                                       const std::vector<tap_name>& names);

  /// Removes taps, also those that somebody still holds: all in one step for the kernel. Success if
  /// they are gone already. `already_exists`: one of the names is no tap; then none is removed.
  expected<void> remove_taps(const std::vector<tap_name>& names);

  /// All links with our prefixes, by index.
  expected<std::vector<link_info>> inventory();

  /// IPv4 routes of all tables, and this host's own addresses as routes of 32 bits.
  expected<std::vector<host_route>> routes();

private:
  struct found {
    int index = 0;
    std::string kind;
    bool up = false;
  };

  explicit links(netlink socket) : socket_(std::move(socket)) {}

  expected<std::optional<found>> find(const std::string& name);
  expected<std::optional<found>> find_bridge(const bridge_name& bridge);
  expected<std::vector<std::string>> addresses(int index);
  expected<std::vector<std::string>> ports_of(int bridge);
  expected<void> make_bridge(const bridge_name& bridge, const ipv4_net& net);
  expected<void> check_address(const bridge_name& bridge, const found& link, const ipv4_net& net);
  expected<void> enslave(int bridge, std::vector<tap>& taps);
  expected<int> tap_index(const tap_name& name);
  expected<std::vector<int>> indexes_of_taps(const std::vector<tap_name>& names);
  expected<void> remove_group(const std::vector<int>& indexes);

  netlink socket_;
};

} // namespace banger::net
