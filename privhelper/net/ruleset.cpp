#include "privhelper/net/ruleset.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

namespace banger::net {

namespace {

// No policy drops, since strangers' packets come through, too. What is rejected in prerouting would
// be rejected in forward again; but a host that is no router would drop it in between, without a
// word.
constexpr std::string_view inet_chains = R"(
  chain prerouting {
    type filter hook prerouting priority raw; policy accept;
    iifname "tap-fc-*" drop comment "has lost its bridge"
    iifname @bridges meta nfproto ipv6 drop
    iifname @bridges iifname . ether saddr . ip saddr != @guests drop
    iifname @bridges fib daddr type != local iifname . ip saddr != @nat reject with icmpx admin-prohibited
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname @bridges jump to_host
  }
  chain to_host {
    ct state established,related accept
    iifname . ip daddr @gateways icmp type echo-request accept
    reject with icmpx admin-prohibited
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname @bridges jump from_guest
    oifname @bridges jump to_guest
  }
  chain from_guest {
    ip daddr 169.254.0.0/16 reject with icmpx admin-prohibited
    oifname @bridges reject with icmpx admin-prohibited
    iifname . ip saddr @nat accept
    reject with icmpx admin-prohibited
  }
  chain to_guest {
    ct state established,related accept
    drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname != @bridges iifname . ip saddr @nat masquerade
  }
)";

// Reserved groups (01:80:c2:00:00:0x) go past prerouting, and the bridge would learn from them.
constexpr std::string_view bridge_chains = R"(
  chain prerouting {
    type filter hook prerouting priority dstnat; policy accept;
    iifname "tap-fc-*" jump guest
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname "tap-fc-*" ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 drop
  }
  chain guest {
    iifname . ether saddr . ip saddr @guests accept
    iifname . ether saddr . arp saddr ip @guests iifname . arp saddr ether . arp saddr ip @guests accept
    drop
  }
)";

// Bridges once more, in each table: no rule looks here. An element that can be deleted and added
// was there, and nothing had to be listed to know.
constexpr std::string_view held = "held";

// One more for who has none: his element is added and deleted in one transaction.
constexpr std::size_t nat_room = most_guests + 1;

std::string quoted(const std::string& name) { return "\"" + name + "\""; }

std::string inet_guest(const bridge_name& bridge, const guest& g) {
  return quoted(bridge.str()) + " . " + g.mac.str() + " . " + g.address.str() + " comment " +
         quoted(g.tap.str());
}

std::string bridge_guest(const guest& g) {
  return quoted(g.tap.str()) + " . " + g.mac.str() + " . " + g.address.str();
}

std::string nat_guest(const bridge_name& bridge, const guest& g) {
  return quoted(bridge.str()) + " . " + g.address.str();
}

std::string gateway(const policy& p) {
  return quoted(p.bridge.str()) + " . " + p.net.host().str() + " comment " + quoted(p.net.str());
}

std::string set(std::string_view name, std::string_view type, std::size_t room,
                const std::vector<std::string>& elements) {
  std::string text = "  set " + std::string(name) + " {\n    typeof " + std::string(type) +
                     "\n    size " + std::to_string(room) + "\n";
  if (!elements.empty()) {
    text += "    elements = {";
    for (const auto& one : elements)
      text += (&one == &elements.front() ? "\n      " : ",\n      ") + one;
    text += "\n    }\n";
  }
  return text + "  }\n";
}

std::string inet_table(const std::vector<policy>& policies) {
  std::vector<std::string> bridges, gateways, guests, nat;
  for (const auto& p : policies) {
    bridges.push_back(quoted(p.bridge.str()));
    gateways.push_back(gateway(p));
    for (const auto& g : p.guests) {
      guests.push_back(inet_guest(p.bridge, g));
      if (g.nat)
        nat.push_back(nat_guest(p.bridge, g));
    }
  }
  return "table inet banger {\n" + set("bridges", "iifname", most_bridges, bridges) +
         set(held, "iifname", most_bridges, bridges) +
         set("gateways", "iifname . ip daddr", most_bridges, gateways) +
         set("guests", "iifname . ether saddr . ip saddr", most_guests, guests) +
         set("nat", "iifname . ip saddr", nat_room, nat) + std::string(inet_chains) + "}\n";
}

std::string bridge_table(const std::vector<policy>& policies) {
  std::vector<std::string> bridges, guests;
  for (const auto& p : policies) {
    bridges.push_back(quoted(p.bridge.str()));
    for (const auto& g : p.guests)
      guests.push_back(bridge_guest(g));
  }
  return "table bridge banger {\n" + set(held, "iifname", most_bridges, bridges) +
         set("guests", "iifname . ether saddr . ip saddr", most_guests, guests) +
         std::string(bridge_chains) + "}\n";
}

// A delete of what is not there fails, and an add of what is there does not.
std::string cleared(std::string_view family) {
  const auto table = "table " + std::string(family) + " banger\n";
  return "add " + table + "delete " + table;
}

std::string add(std::string_view set_name, const std::string& element) {
  return "add element " + std::string(set_name) + " { " + element + " }\n";
}

std::string remove(std::string_view set_name, const std::string& element) {
  return add(set_name, element) + "delete element " + std::string(set_name) + " { " + element +
         " }\n";
}

constexpr std::string_view inet_guests = "inet banger guests", inet_nat = "inet banger nat",
                           bridge_guests = "bridge banger guests";

/// Remembers what it has seen.
template <class T>
class once {
public:
  bool again(const T& value) { return !seen_.insert(value).second; }

private:
  std::set<T> seen_;
};

expected<void> check_room(const std::vector<policy>& policies) {
  std::size_t guests = 0;
  for (const auto& p : policies)
    guests += p.guests.size();
  if (policies.size() <= most_bridges && guests <= most_guests)
    return {};
  return fail(errc::busy, "the packet filter has no room for more",
              std::to_string(most_bridges) + " bridges and " + std::to_string(most_guests) +
                  " guests are the most",
              "stop VMs, or let them share a bridge");
}

tl::unexpected<failure> twice(std::string_view what, const std::string& which) {
  return fail(errc::bad_request, std::string(what) + " " + which + " is there twice");
}

} // namespace

expected<void> check(const std::vector<policy>& policies) {
  if (auto ok = check_room(policies); !ok)
    return ok;
  once<bridge_name> bridges;
  once<tap_name> taps;
  once<mac_address> macs;
  once<ipv4> addresses;
  for (const auto& p : policies) {
    if (bridges.again(p.bridge))
      return twice("the bridge", p.bridge.str());
    for (const auto& other : policies)
      if (&other != &p && p.net.overlaps(other.net))
        return fail(errc::bad_request, "the networks of two bridges overlap",
                    p.bridge.str() + " has " + p.net.str() + ", and " + other.bridge.str() +
                        " has " + other.net.str(),
                    "choose another network in config.toml");
    for (const auto& g : p.guests) {
      if (!p.net.is_guest(g.address))
        return fail(errc::bad_request,
                    g.address.str() + " is no guest's address in " + p.net.str());
      if (taps.again(g.tap))
        return twice("the tap", g.tap.str());
      if (macs.again(g.mac))
        return twice("the MAC address", g.mac.str());
      if (addresses.again(g.address))
        return twice("the address", g.address.str());
    }
  }
  return {};
}

std::string ruleset(const std::vector<policy>& policies, layers where) {
  auto text = cleared("inet");
  if (where == layers::bridge_and_inet)
    text += cleared("bridge");
  if (policies.empty())
    return text;
  text += inet_table(policies);
  if (where == layers::bridge_and_inet)
    text += bridge_table(policies);
  return text;
}

std::string proof(const bridge_name& bridge, layers where) {
  const auto again = [&](const std::string& family) {
    const auto element =
        family + " banger " + std::string(held) + " { " + quoted(bridge.str()) + " }\n";
    return "delete element " + element + "add element " + element;
  };
  return again("inet") + (where == layers::bridge_and_inet ? again("bridge") : "");
}

std::string admission(const bridge_name& bridge, const guest& g, layers where) {
  auto text = proof(bridge, where) + add(inet_guests, inet_guest(bridge, g));
  if (where == layers::bridge_and_inet)
    text += add(bridge_guests, bridge_guest(g));
  const auto nat = nat_guest(bridge, g);
  return text + (g.nat ? add(inet_nat, nat) : remove(inet_nat, nat));
}

std::string expulsion(const bridge_name& bridge, const guest& g, layers where) {
  auto text = remove(inet_guests, inet_guest(bridge, g)) + remove(inet_nat, nat_guest(bridge, g));
  return where == layers::bridge_and_inet ? text + expulsion_from_bridge(g) : text;
}

std::string expulsion_from_bridge(const guest& g) { return remove(bridge_guests, bridge_guest(g)); }

namespace {

/// One element of a set: the parts of its key, and its comment.
struct element {
  std::vector<std::string> key;
  std::string comment;
};

using sets = std::map<std::string, std::vector<element>>;

element parse_element(const nlohmann::json& e) {
  element parsed;
  auto value = e;
  if (e.is_object() && e.contains("elem")) {
    parsed.comment = e["elem"].value("comment", "");
    value = e["elem"].value("val", nlohmann::json());
  }
  if (value.is_object() && value.contains("concat"))
    for (const auto& part : value["concat"])
      parsed.key.push_back(part.is_string() ? part.get<std::string>() : "");
  return parsed;
}

sets sets_in(const nlohmann::json& table) {
  sets found;
  if (!table.is_object())
    return found;
  for (const auto& thing : table.value("nftables", nlohmann::json::array())) {
    if (!thing.contains("set") || !thing["set"].contains("elem"))
      continue;
    auto& elements = found[thing["set"].value("name", "")];
    for (const auto& e : thing["set"]["elem"])
      elements.push_back(parse_element(e));
  }
  return found;
}

std::optional<guest> as_guest(const std::string& tap, const std::string& mac,
                              const std::string& address) {
  const auto t = tap_name::parse(tap);
  const auto m = mac_address::parse(mac);
  const auto a = ipv4::parse(address);
  if (!t || !m || !a)
    return std::nullopt;
  return guest{*t, *m, *a, false};
}

std::vector<policy> bridges_in(sets& inet) {
  std::vector<policy> policies;
  for (const auto& e : inet["gateways"]) {
    const auto bridge = bridge_name::parse(e.key.empty() ? "" : e.key[0]);
    const auto net = ipv4_net::parse(e.comment);
    if (bridge && net)
      policies.push_back({*bridge, *net, {}});
  }
  return policies;
}

// To its bridge's policy, or to the strays.
void put_guest(contents& into, const element& e, const std::set<std::vector<std::string>>& nat) {
  if (e.key.size() != 3)
    return;
  auto one = as_guest(e.comment, e.key[1], e.key[2]);
  if (!one)
    return;
  one->nat = nat.count({e.key[0], e.key[2]}) > 0;
  const auto at = std::find_if(into.policies.begin(), into.policies.end(),
                               [&](const policy& p) { return p.bridge.str() == e.key[0]; });
  (at == into.policies.end() ? into.strays : at->guests).push_back(*one);
}

std::set<guest> without_nat(const std::vector<policy>& policies) {
  std::set<guest> all;
  for (const auto& p : policies)
    for (const auto& g : p.guests)
      all.insert({g.tap, g.mac, g.address, false});
  return all;
}

// Those that only the bridge table knows.
void put_strays(contents& into, const std::vector<element>& elements) {
  const auto known = without_nat(into.policies);
  for (const auto& e : elements) {
    const auto one = e.key.size() == 3 ? as_guest(e.key[0], e.key[1], e.key[2]) : std::nullopt;
    if (one && known.count(*one) == 0 &&
        std::find(into.strays.begin(), into.strays.end(), *one) == into.strays.end())
      into.strays.push_back(*one);
    into.tidy = into.tidy && one;
  }
}

bool are_as_many(sets& inet, const std::vector<policy>& policies) {
  std::size_t guests = 0, nat = 0;
  for (const auto& p : policies) {
    guests += p.guests.size();
    nat += static_cast<std::size_t>(
        std::count_if(p.guests.begin(), p.guests.end(), [](const guest& g) { return g.nat; }));
  }
  return inet["bridges"].size() == policies.size() && inet["gateways"].size() == policies.size() &&
         inet["guests"].size() == guests && inet["nat"].size() == nat;
}

} // namespace

contents contents_of(const nlohmann::json& inet_table, const nlohmann::json& bridge_set) {
  auto inet = sets_in(inet_table);
  contents found{bridges_in(inet), {}, true};
  std::set<std::vector<std::string>> nat;
  for (const auto& e : inet["nat"])
    nat.insert(e.key);
  for (const auto& e : inet["guests"])
    put_guest(found, e, nat);
  for (auto& p : found.policies)
    std::sort(p.guests.begin(), p.guests.end(),
              [](const guest& a, const guest& b) { return a.address < b.address; });
  std::sort(found.policies.begin(), found.policies.end(),
            [](const policy& a, const policy& b) { return a.bridge < b.bridge; });
  put_strays(found, sets_in(bridge_set)["guests"]);
  found.tidy = found.tidy && found.strays.empty() && are_as_many(inet, found.policies);
  return found;
}

} // namespace banger::net
