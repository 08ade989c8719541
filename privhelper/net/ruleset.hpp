// What guests may do, as text for nftables. Pure: every name and address in it is of a type that
// cannot be anything else.
//
// Two tables named `banger`, whatever number of guests and bridges: rules are fixed, and guests are
// elements of sets. A guest that is not in the sets can do nothing.
//   bridge: a frame from a tap is ARP or IPv4, and its MAC and address are that tap's own.
//   inet:   the same by bridge, MAC and address; then
//           guest -> host       answers, and pings to the gateway. Anything else is rejected.
//           guest -> guest      rejected (ports are isolated besides).
//           guest -> elsewhere  with `nat`, masqueraded; 169.254.0.0/16 never. Else rejected.
//           elsewhere -> guest  answers only.
//           host -> guest       everything.
#pragma once

#include "privhelper/net/guest.hpp"

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace banger::net {

/// What the sets have room for, bridges and guests of all of them.
inline constexpr std::size_t most_bridges = 16, most_guests = 4096;

/// A bridge and who is behind it.
struct policy {
  bridge_name bridge;
  ipv4_net net;
  std::vector<guest> guests;
  friend bool operator==(const policy&, const policy&) = default;
};

/// Where frames are looked at. A kernel without nftables' bridge family has `inet` only: then a
/// guest that takes MAC and address of another one is not noticed, and ARP is not checked.
enum class layers { bridge_and_inet, inet };

/// `bad_request` unless every guest's address is one of its network, no tap, MAC or address is
/// there twice, and no bridge or network either: over all bridges. `busy`: more than there is room
/// for.
expected<void> check(const std::vector<policy>& policies);

/// Replaces the tables in one transaction; without policies: removes them.
std::string ruleset(const std::vector<policy>& policies, layers where);

/// Changes nothing, and fails in the kernel unless the bridge has a policy in all tables.
std::string proof(const bridge_name& bridge, layers where);

/// One guest comes, or its `nat` changes. Fails in the kernel as `proof` does.
std::string admission(const bridge_name& bridge, const guest& g, layers where);
/// One guest goes; nothing happens if it is not there.
std::string expulsion(const bridge_name& bridge, const guest& g, layers where);
std::string expulsion_from_bridge(const guest& g); ///< the table `bridge` only

/// What the tables hold.
struct contents {
  std::vector<policy> policies;
  std::vector<guest> strays; ///< elements of guests that are in no policy
  bool tidy = true;          ///< nothing but what `ruleset(policies)` puts there
};

/// From the JSON of `list table inet banger` and of `list set bridge banger guests`; each may be
/// empty. What is not of our form is left out, and not tidy.
contents contents_of(const nlohmann::json& inet_table, const nlohmann::json& bridge_set);

} // namespace banger::net
