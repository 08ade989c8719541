#include "tests/hostile/orders.hpp"

namespace banger::hostile {

using namespace messages;

namespace {

const std::vector<std::string> foreign_bridges{
    "", "eth0", "docker0", "br0", "br-fcx", "br-fc-", "lo", "br-fc-0123456789", "tap-fc-a"};
const std::vector<std::string> foreign_taps{
    "", "tap0", "eth0", "tap-fc-", "tap-fc-123456789", "tap-fc-A", "vnet0", "br-fc"};
const std::vector<std::string> foreign_networks{
    "",           "8.8.8.0/24",     "0.0.0.0/0",   "10.88.0.1/24", "10.0.0.0/31", "10.0.0.0/32",
    "10.0.0.0/7", "169.254.0.0/16", "127.0.0.0/8", "224.0.0.0/8",  "10.88.0.0",   "fd00::/64"};
const std::vector<std::string> foreign_macs{"", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01",
                                            "00:11:22:33:44:55", "52:54:0a:58:00"};
// The network's ends, the host's, other networks', everybody's.
const std::vector<std::string> foreign_addresses{
    "10.88.0.0", "10.88.0.1", "10.88.0.255", "10.88.1.2", "8.8.8.8",
    "127.0.0.1", "0.0.0.0",   "10.88.0.256", "",          "169.254.169.254"};
const std::vector<std::string> foreign_servers{"",
                                               "127.0.0.1",
                                               "127.0.0.1:53",
                                               "127.0.0.1:0",
                                               "127.0.0.1:1023",
                                               "127.0.0.1:65536",
                                               "127.0.0.1:-1",
                                               "8.8.8.8:42069",
                                               "10.88.0.1:42069",
                                               "[::1]:42069",
                                               "localhost:42069",
                                               "127.0.0.1:42069:1",
                                               ":42069",
                                               "127.0.0.1:042069",
                                               "0.0.0.0:42069"};

const auto op = [](auto& o) -> std::string& { return o.op; };
const auto bridge = [](auto& o) -> std::string& { return o.bridge; };
const auto network = [](auto& o) -> std::string& { return o.network; };

void on_bridge(attacks& all) {
  attacks_on on(all, "bridge", bridge_order{"op-012abc6789", "br-fc-x", "10.89.0.0/24", true});
  on.poison("op", op);
  on.poison("bridge", bridge, foreign_bridges);
  on.poison("network", network, foreign_networks);
  attacks_on gone(all, "bridge", bridge_order{"", "br-fc", "", false});
  gone.strings("bridge", bridge, foreign_bridges);
  gone.strings("network", network, {"8.8.8.0/24"});
}

std::vector<std::string> many(const std::string& prefix, int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i)
    names.push_back(prefix + std::to_string(i));
  return names;
}

void on_taps(attacks& all) {
  for (const bool present : {true, false}) {
    attacks_on on(all, "taps", taps_order{"", "br-fc", {"tap-fc-x", "tap-fc-y"}, present});
    on.poison("op", op);
    on.poison("bridge", bridge, foreign_bridges);
    on.poison(
        "names[1]", [](auto& o) -> std::string& { return o.names[1]; }, foreign_taps);
    on.with("names", "none", [](auto& o) { o.names.clear(); });
    on.with("names", "65", [](auto& o) { o.names = many("tap-fc-", 65); });
    on.with("names", "20,000", [](auto& o) { o.names = many("tap-fc-", 20'000); });
    on.with("names[1]", "twice", [](auto& o) { o.names[1] = o.names[0]; });
  }
}

template <class Attacks, class Guest>
void on_guest(Attacks& on, const std::string& field, Guest guest) {
  const auto member = [&guest](std::string guest_order::*m) {
    return [&guest, m](auto& o) -> std::string& { return guest(o).*m; };
  };
  on.poison(field + ".tap", member(&guest_order::tap), foreign_taps);
  on.poison(field + ".mac", member(&guest_order::mac), foreign_macs);
  on.poison(field + ".address", member(&guest_order::address), foreign_addresses);
}

void on_policy(attacks& all) {
  attacks_on on(all, "policy",
                policy_order{"", "br-fc", "10.88.0.0/24", {nth_guest(2), nth_guest(3)}});
  on.poison("op", op);
  on.poison("bridge", bridge, foreign_bridges);
  on.poison("network", network, foreign_networks);
  on_guest(on, "guests[1]", [](policy_order& o) -> guest_order& { return o.guests[1]; });
  on.with("guests[1].tap", "twice", [](auto& o) { o.guests[1].tap = o.guests[0].tap; });
  on.with("guests[1].mac", "twice", [](auto& o) { o.guests[1].mac = o.guests[0].mac; });
  on.with("guests[1].mac", "twice", [](auto& o) { o.guests[1].mac = "52:54:0A:58:00:02"; });
  on.with("guests[1].address", "twice", [](auto& o) { o.guests[1].address = o.guests[0].address; });
  on.later("network", errc::unauthorized, "br-fc has not the network 10.88.0.0/16",
           [](auto& o) { o.network = "10.88.0.0/16"; });
  on.with("guests", "1025", [](auto& o) { o.guests.assign(1025, nth_guest(2)); });
}

void on_change(attacks& all) {
  for (const bool present : {true, false}) {
    attacks_on on(all, "guest", guest_change{"", "br-fc", "10.88.0.0/24", nth_guest(2), present});
    on.poison("op", op);
    on.poison("bridge", bridge, foreign_bridges);
    on.poison("network", network, foreign_networks);
    on_guest(on, "guest", [](guest_change& o) -> guest_order& { return o.guest; });
    if (present)
      on.later("network", errc::unauthorized, "br-fc has not the network 10.0.0.0/8",
               [](auto& o) { o.network = "10.0.0.0/8"; });
  }
}

void on_resolver(attacks& all) {
  attacks_on on(all, "resolver", resolver_order{"", "br-fc", "127.0.0.1:42069", true});
  on.poison("op", op);
  on.poison("bridge", bridge, foreign_bridges);
  on.poison(
      "server", [](auto& o) -> std::string& { return o.server; }, foreign_servers);
}

void on_sweep(attacks& all) {
  attacks_on on(all, "sweep", network_sweep{"", {"br-fc"}, {"tap-fc-a"}});
  on.poison("op", op);
  on.poison(
      "bridges[0]", [](auto& o) -> std::string& { return o.bridges[0]; }, foreign_bridges);
  on.poison(
      "taps[0]", [](auto& o) -> std::string& { return o.taps[0]; }, foreign_taps);
  on.with("bridges", "65", [](auto& o) { o.bridges = many("br-fc-", 65); });
  on.with("bridges[1]", "twice", [](auto& o) { o.bridges.assign(2, "br-fc"); });
  on.with("taps", "4097", [](auto& o) { o.taps = many("tap-fc-", 4097); });
  on.with("taps[1]", "twice", [](auto& o) { o.taps.assign(2, "tap-fc-a"); });
}

} // namespace

guest_order nth_guest(std::uint32_t n, bool nat) {
  const ipv4 address{0x0a580000U + n};
  return {"tap-fc-" + std::to_string(n), mac_address::of(address).str(), address.str(), nat};
}

attacks network_attacks() {
  attacks all;
  on_bridge(all);
  on_taps(all);
  on_policy(all);
  on_change(all);
  on_resolver(all);
  on_sweep(all);
  return all;
}

} // namespace banger::hostile
