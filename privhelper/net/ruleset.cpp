#include "privhelper/net/ruleset.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <set>

namespace banger::net {

namespace {

// No policy drops, since strangers' packets come through, too. What is rejected in prerouting would
// be rejected in forward again; but a host that is no router would drop it in between, without a
// word.
constexpr std::string_view inet_chains = R"(
  chain prerouting {
    type filter hook prerouting priority raw; policy accept;
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

std::string set(std::string_view name, std::string_view type,
                const std::vector<std::string>& elements) {
  std::string text = "  set " + std::string(name) + " {\n    typeof " + std::string(type) + "\n";
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
  return "table inet banger {\n" + set("bridges", "iifname", bridges) +
         set("gateways", "iifname . ip daddr", gateways) +
         set("guests", "iifname . ether saddr . ip saddr", guests) +
         set("nat", "iifname . ip saddr", nat) + std::string(inet_chains) + "}\n";
}

std::string bridge_table(const std::vector<policy>& policies) {
  std::vector<std::string> guests;
  for (const auto& p : policies)
    for (const auto& g : p.guests)
      guests.push_back(bridge_guest(g));
  return "table bridge banger {\n" + set("guests", "iifname . ether saddr . ip saddr", guests) +
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

tl::unexpected<failure> twice(std::string_view what, const std::string& which) {
  return fail(errc::bad_request, std::string(what) + " " + which + " is there twice");
}

} // namespace

expected<void> check(const std::vector<policy>& policies) {
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

std::string admission(const bridge_name& bridge, const guest& g, layers where) {
  auto text = add(inet_guests, inet_guest(bridge, g));
  if (where == layers::bridge_and_inet)
    text += add(bridge_guests, bridge_guest(g));
  const auto nat = nat_guest(bridge, g);
  return text + (g.nat ? add(inet_nat, nat) : remove(inet_nat, nat));
}

std::string expulsion(const bridge_name& bridge, const guest& g, layers where) {
  auto text = remove(inet_guests, inet_guest(bridge, g)) + remove(inet_nat, nat_guest(bridge, g));
  if (where == layers::bridge_and_inet)
    text += remove(bridge_guests, bridge_guest(g));
  return text;
}

namespace {

/// One element of a set: the parts of its key, and its comment.
struct element {
  std::vector<std::string> key;
  std::string comment;
};

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

std::map<std::string, std::vector<element>> sets_in(const nlohmann::json& table) {
  std::map<std::string, std::vector<element>> sets;
  for (const auto& thing : table.value("nftables", nlohmann::json::array())) {
    if (!thing.contains("set") || !thing["set"].contains("elem"))
      continue;
    auto& elements = sets[thing["set"].value("name", "")];
    for (const auto& e : thing["set"]["elem"])
      elements.push_back(parse_element(e));
  }
  return sets;
}

void put_guest(std::vector<policy>& policies, const element& e) {
  if (e.key.size() != 3)
    return;
  const auto bridge = bridge_name::parse(e.key[0]);
  const auto mac = mac_address::parse(e.key[1]);
  const auto address = ipv4::parse(e.key[2]);
  const auto tap = tap_name::parse(e.comment);
  if (!bridge || !mac || !address || !tap)
    return;
  for (auto& p : policies)
    if (p.bridge == *bridge)
      p.guests.push_back({*tap, *mac, *address, false});
}

} // namespace

std::vector<policy> policies_in(const nlohmann::json& table) {
  auto sets = sets_in(table);
  std::vector<policy> policies;
  for (const auto& e : sets["gateways"]) {
    const auto bridge = bridge_name::parse(e.key.empty() ? "" : e.key[0]);
    const auto net = ipv4_net::parse(e.comment);
    if (bridge && net)
      policies.push_back({*bridge, *net, {}});
  }
  for (const auto& e : sets["guests"])
    put_guest(policies, e);
  std::set<std::vector<std::string>> nat;
  for (const auto& e : sets["nat"])
    nat.insert(e.key);
  for (auto& p : policies) {
    for (auto& g : p.guests)
      g.nat = nat.count({p.bridge.str(), g.address.str()}) > 0;
    std::sort(p.guests.begin(), p.guests.end(),
              [](const guest& a, const guest& b) { return a.address < b.address; });
  }
  std::sort(policies.begin(), policies.end(),
            [](const policy& a, const policy& b) { return a.bridge < b.bridge; });
  return policies;
}

} // namespace banger::net
