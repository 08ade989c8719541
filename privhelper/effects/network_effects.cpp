#include "privhelper/effects/network_effects.hpp"

#include "actors/log/log.hpp"

#include <algorithm>

namespace banger::helper {

namespace {

template <class T>
bool has(const std::vector<T>& all, const T& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

constexpr std::size_t most_at_once = 64; ///< taps, in one step for the kernel
constexpr std::size_t most_named = 8;    ///< in an error's text

// What went wrong is the answer then; what went well is told, too.
tl::unexpected<failure> but_removed(failure why, const std::vector<std::string>& removed) {
  if (removed.empty())
    return tl::unexpected(std::move(why));
  why.why += (why.why.empty() ? "" : "; ") + std::to_string(removed.size()) + " were removed:";
  for (std::size_t i = 0; i < removed.size() && i < most_named; ++i)
    why.why += (i == 0 ? " " : ", ") + removed[i];
  if (removed.size() > most_named)
    why.why += ", ...";
  return tl::unexpected(std::move(why));
}

/// The first error of several things that are done anyway.
class outcomes {
public:
  void add(const expected<void>& one) {
    if (first_)
      first_ = one;
  }
  const expected<void>& first() const { return first_; }

private:
  expected<void> first_;
};

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

// A bridge that is there as it is wanted works, whatever routes came later.
expected<void> network_effects::make_bridge(const bridge_task& task) {
  if (!links_.check_network(task.bridge, *task.network))
    if (auto ok = check_place(task); !ok)
      return ok;
  return links_.ensure_bridge(task.bridge, *task.network);
}

expected<void> network_effects::check_place(const bridge_task& task) {
  const auto all = links_.inventory();
  if (!all)
    return tl::unexpected(all.error());
  const auto others = std::count_if(all->begin(), all->end(), [&](const net::link_info& l) {
    return l.kind == "bridge" && l.name != task.bridge.str();
  });
  if (static_cast<std::size_t>(others) >= net::most_bridges)
    return fail(errc::busy, "cannot make the bridge " + task.bridge.str(),
                std::to_string(others) + " bridges of banger are there, and no more may be",
                "remove one that nobody uses (`ip link delete NAME`)");
  const auto routes = links_.routes();
  if (!routes)
    return tl::unexpected(routes.error());
  if (const auto other = net::collision(*task.network, *routes, task.bridge))
    return fail(errc::already_exists,
                "cannot give " + task.bridge.str() + " the network " + task.network->str(),
                "this host has a route to " + other->str(),
                "choose another one: network.subnet in config.toml");
  return {};
}

// The rules last: as long as there is a bridge, they hold its guests. A tap that lost its bridge to
// somebody else's hand must not survive them.
expected<void> network_effects::remove_bridge(const bridge_name& bridge) {
  if (auto ok = links_.remove_bridge(bridge); !ok)
    return ok;
  const auto found = links_.inventory();
  if (!found)
    return tl::unexpected(found.error());
  std::vector<tap_name> lost;
  for (const auto& link : *found)
    if (auto name = tap_name::parse(link.name); name && link.kind == "tun" && link.master.empty())
      lost.push_back(*name);
  if (auto ok = links_.remove_taps(lost); !ok)
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
  auto wall = firewall();
  const auto held = wall ? (*wall)->check_policy(task.bridge) : tl::unexpected(wall.error());
  if (!held)
    return tl::unexpected(held.error());
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
  if (auto ok = links_.check_network(task.bridge, task.network); !ok)
    return tl::unexpected(ok.error());
  if (auto ok = (*wall)->apply({task.bridge, task.network, task.guests}); !ok)
    return tl::unexpected(ok.error());
  if (const auto weak = (*wall)->weakness())
    log::warn({.op = task.op.str()}, "packet_filter_weak", {{"text", *weak}});
  const bool nat =
      std::any_of(task.guests.begin(), task.guests.end(), [](const guest& g) { return g.nat; });
  return obstacles_of(task.bridge, nat);
}

// Who goes may go, whatever became of the bridge.
expected<messages::policy_reply> network_effects::carry_out(const guest_task& task) {
  auto wall = firewall();
  if (!wall)
    return tl::unexpected(wall.error());
  if (task.present)
    if (auto ok = links_.check_network(task.bridge, task.network); !ok)
      return tl::unexpected(ok.error());
  const auto changed = task.present ? (*wall)->add_guest(task.bridge, task.network, task.guest)
                                    : (*wall)->remove_guest(task.bridge, task.guest);
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
  const auto held = wall ? (*wall)->everything() : tl::unexpected(wall.error());
  if (!held && held.error().code != errc::unavailable)
    return tl::unexpected(held.error());
  const auto show = [&](const std::vector<guest>& guests) {
    for (const auto& g : guests)
      all.guests.push_back({g.tap.str(), g.mac.str(), g.address.str(), g.nat});
  };
  if (held) {
    for (const auto& p : held->policies)
      show(p.guests);
    show(held->strays);
  }
  return all;
}

expected<messages::sweep_reply> network_effects::carry_out(const network_sweep_task& task) {
  messages::sweep_reply done;
  outcomes all;
  all.add(sweep_taps(task, done));
  all.add(sweep_bridges(task, done));
  all.add(sweep_rules(task, done));
  if (!all.first())
    return but_removed(all.first().error(), done.removed);
  return done;
}

expected<void> network_effects::sweep_taps(const network_sweep_task& task,
                                           messages::sweep_reply& into) {
  const auto found = links_.inventory();
  if (!found)
    return tl::unexpected(found.error());
  std::vector<tap_name> batch;
  outcomes all;
  const auto remove = [&] {
    const auto done = links_.remove_taps(batch);
    all.add(done);
    if (done)
      for (const auto& name : batch)
        into.removed.push_back("tap " + name.str());
    batch.clear();
  };
  for (const auto& link : *found) {
    const auto name = tap_name::parse(link.name);
    if (name && link.kind == "tun" && (link.master.empty() || !has(task.taps, *name)))
      batch.push_back(*name);
    if (batch.size() == most_at_once)
      remove();
  }
  if (!batch.empty())
    remove();
  return all.first();
}

expected<void> network_effects::sweep_bridges(const network_sweep_task& task,
                                              messages::sweep_reply& into) {
  const auto found = links_.inventory();
  if (!found)
    return tl::unexpected(found.error());
  outcomes all;
  for (const auto& link : *found) {
    const auto name = bridge_name::parse(link.name);
    if (!name || link.kind != "bridge" || has(task.bridges, *name))
      continue;
    const auto done = links_.remove_bridge(*name);
    all.add(done);
    if (done)
      into.removed.push_back("bridge " + name->str());
  }
  return all.first();
}

expected<std::vector<bridge_name>> network_effects::bridges() {
  const auto found = links_.inventory();
  if (!found)
    return tl::unexpected(found.error());
  std::vector<bridge_name> names;
  for (const auto& link : *found)
    if (auto name = bridge_name::parse(link.name); name && link.kind == "bridge")
      names.push_back(*name);
  return names;
}

// A bridge that could not be removed has ports: it keeps its rules, and they then let nobody do
// anything who is not named.
expected<void> network_effects::sweep_rules(const network_sweep_task& task,
                                            messages::sweep_reply& into) {
  const auto wall = firewall();
  const auto held = wall ? (*wall)->everything() : tl::unexpected(wall.error());
  if (!held)
    return held.error().code == errc::unavailable ? expected<void>{} : tl::unexpected(held.error());
  const auto there = bridges();
  if (!there)
    return tl::unexpected(there.error());
  std::vector<net::policy> left;
  std::vector<std::string> removed;
  for (auto p : held->policies) {
    const bool stays = has(task.bridges, p.bridge) || has(*there, p.bridge);
    std::erase_if(p.guests, [&](const guest& g) {
      const bool goes = !stays || !has(task.taps, g.tap);
      if (goes)
        removed.push_back("guest " + g.address.str());
      return goes;
    });
    if (stays)
      left.push_back(std::move(p));
    else
      removed.push_back("rules " + p.bridge.str());
  }
  for (const auto& g : held->strays)
    removed.push_back("guest " + g.address.str());
  if (left != held->policies || !held->tidy)
    if (auto ok = (*wall)->keep(left); !ok)
      return ok;
  into.removed.insert(into.removed.end(), removed.begin(), removed.end());
  return forget_gone(held->policies, left);
}

// What of theirs is in the tables of others.
expected<void> network_effects::forget_gone(const std::vector<net::policy>& before,
                                            const std::vector<net::policy>& left) {
  outcomes all;
  for (const auto& p : before)
    if (std::none_of(left.begin(), left.end(), [&](auto& l) { return l.bridge == p.bridge; }))
      all.add((*firewall())->remove(p.bridge));
  return all.first();
}

} // namespace banger::helper
