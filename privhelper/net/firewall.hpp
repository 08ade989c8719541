// Our tables in the kernel's packet filter. Flows that are under way survive every change.
// The kernel is the only memory: nothing is kept here that could be wrong.
#pragma once

#include "privhelper/net/nft.hpp"
#include "privhelper/net/ruleset.hpp"

#include <optional>
#include <string>
#include <vector>

namespace banger::net {

/// In the network namespace of the thread that opens it. Blocks for a millisecond at most, and for
/// some where it lists hundreds of guests.
class firewall {
public:
  /// `where`: only for tests; otherwise what the kernel has is found out.
  static expected<firewall> open(std::optional<layers> where = std::nullopt);

  /// What guests are held to; `inet` is worth a warning.
  layers held_by() const { return where_; }

  /// From now on these guests, and no others, are behind this bridge. One transaction; other
  /// bridges stay as they are. Turns IP forwarding on if one has NAT. `bad_request`: see `check`.
  expected<void> apply(const policy& p);

  /// A guest comes, or its `nat` changes. Before its tap is opened. `bad_request`: its address is
  /// not in the network. `not_found`: somebody removed our tables (`nft flush ruleset`); `apply`
  /// makes them again.
  expected<void> add_guest(const bridge_name& bridge, const ipv4_net& net, const guest& g);

  /// A guest goes; after its tap. Success if it is gone already, with tables or without.
  expected<void> remove_guest(const bridge_name& bridge, const guest& g);

  /// A bridge and all its guests go, and our rules in others' chains; the tables with the last
  /// bridge. Success if it is gone already.
  expected<void> remove(const bridge_name& bridge);

  /// What is in the kernel. None: no tables.
  expected<std::vector<policy>> inventory();

  /// Makes other firewalls let guests with NAT through where there is a place for that (Docker's
  /// DOCKER-USER), and answers what else is in the way: one line each, with what to do. To be
  /// called again when it matters: others come and go.
  expected<std::vector<std::string>> cooperate(const bridge_name& bridge);

private:
  firewall(nft context, layers where) : nft_(std::move(context)), where_(where) {}
  expected<void> withdraw(const bridge_name& bridge);

  nft nft_;
  layers where_;
};

} // namespace banger::net
