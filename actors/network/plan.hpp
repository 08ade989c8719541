// Who gets which address: pure. The kernel's side of it is the helper's.
#pragma once

#include "messages/base/net.hpp"
#include "privhelper/net/routes.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace banger::network {

/// The network of our bridge: the one that was `wished`, if it is in nobody's way; else the first
/// of a list that is not, beginning with the one that holds most of `taken` (addresses that VMs
/// have already). `bad_request`: the wished one collides with a route, which is named.
/// `unavailable`: all of the list do.
expected<ipv4_net> choose_network(const std::optional<ipv4_net>& wished,
                                  const std::vector<net::host_route>& routes,
                                  const bridge_name& own, const std::vector<ipv4>& taken);

/// The network that a VM has by its address there, "10.213.0.2/20"; none if that is not one.
std::optional<ipv4_net> network_of(std::string_view address);

/// Of the guest with this address: the one thing that everything else about it follows from.
tap_name tap_of(ipv4 address);

/// Addresses of VMs, for as long as the VM is there, whether it runs or not.
class address_book {
public:
  explicit address_book(const ipv4_net& net) : net_(net) {}

  /// The VM's; else `wished` if it is free; else the lowest that is. `busy`: all are taken.
  expected<ipv4> take(const std::string& vm, std::optional<ipv4> wished = {});
  /// This one or none: false if it is not free, or no guest's.
  bool hold(const std::string& vm, ipv4 address);
  void drop(const std::string& vm);
  std::size_t size() const { return of_.size(); }

private:
  bool free(ipv4 a) const { return net_.is_guest(a) && taken_.count(a) == 0; }

  ipv4_net net_;
  std::map<std::string, ipv4> of_;
  std::set<ipv4> taken_;
};

} // namespace banger::network
