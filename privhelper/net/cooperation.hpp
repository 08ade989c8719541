// Other programs' packet filters at the forward hook. What one table accepts another one may still
// drop, so guests with NAT need their word, too. Pure: JSON of `list ...` in, text for nftables
// out.
#pragma once

#include "messages/base/net.hpp"

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace banger::net {

/// A base chain at the forward hook that IPv4 packets come through, in a table that is not ours.
struct forward_chain {
  std::string family, table, chain;
  bool drops = false;             ///< by policy
  std::string table_name() const; ///< "ip filter"
  friend bool operator==(const forward_chain&, const forward_chain&) = default;
};

/// From `list chains`. Names that could not be put into a command are left out.
std::vector<forward_chain> forward_chains(const nlohmann::json& chains);

/// What to do about one chain for the guests of one bridge. `table`: its whole table, with handles.
/// - There is a DOCKER-USER in the table: our accept rules, with the comment "banger BRIDGE", are
/// at
///   its front. Packets to Docker's own networks go on to Docker's rules.
/// - It lets everything through, or its table has rules about our bridge: nothing.
/// - Else it is an obstacle.
struct arrangement {
  std::string commands;                ///< for nftables; empty: nothing to do
  std::optional<std::string> obstacle; ///< for people: what is in the way, and what to do
};
arrangement arrange(const forward_chain& chain, const nlohmann::json& table,
                    const bridge_name& bridge);

/// Takes our rules for a bridge out of a table's DOCKER-USER again; empty: there are none.
std::string withdrawal(const forward_chain& chain, const nlohmann::json& table,
                       const bridge_name& bridge);

} // namespace banger::net
