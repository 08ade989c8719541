#include "tests/network/scene.hpp"
#include "tests/support/catch.hpp"

#include "privhelper/net/nft.hpp"

#include <cerrno>
#include <nlohmann/json.hpp>

using namespace banger;
using namespace banger::net;
using namespace banger::test;

namespace {

constexpr std::uint16_t port = 8080;
constexpr int few = 4; ///< pings that shall not be answered

const auto second_bridge = *bridge_name::parse("br-fc-b");
const auto second_network = *ipv4_net::parse("10.99.0.0/24");

/// All of nftables in this namespace.
std::string everything() { return need(need(nft::open()).list("list ruleset")).dump(); }

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != text.npos; at = text.find(what, at + 1))
    ++n;
  return n;
}

} // namespace

TEST_CASE("guest and host reach each other, and the guest opens nothing on the host") {
  if (!may_make_namespaces())
    return;
  scene s;
  const house g(s, nth_guest(2));
  s.apply({g.who});
  CHECK(pings(g.inside, network.host()));
  CHECK(pings(s.host, g.who.address));
  const auto in_guest = serve(g.inside, port), on_host = serve(s.host, port);
  CHECK(dial(s.host, g.who.address, port).error == 0);
  CHECK(dial(g.inside, network.host(), port).error == EHOSTUNREACH);
  CHECK(dial(g.inside, host_outside, port).error == EHOSTUNREACH);
  CHECK_FALSE(pings(g.inside, host_outside, few));
}

TEST_CASE("only a guest with NAT reaches the outside, as the host") {
  if (!may_make_namespaces())
    return;
  scene s;
  const house with(s, nth_guest(2, true)), without(s, nth_guest(3));
  s.apply({with.who, without.who});
  CHECK(proc_of(s.host, "/proc/sys/net/ipv4/ip_forward") == "1");
  const auto service = serve(s.outside, port);
  CHECK(pings(with.inside, network.host()));
  CHECK(pings(without.inside, network.host()));
  CHECK(dial(with.inside, outside_address, port).error == 0);
  CHECK(next_visitor(service).address == host_outside);
  CHECK(pings(with.inside, outside_address));
  CHECK(dial(without.inside, outside_address, port).error == EHOSTUNREACH);
  CHECK_FALSE(pings(without.inside, outside_address, few));
}

TEST_CASE("without a guest with NAT the host does not become a router") {
  if (!may_make_namespaces())
    return;
  scene s;
  s.apply({nth_guest(2)});
  need(s.wall.add_guest(bridge, network, nth_guest(3)));
  CHECK(proc_of(s.host, "/proc/sys/net/ipv4/ip_forward") == "0");
  need(s.wall.add_guest(bridge, network, nth_guest(4, true)));
  CHECK(proc_of(s.host, "/proc/sys/net/ipv4/ip_forward") == "1");
}

TEST_CASE("NAT is given and taken while a guest runs") {
  if (!may_make_namespaces())
    return;
  scene s;
  const house g(s, nth_guest(2));
  s.apply({g.who});
  const auto service = serve(s.outside, port);
  CHECK(pings(g.inside, network.host()));
  CHECK(dial(g.inside, outside_address, port).error == EHOSTUNREACH);
  need(s.wall.add_guest(bridge, network, nth_guest(2, true)));
  const auto flow = dial(g.inside, outside_address, port);
  REQUIRE(flow.error == 0);
  const auto visitor = next_visitor(service);
  CHECK(passes(flow.connection, visitor.connection));
  need(s.wall.add_guest(bridge, network, nth_guest(2, false)));
  CHECK(dial(g.inside, outside_address, port).error == EHOSTUNREACH);
  CHECK_FALSE(passes(flow.connection, visitor.connection));
  CHECK(need(s.wall.inventory()) == std::vector{policy{bridge, network, {g.who}}});
}

TEST_CASE("link-local addresses are out of reach, with NAT, too") {
  if (!may_make_namespaces())
    return;
  scene s;
  const house g(s, nth_guest(2, true));
  s.apply({g.who});
  const auto service = serve(s.outside, 80);
  CHECK(pings(g.inside, network.host()));
  CHECK(dial(s.host, metadata_service, 80).error == 0);
  CHECK(dial(g.inside, outside_address, 80).error == 0);
  CHECK(dial(g.inside, metadata_service, 80).error == EHOSTUNREACH);
}

TEST_CASE("guests do not reach each other, directly or by the gateway") {
  if (!may_make_namespaces())
    return;
  scene s;
  const house a(s, nth_guest(2, true)), b(s, nth_guest(3, true));
  s.apply({a.who, b.who});
  const auto service = serve(b.inside, port);
  CHECK(pings(a.inside, network.host()));
  CHECK(pings(b.inside, network.host()));
  CHECK_FALSE(pings(a.inside, b.who.address, few));
  add_route(a.inside, b.who.address.str() + "/32", network.host().str());
  CHECK(dial(a.inside, b.who.address, port).error != 0);
  CHECK_FALSE(pings(a.inside, b.who.address, few));
}

TEST_CASE("the outside opens nothing in a guest") {
  if (!may_make_namespaces())
    return;
  scene s;
  const house g(s, nth_guest(2, true));
  s.apply({g.who});
  add_route(s.outside, "10.88.0.0/24", host_outside.str());
  const auto service = serve(g.inside, port);
  CHECK(pings(s.host, g.who.address));
  CHECK(dial(s.outside, g.who.address, port).error == ETIMEDOUT);
  CHECK_FALSE(pings(s.outside, g.who.address, few));
}

TEST_CASE("a guest that the firewall does not know can do nothing") {
  if (!may_make_namespaces())
    return;
  scene s;
  const house known(s, nth_guest(2, true)), unknown(s, nth_guest(3, true));
  s.apply({known.who});
  CHECK(pings(known.inside, network.host()));
  CHECK_FALSE(pings(unknown.inside, network.host(), few));
  need(s.wall.add_guest(bridge, network, unknown.who));
  CHECK(pings(unknown.inside, network.host()));
  need(s.wall.remove_guest(bridge, unknown.who));
  CHECK_FALSE(pings(unknown.inside, network.host(), few));
}

TEST_CASE("applying once more changes nothing, and flows go on") {
  if (!may_make_namespaces())
    return;
  scene s;
  const house g(s, nth_guest(2, true));
  s.apply({g.who});
  const auto service = serve(s.outside, port), in_guest = serve(g.inside, port);
  CHECK(pings(g.inside, network.host()));
  const auto out = dial(g.inside, outside_address, port), in = dial(s.host, g.who.address, port);
  REQUIRE(out.error == 0);
  REQUIRE(in.error == 0);
  const auto there = next_visitor(service), here = next_visitor(in_guest);
  for (int i = 0; i < 20; ++i) {
    s.apply({g.who, nth_guest(10 + i, true)});
    need(s.wall.add_guest(bridge, network, g.who));
    REQUIRE(passes(out.connection, there.connection));
    REQUIRE(passes(there.connection, out.connection));
    REQUIRE(passes(here.connection, in.connection));
  }
  s.apply({g.who});
  s.apply({g.who});
  CHECK(need(s.wall.inventory()) == std::vector{policy{bridge, network, {g.who}}});
  CHECK(count(everything(), "masquerade") == 1);
  CHECK(count(everything(), "tap-fc-g2\"") == 2);
}

TEST_CASE("one masquerade rule, one element for a guest, and none when it is gone") {
  if (!may_make_namespaces())
    return;
  scene s;
  const auto a = nth_guest(2, true), b = nth_guest(3, true);
  s.apply({});
  for (int i = 0; i < 3; ++i) {
    need(s.wall.add_guest(bridge, network, a));
    need(s.wall.add_guest(bridge, network, b));
  }
  CHECK(count(everything(), "masquerade") == 1);
  CHECK(need(s.wall.inventory()) == std::vector{policy{bridge, network, {a, b}}});
  need(s.wall.remove_guest(bridge, a));
  need(s.wall.remove_guest(bridge, a));
  CHECK(count(everything(), a.address.str() + "\"") == 0);
  CHECK(count(everything(), a.tap.str()) == 0);
  CHECK(count(everything(), a.mac.str()) == 0);
  CHECK(need(s.wall.inventory()) == std::vector{policy{bridge, network, {b}}});
  need(s.wall.remove(bridge));
  CHECK(count(everything(), "banger") == 0);
  need(s.wall.remove(bridge));
  need(s.wall.remove_guest(bridge, b));
  CHECK(count(everything(), "banger") == 0);
}

TEST_CASE("bridges do not disturb each other") {
  if (!may_make_namespaces())
    return;
  scene s;
  const policy other{second_bridge, second_network, {}};
  s.apply({nth_guest(2, true)});
  need(s.wall.apply(other));
  CHECK(need(s.wall.inventory()).size() == 2);
  s.apply({nth_guest(3)});
  CHECK(need(s.wall.inventory()) == std::vector{policy{bridge, network, {nth_guest(3)}}, other});
  CHECK(count(everything(), "masquerade") == 1);
  const auto in_the_way = s.wall.apply({second_bridge, *ipv4_net::parse("10.0.0.0/8"), {}});
  REQUIRE_FALSE(in_the_way);
  CHECK(in_the_way.error().code == errc::bad_request);
  need(s.wall.remove(bridge));
  CHECK(need(s.wall.inventory()) == std::vector{other});
}

TEST_CASE("tables that somebody flushed are missed, and made again") {
  if (!may_make_namespaces())
    return;
  scene s;
  s.apply({nth_guest(2)});
  need(need(nft::open()).run("flush ruleset"));
  const auto refused = s.wall.add_guest(bridge, network, nth_guest(3));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::not_found);
  CHECK(need(s.wall.inventory()).empty());
  need(s.wall.remove_guest(bridge, nth_guest(2)));
  s.apply({nth_guest(2), nth_guest(3)});
  need(need(nft::open()).run("delete table bridge banger"));
  CHECK_FALSE(s.wall.add_guest(bridge, network, nth_guest(4)));
  CHECK(need(s.wall.inventory())[0].guests.size() == 2);
}

TEST_CASE("a guest goes from the tables that are left") {
  if (!may_make_namespaces())
    return;
  scene s;
  const auto gone = nth_guest(2, true);
  s.apply({gone});
  need(need(nft::open()).run("delete table bridge banger"));
  need(s.wall.remove_guest(bridge, gone));
  CHECK(count(everything(), gone.address.str()) == 0);
  CHECK(need(s.wall.inventory())[0].guests.empty());
  s.apply({gone});
  need(need(nft::open()).run("delete table inet banger"));
  need(s.wall.remove_guest(bridge, gone));
  CHECK(count(everything(), gone.address.str()) == 0);
  need(s.wall.remove_guest(bridge, gone));
}

TEST_CASE("a bridge has a policy if all its rules are there") {
  if (!may_make_namespaces())
    return;
  scene s;
  const auto code = [&](const bridge_name& b) {
    const auto held = s.wall.check_policy(b);
    return held ? errc::none : held.error().code;
  };
  CHECK(code(bridge) == errc::not_found);
  s.apply({nth_guest(2)});
  CHECK(code(bridge) == errc::none);
  CHECK(code(second_bridge) == errc::not_found);
  const auto refused =
      s.wall.add_guest(second_bridge, second_network,
                       {*tap_name::parse("tap-fc-b"), mac_address::of(*ipv4::parse("10.99.0.2")),
                        *ipv4::parse("10.99.0.2"), false});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::not_found);
  CHECK_FALSE(refused.error().remedy.empty());
  need(need(nft::open()).run("delete table bridge banger"));
  CHECK(code(bridge) == errc::not_found);
}

TEST_CASE("what is in our tables and in no policy is seen, and not kept") {
  if (!may_make_namespaces())
    return;
  scene s;
  s.apply({nth_guest(2, true)});
  CHECK(need(s.wall.everything()).tidy);
  need(need(nft::open()).run(R"(
add element inet banger guests { "br-fc-b" . 52:54:0a:58:00:07 . 10.88.0.7 comment "tap-fc-g7" }
add element inet banger nat { "br-fc-b" . 10.88.0.7 }
add element bridge banger guests { "tap-fc-g8" . 52:54:0a:58:00:08 . 10.88.0.8 }
)"));
  const auto found = need(s.wall.everything());
  CHECK_FALSE(found.tidy);
  CHECK(found.strays == std::vector{nth_guest(7, true), nth_guest(8)});
  need(s.wall.keep(found.policies));
  CHECK(need(s.wall.everything()).tidy);
  CHECK(need(s.wall.inventory()) == std::vector{policy{bridge, network, {nth_guest(2, true)}}});
  need(need(nft::open()).run("delete table inet banger"));
  CHECK(need(s.wall.everything()).strays == std::vector{nth_guest(2)});
}

TEST_CASE("a full set is told as such, and what is in it stays") {
  if (!may_make_namespaces())
    return;
  scene s;
  s.apply({nth_guest(2)});
  std::string many = "add element inet banger guests { ";
  for (std::size_t n = 1; n < most_guests; ++n)
    many += (n == 1 ? "\"br-fc\" . 52:54:0a:59:00:00 . " : ", \"br-fc\" . 52:54:0a:59:00:00 . ") +
            ipv4{0x0a590000 + static_cast<std::uint32_t>(n)}.str();
  need(need(nft::open()).run(many + " }\n"));
  const auto refused = s.wall.add_guest(bridge, network, nth_guest(3));
  REQUIRE_FALSE(refused);
  INFO(describe(refused.error()));
  CHECK(refused.error().code == errc::busy);
  need(s.wall.add_guest(bridge, network, nth_guest(2, true))); // no new one
}

TEST_CASE("a tap that somebody took off its bridge reaches nothing") {
  if (!may_make_namespaces())
    return;
  scene s;
  const house g(s, nth_guest(2, true));
  s.apply({g.who});
  CHECK(pings(g.inside, network.host()));
  add_address(s.host, "tap-fc-g2", "10.77.0.1/24");
  add_address(g.inside, "eth0", "10.77.0.2/24");
  leave_bridge(s.host, "tap-fc-g2");
  CHECK_FALSE(pings(g.inside, *ipv4::parse("10.77.0.1"), few));
}

TEST_CASE("a guest's address is one of its network") {
  if (!may_make_namespaces())
    return;
  scene s;
  s.apply({});
  auto stranger = nth_guest(2, true);
  for (const auto* address : {"10.88.0.1", "10.88.0.255", "10.88.1.2", "8.8.8.8"}) {
    stranger.address = *ipv4::parse(address);
    const auto refused = s.wall.add_guest(bridge, network, stranger);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == errc::bad_request);
  }
  CHECK(need(s.wall.inventory())[0].guests.empty());
}

TEST_CASE("a kernel without the bridge family holds guests to MAC and address") {
  if (!may_make_namespaces())
    return;
  scene s(layers::inet);
  const house with(s, nth_guest(2, true)), liar(s, nth_guest(3, true));
  s.apply({with.who});
  auto recorded = liar.who;
  recorded.mac = mac_address::of(*ipv4::parse("10.88.0.99"));
  need(s.wall.add_guest(bridge, network, recorded));
  CHECK(count(everything(), R"("family":"bridge")") == 0);
  const auto service = serve(s.outside, port);
  CHECK(pings(with.inside, network.host()));
  CHECK(dial(with.inside, outside_address, port).error == 0);
  CHECK_FALSE(pings(liar.inside, network.host(), few));
  need(s.wall.remove_guest(bridge, with.who));
  CHECK_FALSE(pings(with.inside, network.host(), few));
  const auto obstacles = need(s.wall.cooperate(bridge));
  REQUIRE(obstacles.size() == 1);
  CHECK(obstacles[0] == s.wall.weakness());
  CHECK(obstacles[0].find("ARP") != std::string::npos);
}
