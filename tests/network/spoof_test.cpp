// Guests that lie about who they are, frame by frame. A lie is followed by the truth: when the
// answer to that is there, the lie would have been answered, too.
#include "tests/network/frames.hpp"
#include "tests/network/scene.hpp"
#include "tests/support/catch.hpp"

#include "privhelper/net/nft.hpp"

#include <array>
#include <nlohmann/json.hpp>

using namespace banger;
using namespace banger::net;
using namespace banger::test;

namespace {

constexpr auto no_address = ipv4{};
const auto gateway = mac_address::of(network.host());

sender honest(const guest& g) { return {g.mac, g.address, {}}; }

/// Two guests on real taps; the firewall knows both.
struct street : scene {
  guest a = nth_guest(2), b = nth_guest(3);
  std::vector<tap> taps;

  street() {
    apply({a, b});
    taps = need(on.open_taps(bridge, {a.tap, b.tap}));
    for (const auto& [port, who] : {std::pair(port_a(), a), std::pair(port_b(), b)})
      if (!find_gateway(port, honest(who), network.host()))
        give_up("a guest finds no gateway");
  }
  int port_a() const { return taps[0].fd.get(); }
  int port_b() const { return taps[1].fd.get(); }

  /// Whether the host answers a ping that `liar` sends by a's tap.
  bool answers_ping(const sender& liar) {
    put(port_a(), echo_request(liar, gateway, network.host(), 1));
    put(port_a(), echo_request(honest(a), gateway, network.host(), 2));
    bool answered = false;
    const auto truth = await(port_a(), [&](const frame& f) {
      answered = answered || echo_reply_number(f) == 1;
      return echo_reply_number(f) == 2;
    });
    CHECK(truth);
    return answered || hears_echo(port_b());
  }
  /// Whether a frame by a's tap makes the host or the bridge believe something that is not so.
  bool believes(const frame& lie) {
    put(port_a(), lie);
    CHECK(answers_ping(honest(a)));
    for (const auto& [address, mac] : neighbours(host))
      if ((address != a.address || mac != a.mac) && (address != b.address || mac != b.mac))
        return true;
    for (const auto& mac : learned(host, taps[0].index))
      if (mac != a.mac)
        return true;
    return false;
  }

private:
  static bool hears_echo(int port) {
    while (const auto f = get(port, std::chrono::milliseconds(0)))
      if (echo_reply_number(*f))
        return true;
    return false;
  }
};

sender with_mac(sender s, const mac_address& mac) {
  s.ether = mac;
  return s;
}

sender with_address(sender s, ipv4 address) {
  s.address = address;
  return s;
}

// A MAC that is nobody's.
const auto nobody = *mac_address::parse("52:54:00:00:00:99");

// IPv6, LLDP, VLANs, 802.3, PPPoE.
constexpr std::array<std::uint16_t, 6> ether_types{0x86dd, 0x88cc, 0x8100, 0x88a8, 0x0026, 0x8863};

} // namespace

TEST_CASE("a guest behind a tap and the host ping each other") {
  if (!may_make_namespaces())
    return;
  street s;
  CHECK(s.answers_ping(honest(s.a)));
  const unique_fd host_service = serve(s.host, 8080);
  const auto asked = dial(s.host, s.a.address, 8080);
  CHECK(asked.error == ETIMEDOUT);
  CHECK(await(s.port_a(), [&](const frame& f) { return source_of(f) == gateway; }));
}

TEST_CASE("a ping with another MAC or address is not heard") {
  if (!may_make_namespaces())
    return;
  street s;
  const auto truth = honest(s.a);
  CHECK_FALSE(s.answers_ping(with_mac(truth, nobody)));
  CHECK_FALSE(s.answers_ping(with_mac(truth, s.b.mac)));
  CHECK_FALSE(s.answers_ping(with_address(truth, s.b.address)));
  CHECK_FALSE(s.answers_ping(with_address(truth, {s.a.address.bits + 70})));
  CHECK_FALSE(s.answers_ping(with_address(truth, network.host())));
  CHECK_FALSE(s.answers_ping(with_address(truth, *ipv4::parse("203.0.113.2"))));
  CHECK_FALSE(s.answers_ping(with_address(truth, no_address)));
  CHECK_FALSE(s.answers_ping(honest(s.b)));
}

TEST_CASE("ARP says nothing that is not the guest's own") {
  if (!may_make_namespaces())
    return;
  street s;
  const auto truth = honest(s.a);
  const auto host_hears = [&](const sender& liar) {
    return s.believes(arp_reply(liar, gateway, network.host())) ||
           s.believes(arp_request(liar, network.host()));
  };
  CHECK_FALSE(host_hears(with_mac(with_address(truth, s.b.address), nobody)));
  CHECK_FALSE(host_hears(with_mac(truth, nobody)));
  CHECK_FALSE(host_hears({s.a.mac, s.a.address, nobody}));
  CHECK_FALSE(host_hears({s.a.mac, s.b.address, nobody}));
  CHECK_FALSE(host_hears({nobody, s.a.address, s.a.mac}));
  CHECK_FALSE(host_hears({nobody, s.b.address, s.b.mac}));
  CHECK_FALSE(s.believes(arp_reply(with_address(truth, s.b.address), gateway, network.host())));
}

TEST_CASE("a bridge learns a MAC from no kind of frame") {
  if (!may_make_namespaces())
    return;
  street s;
  const mac_address lldp{{0x01, 0x80, 0xc2, 0, 0, 0x0e}}, stp{{0x01, 0x80, 0xc2, 0, 0, 0}};
  for (const auto type : ether_types)
    for (const auto& to : {gateway, everybody, s.b.mac, lldp, stp})
      CHECK_FALSE(s.believes(ether(to, nobody, type)));
  CHECK_FALSE(s.believes(ether(gateway, nobody, 0x0800)));
}

TEST_CASE("without rules the same frames would be believed") {
  if (!may_make_namespaces())
    return;
  street s;
  need(s.wall.remove(bridge));
  CHECK(s.answers_ping(with_mac(honest(s.a), nobody)));
  CHECK(s.believes(arp_request({s.a.mac, s.b.address, nobody}, network.host())));
}

TEST_CASE("without rules a bridge would learn another one's MAC") {
  if (!may_make_namespaces())
    return;
  street s;
  need(s.wall.remove(bridge));
  CHECK(s.believes(ether(gateway, nobody, 0x88cc)));
}

TEST_CASE("nothing that is not ARP or IPv4 comes from a guest") {
  if (!may_make_namespaces())
    return;
  street s;
  need(need(nft::open()).run(R"(
table bridge witness {
  chain heard {
    type filter hook prerouting priority 300; policy accept;
    ether type { ip, arp } accept
    counter
  }
  chain heard_too {
    type filter hook input priority 300; policy accept;
    ether type { ip, arp } accept
    counter
  }
}
)"));
  for (const auto type : ether_types)
    put(s.port_a(), ether(gateway, s.a.mac, type));
  CHECK(s.answers_ping(honest(s.a)));
  const auto counters = need(need(nft::open()).list("list table bridge witness")).dump();
  CHECK(counters.find(R"("packets":0)") != std::string::npos);
  CHECK(counters.find(R"("packets":1)") == std::string::npos);
}
