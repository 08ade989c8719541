#include "privhelper/effects/network_effects.hpp"

#include <algorithm>

namespace banger::helper {

namespace {

net::guest as_guest(const guest& g) { return {g.tap, g.mac, g.address, g.nat}; }

template <class T>
bool has(const std::vector<T>& all, const T& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

constexpr std::size_t most_at_once = 64; ///< taps, in one step for the kernel

} // namespace

expected<network_effects> network_effects::open(resolver::bus_options bus) {
  auto links = net::links::open();
  if (!links)
    return tl::unexpected(links.error());
  return network_effects(std::move(*links), std::move(bus));
}

expected<net::firewall*> network_effects::firewall() {
  if (!firewall_) {
    auto opened = net::firewall::open();
    if (!opened)
      return tl::unexpected(opened.error());
    firewall_.emplace(std::move(*opened));
  }
  return &*firewall_;
}

// --- bridge --------------------------------------------------------------------------------------

expected<void> network_effects::carry_out(const bridge_task& task) {
  return task.present ? make_bridge(task) : remove_bridge(task.bridge);
}

expected<void> network_effects::make_bridge(const bridge_task& task) {
  const auto routes = links_.routes();
  if (!routes)
    return tl::unexpected(routes.error());
  if (const auto other = net::collision(*task.network, *routes, task.bridge))
    return fail(errc::already_exists,
                "cannot give " + task.bridge.str() + " the network " + task.network->str(),
                "this host has a route to " + other->str(),
                "choose another one: network.subnet in config.toml");
  return links_.ensure_bridge(task.bridge, *task.network);
}

// The rules last: as long as there is a bridge, they hold its guests.
expected<void> network_effects::remove_bridge(const bridge_name& bridge) {
  if (auto ok = links_.remove_bridge(bridge); !ok)
    return ok;
  auto wall = firewall();
  if (!wall)
    return wall.error().code == errc::unavailable ? expected<void>{} : tl::unexpected(wall.error());
  return (*wall)->remove(bridge);
}

// --- taps ----------------------------------------------------------------------------------------

expected<std::vector<unique_fd>> network_effects::carry_out(const taps_task& task) {
  std::vector<unique_fd> descriptors;
  if (!task.present) {
    if (auto ok = links_.remove_taps(task.names); !ok)
      return tl::unexpected(ok.error());
    return descriptors;
  }
  auto taps = links_.open_taps(task.bridge, task.names);
  if (!taps)
    return tl::unexpected(taps.error());
  for (auto& tap : *taps)
    descriptors.push_back(std::move(tap.fd));
  return descriptors;
}

// --- policy --------------------------------------------------------------------------------------

expected<messages::policy_reply> network_effects::carry_out(const policy_task& task) {
  auto wall = firewall();
  if (!wall)
    return tl::unexpected(wall.error());
  net::policy policy{task.bridge, task.network, {}};
  bool nat = false;
  for (const auto& g : task.guests) {
    policy.guests.push_back(as_guest(g));
    nat = nat || g.nat;
  }
  if (auto ok = (*wall)->apply(policy); !ok)
    return tl::unexpected(ok.error());
  return obstacles_of(task.bridge, nat);
}

expected<messages::policy_reply> network_effects::carry_out(const guest_task& task) {
  auto wall = firewall();
  if (!wall)
    return tl::unexpected(wall.error());
  const auto changed = task.present
                           ? (*wall)->add_guest(task.bridge, task.network, as_guest(task.guest))
                           : (*wall)->remove_guest(task.bridge, as_guest(task.guest));
  if (!changed)
    return tl::unexpected(changed.error());
  return obstacles_of(task.bridge, task.present && task.guest.nat);
}

expected<messages::policy_reply> network_effects::obstacles_of(const bridge_name& bridge,
                                                               bool nat) {
  if (!nat)
    return messages::policy_reply{};
  auto found = (*firewall())->cooperate(bridge);
  if (!found)
    return tl::unexpected(found.error());
  const auto routes = links_.routes();
  if (routes && net::uplinks(*routes).empty())
    found->push_back("this host has no default route, so guests with NAT reach only networks that "
                     "the host has routes to; connect the host");
  return messages::policy_reply{std::move(*found)};
}

// --- names ---------------------------------------------------------------------------------------

expected<void> network_effects::carry_out(const resolver_task& task) {
  const auto all = links_.inventory();
  if (!all)
    return tl::unexpected(all.error());
  const auto link =
      std::find_if(all->begin(), all->end(), [&](auto& l) { return l.name == task.bridge.str(); });
  if (link != all->end())
    return task.present
               ? resolver::route(link->index, task.server->address, task.server->port, bus_)
               : resolver::revert(link->index, bus_);
  if (task.present)
    return fail(errc::not_found, "cannot route names to " + task.bridge.str(),
                "there is no such bridge");
  return {}; // the resolver forgot it with the link
}

// --- what there is, and what shall not be --------------------------------------------------------

expected<messages::network_inventory> network_effects::inventory() {
  const auto links = links_.inventory();
  if (!links)
    return tl::unexpected(links.error());
  messages::network_inventory all;
  for (const auto& l : *links)
    all.links.push_back(
        {l.name, l.kind, l.master, static_cast<std::uint32_t>(l.index), l.up, l.addresses});
  const auto wall = firewall();
  const auto policies = wall ? (*wall)->inventory() : tl::unexpected(wall.error());
  if (!policies && policies.error().code != errc::unavailable)
    return tl::unexpected(policies.error());
  if (policies)
    for (const auto& p : *policies)
      for (const auto& g : p.guests)
        all.guests.push_back({g.tap.str(), g.mac.str(), g.address.str(), g.nat});
  return all;
}

expected<messages::sweep_reply> network_effects::carry_out(const network_sweep_task& task) {
  messages::sweep_reply done;
  const auto taps = sweep_taps(task, done);
  const auto guests = sweep_guests(task, done);
  const auto bridges = sweep_bridges(task, done);
  for (const auto* outcome : {&taps, &guests, &bridges})
    if (!*outcome)
      return tl::unexpected(outcome->error());
  return done;
}

expected<void> network_effects::sweep_taps(const network_sweep_task& task,
                                           messages::sweep_reply& into) {
  const auto all = links_.inventory();
  if (!all)
    return tl::unexpected(all.error());
  std::vector<tap_name> batch;
  expected<void> outcome;
  const auto remove = [&] {
    const auto done = links_.remove_taps(batch);
    if (!done && outcome)
      outcome = done;
    if (done)
      for (const auto& name : batch)
        into.removed.push_back("tap " + name.str());
    batch.clear();
  };
  for (const auto& link : *all) {
    const auto name = tap_name::parse(link.name);
    if (name && link.kind == "tun" && !has(task.taps, *name))
      batch.push_back(*name);
    if (batch.size() == most_at_once)
      remove();
  }
  if (!batch.empty())
    remove();
  return outcome;
}

expected<void> network_effects::sweep_guests(const network_sweep_task& task,
                                             messages::sweep_reply& into) {
  const auto wall = firewall();
  const auto policies = wall ? (*wall)->inventory() : tl::unexpected(wall.error());
  if (!policies)
    return policies.error().code == errc::unavailable ? expected<void>{}
                                                      : tl::unexpected(policies.error());
  for (const auto& p : *policies) {
    auto left = p;
    std::erase_if(left.guests, [&](const net::guest& g) { return !has(task.taps, g.tap); });
    const bool stays = has(task.bridges, p.bridge);
    if (stays && left == p)
      continue;
    if (auto ok = stays ? (*wall)->apply(left) : (*wall)->remove(p.bridge); !ok)
      return ok;
    for (const auto& g : p.guests)
      if (!stays || !has(task.taps, g.tap))
        into.removed.push_back("guest " + g.address.str());
    if (!stays)
      into.removed.push_back("rules " + p.bridge.str());
  }
  return {};
}

expected<void> network_effects::sweep_bridges(const network_sweep_task& task,
                                              messages::sweep_reply& into) {
  const auto all = links_.inventory();
  if (!all)
    return tl::unexpected(all.error());
  for (const auto& link : *all) {
    const auto name = bridge_name::parse(link.name);
    if (!name || link.kind != "bridge" || has(task.bridges, *name))
      continue;
    if (auto ok = remove_bridge(*name); !ok)
      return ok;
    into.removed.push_back("bridge " + name->str());
  }
  return {};
}

} // namespace banger::helper
