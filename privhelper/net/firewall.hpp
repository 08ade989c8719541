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

  /// What this kernel cannot hold guests to, and what to do; for people.
  std::optional<std::string> weakness() const;

  /// From now on these guests, and no others, are behind this bridge. One transaction; other
  /// bridges stay as they are. Turns IP forwarding on if one has NAT. `bad_request`: see `check`.
  expected<void> apply(const policy& p);

  /// Whether this bridge's guests are held to something. `not_found`: `apply` was never called for
  /// it, or somebody removed our tables (`nft flush ruleset`).
  expected<void> check_policy(const bridge_name& bridge);

  /// A guest comes, or its `nat` changes. Before its tap is opened. `bad_request`: its address is
  /// not in the network. `busy`: there is no room. `not_found`: the bridge has no policy; `apply`
  /// makes it.
  expected<void> add_guest(const bridge_name& bridge, const ipv4_net& net, const guest& g);

  /// A guest goes; after its tap. Success if it is gone already, with tables or without.
  expected<void> remove_guest(const bridge_name& bridge, const guest& g);

  /// A bridge and all its guests go, and our rules in others' chains; the tables with the last
  /// bridge. Success if it is gone already.
  expected<void> remove(const bridge_name& bridge);

  /// These policies, and nothing else, are in the tables afterwards; without policies: no tables.
  expected<void> keep(const std::vector<policy>& policies);

  /// What is in the kernel. None: no tables.
  expected<std::vector<policy>> inventory();
  /// And what should not be.
  expected<contents> everything();

  /// Makes other firewalls let guests with NAT through where there is a place for that (Docker's
  /// DOCKER-USER), and answers what else is in the way: one line each, with what to do. To be
  /// called again when it matters: others come and go.
  expected<std::vector<std::string>> cooperate(const bridge_name& bridge);

private:
  firewall(nft context, layers where) : nft_(std::move(context)), where_(where) {}
  expected<void> withdraw(const bridge_name& bridge);
  expected<void> must_hold(const bridge_name& bridge, const std::string& commands);
  expected<nlohmann::json> list_if_there(const std::string& command);

  nft nft_;
  layers where_;
};

} // namespace banger::net
