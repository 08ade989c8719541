// The orders of the role `network`, checked: from what came over the wire to values that are inside
// their rules. Pure. Errors are `bad_request`: "bridge order: field bridge", and the rule.
#pragma once

#include "messages/privileged.hpp"
#include "privhelper/net/guest.hpp"
#include "privhelper/rules/gates.hpp"

namespace banger::helper {

struct bridge_task {
  operation_id op;
  bridge_name bridge;
  std::optional<ipv4_net> network; ///< there if `present`
  bool present;
};

struct taps_task {
  operation_id op;
  bridge_name bridge;
  std::vector<tap_name> names; ///< 1 to 64, each once
  bool present;
};

using net::guest;

/// No tap, MAC or address belongs to two guests; addresses are guests' of the network.
struct policy_task {
  operation_id op;
  bridge_name bridge;
  ipv4_net network;
  std::vector<guest> guests; ///< at most 1024
};

struct guest_task {
  operation_id op;
  bridge_name bridge;
  ipv4_net network;
  net::guest guest;
  bool present;
};

struct resolver_task {
  operation_id op;
  bridge_name bridge;
  std::optional<loopback_server> server; ///< there if `present`
  bool present;
};

struct network_sweep_task {
  operation_id op;
  std::vector<bridge_name> bridges; ///< that stay; empty: none
  std::vector<tap_name> taps;
};

expected<bridge_task> check(const messages::bridge_order& order);
expected<taps_task> check(const messages::taps_order& order);
expected<policy_task> check(const messages::policy_order& order);
expected<guest_task> check(const messages::guest_change& order);
expected<resolver_task> check(const messages::resolver_order& order);
expected<network_sweep_task> check(const messages::network_sweep& order);

} // namespace banger::helper
