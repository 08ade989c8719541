// What the role `network` does about orders that were checked. Blocks, at most for some hundred
// milliseconds; everything happens in the network namespace of the thread that opened it, and is
// for one thread at a time. No CAF.
#pragma once

#include "messages/base/unique_fd.hpp"
#include "privhelper/net/firewall.hpp"
#include "privhelper/net/links.hpp"
#include "privhelper/resolver/resolver.hpp"
#include "privhelper/rules/network.hpp"

namespace banger::helper {

/// Errors are those of `net::links`, `net::firewall` and `resolver`, and as said here.
class network_effects {
public:
  static expected<network_effects> open(resolver::bus_options bus = {});

  /// `already_exists`: the network collides with a route of the host's, which is named; not looked
  /// at where the bridge is there and has it. `busy`: as many bridges are there as may be.
  expected<void> carry_out(const bridge_task& task);
  /// Empty where none is to be there. `not_found`: no rules of ours hold the bridge's guests.
  expected<std::vector<unique_fd>> carry_out(const taps_task& task);
  /// `not_found`: no such bridge. `unauthorized`: it has another network.
  expected<messages::policy_reply> carry_out(const policy_task& task);
  expected<messages::policy_reply> carry_out(const guest_task& task);
  expected<void> carry_out(const resolver_task& task);
  /// Goes on after the first that cannot be removed, which is the error then; that says what was
  /// removed all the same. A bridge keeps its rules as long as it is there.
  expected<messages::sweep_reply> carry_out(const network_sweep_task& task);

  expected<messages::network_inventory> inventory();

private:
  network_effects(net::links links, resolver::bus_options bus)
      : links_(std::move(links)), bus_(std::move(bus)) {}

  /// Opened when it is needed: links are to work where the kernel has no nftables.
  expected<net::firewall*> firewall();
  expected<void> make_bridge(const bridge_task& task);
  expected<void> check_place(const bridge_task& task);
  expected<void> remove_bridge(const bridge_name& bridge);
  expected<messages::policy_reply> obstacles_of(const bridge_name& bridge, bool nat);
  expected<void> sweep_taps(const network_sweep_task& task, messages::sweep_reply& into);
  expected<void> sweep_bridges(const network_sweep_task& task, messages::sweep_reply& into);
  expected<void> sweep_rules(const network_sweep_task& task, messages::sweep_reply& into);
  expected<void> forget_gone(const std::vector<net::policy>& before,
                             const std::vector<net::policy>& left);
  expected<std::vector<bridge_name>> bridges();

  net::links links_;
  std::optional<net::firewall> firewall_;
  resolver::bus_options bus_;
};

} // namespace banger::helper
