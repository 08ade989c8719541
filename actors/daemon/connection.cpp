#include "actors/daemon/connection.hpp"

#include "actors/log/log.hpp"
#include "actors/privileged/presence.hpp"
#include "privhelper/net/links.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace banger::daemon {

namespace {

/// Of the VMs that run on it: a bridge has one, and they cannot be given another.
std::optional<ipv4_net> network_in_use(const bridge_name& bridge,
                                       const std::vector<vms::found_vm>& found) {
  for (const auto& f : found)
    if (f.record.machine.process.pid != 0 && f.record.machine.bridge == bridge.str())
      if (const auto net = network::network_of(f.record.machine.address))
        return net;
  return std::nullopt;
}

expected<ipv4_net> find_network(const config::settings& settings, const bridge_name& bridge,
                                const std::vector<network::known_guest>& known,
                                const std::optional<ipv4_net>& in_use) {
  std::optional<ipv4_net> wished;
  if (settings.network.subnet)
    wished = *ipv4_net::parse(*settings.network.subnet); // it was checked when it was read
  if (in_use && wished && *wished != *in_use)
    log::warn(
        {}, "network_kept",
        {{"text", "VMs run on " + bridge.str() + " in " + in_use->str() +
                      "; network.subnet counts from the first daemon that finds none there"}});
  if (in_use)
    return *in_use;
  auto links = net::links::open();
  if (!links)
    return tl::unexpected(links.error());
  const auto routes = links->routes();
  if (!routes)
    return tl::unexpected(routes.error());
  std::vector<ipv4> taken;
  for (const auto& g : known)
    if (const auto address = ipv4::parse(g.address))
      taken.push_back(*address);
  return network::choose_network(wished, *routes, bridge, taken);
}

std::vector<network::known_guest> known_guests(const std::vector<vms::found_vm>& found) {
  std::vector<network::known_guest> known;
  for (const auto& f : found) {
    const auto& r = f.record;
    const auto& m = r.machine;
    if (!m.address.empty())
      known.push_back({r.id.str(), r.name.str(), m.address.substr(0, m.address.find('/')),
                       r.wanted.nat, m.process.pid != 0 ? m.bridge : ""});
  }
  return known;
}

} // namespace

connection choose_connection(const config::settings& settings,
                             const std::vector<vms::found_vm>& found) {
  const auto& wanted = settings.network;
  const auto bridge = *bridge_name::parse(wanted.bridge.value_or(std::string(bridge_prefix)));
  connection c{false,
               false,
               {},
               bridge,
               fail(errc::unavailable, "VMs have no bridge here"),
               wanted.helper.value_or(config::builtin_helper),
               known_guests(found)};
  const auto mode = wanted.mode.value_or("auto");
  const auto helper = mode == "user" ? expected<void>() : privileged::look_for_helper(c.helper);
  const bool helped = mode != "user" && helper.has_value();
  c.bridged = mode == "bridge" || (mode == "auto" && helped);
  if (mode == "auto" && !helped)
    c.why_not = helper.error().why;
  // Root does it alone only where it was told to: its network is the whole machine's.
  if (mode == "bridge" && !helper && helper.error().code != errc::timed_out && ::geteuid() == 0)
    c.helper.clear();
  c.attended = c.bridged || std::any_of(c.known.begin(), c.known.end(),
                                        [](const auto& g) { return !g.bridge.empty(); });
  if (c.attended)
    c.net = find_network(settings, bridge, c.known, network_in_use(bridge, found));
  if (c.attended && !c.net)
    log::failed({}, "no_network", c.net.error());
  return c;
}

std::vector<std::string> name_servers_of_host() {
  // The second is where systemd-resolved, which listens on the loopback only, names its own.
  for (const auto* file : {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"}) {
    std::vector<std::string> servers;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      std::string key, server;
      const auto address = words >> key >> server && key == "nameserver"
                               ? ipv4::parse(server)
                               : fail(errc::not_found, "no server");
      if (address && address->bits >> 24 != 127)
        servers.push_back(server);
    }
    if (!servers.empty())
      return servers;
  }
  return {};
}

privileged::line line_of(const connection& c, caf::actor_system& system,
                         const std::filesystem::path& runtime,
                         std::unique_ptr<privileged::own_helper>& own) {
  if (!c.helper.empty())
    return privileged::to_helper(system, c.helper);
  auto started = privileged::own_helper::start(runtime);
  if (!started)
    return privileged::refusing(started.error());
  own = std::move(*started);
  return own->line_to(system);
}

network::name_service name_service_of(dns::responder* names) {
  // The helper sends nobody's questions to a port that only services of the host should have.
  constexpr std::uint16_t least_routed = 1024;
  if (names == nullptr)
    return {[](const vm_name&, ipv4, const std::function<void()>& done) { done(); },
            [](const vm_name&) {},
            {}};
  return {[names](const vm_name& name, ipv4 address, std::function<void()> done) {
            names->set(name, address, std::move(done));
          },
          [names](const vm_name& name) { names->remove(name); },
          names->port() < least_routed ? "" : "127.0.0.1:" + std::to_string(names->port())};
}

// A helper that is slow or away does not keep us: the next daemon waits a little longer for our
// lock.
void part_from_network(const network::network_actor& network, caf::actor_system& system) {
  constexpr std::chrono::seconds patience{2};
  if (!network)
    return;
  caf::scoped_actor self{system};
  self->request(network, patience, network::part_atom::value)
      .receive([] {},
               [](const caf::error& why) {
                 log::failed({}, "bridge_not_removed", actor::from_error(why));
               });
}

} // namespace banger::daemon
