#include "actors/network/plan.hpp"
#include "tests/support/catch.hpp"

using namespace banger;
using namespace banger::network;

namespace {

const bridge_name ours = *bridge_name::parse("br-fc");

net::host_route route(const char* address, unsigned prefix, const char* device) {
  return {*ipv4::parse(address), prefix, device, 254, 0};
}

} // namespace

TEST_CASE("the network of VMs is in the way of no route, and stays where VMs have addresses") {
  CHECK(choose_network({}, {}, ours, {})->str() == "10.213.0.0/20");
  const std::vector lan{route("10.213.4.0", 24, "eth0"), route("0.0.0.0", 0, "eth0")};
  CHECK(choose_network({}, lan, ours, {})->str() == "10.214.0.0/20");
  const std::vector vpn{route("10.0.0.0", 8, "tun0")};
  CHECK(choose_network({}, vpn, ours, {})->str() == "172.29.176.0/20");
  CHECK(choose_network({}, {}, ours, {*ipv4::parse("10.220.0.5")})->str() == "10.220.0.0/20");
  // Its own route is in nobody's way.
  const std::vector own{route("10.213.0.0", 20, "br-fc")};
  CHECK(choose_network({}, own, ours, {})->str() == "10.213.0.0/20");
}

TEST_CASE("a network that was asked for and collides is refused, with the route") {
  const auto wished = ipv4_net::parse("192.168.7.0/24");
  CHECK(choose_network(*wished, {}, ours, {})->str() == "192.168.7.0/24");
  const auto refused = choose_network(*wished, {route("192.168.0.0", 16, "wg0")}, ours, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::bad_request);
  CHECK(refused.error().why.find("wg0") != std::string::npos);
  const std::vector all{route("10.0.0.0", 8, "a"), route("172.16.0.0", 12, "a"),
                        route("192.168.0.0", 16, "a")};
  CHECK(choose_network({}, all, ours, {}).error().code == errc::unavailable);
}

TEST_CASE("addresses are given from the lowest, kept, and told when they are all taken") {
  address_book book(*ipv4_net::parse("10.213.0.0/30")); // the host, and one guest
  CHECK(book.take("a")->str() == "10.213.0.2");
  CHECK(book.take("a")->str() == "10.213.0.2");
  CHECK(book.take("b").error().code == errc::busy);
  book.drop("a");
  book.drop("a");
  CHECK(book.take("b")->str() == "10.213.0.2");
  address_book wide(*ipv4_net::parse("10.213.0.0/24"));
  CHECK(wide.take("a", ipv4::parse("10.213.0.9").value())->str() == "10.213.0.9");
  CHECK(wide.take("b", ipv4::parse("10.213.0.9").value())->str() == "10.213.0.2");
  for (const auto* odd : {"10.213.0.0", "10.213.0.1", "10.213.0.255", "10.9.0.2"})
    CHECK(wide.take(odd, ipv4::parse(odd).value())->bits > ipv4::parse("10.213.0.2")->bits);
}

TEST_CASE("tap and MAC follow from the address") {
  CHECK(tap_of(*ipv4::parse("10.213.0.2")).str() == "tap-fc-0ad50002");
  CHECK(tap_of(*ipv4::parse("192.168.255.254")).str() == "tap-fc-c0a8fffe");
}

TEST_CASE("the network of a VM is told by its address") {
  CHECK(network_of("10.213.0.2/20")->str() == "10.213.0.0/20");
  CHECK(network_of("10.213.7.2/24")->str() == "10.213.7.0/24");
  CHECK(network_of("192.168.7.6/30")->str() == "192.168.7.4/30");
  for (const auto* odd : {"", "/", "10.213.0.2", "10.213.0.2/", "10.213.0.2/33", "10.213.0.2/0",
                          "8.8.8.8/24", "10.213.0.1/20", "x/20"})
    CHECK_FALSE(network_of(odd));
}

TEST_CASE("an address is held for one VM, or not at all") {
  address_book book(*ipv4_net::parse("10.213.0.0/24"));
  CHECK(book.hold("a", *ipv4::parse("10.213.0.9")));
  CHECK_FALSE(book.hold("b", *ipv4::parse("10.213.0.9")));
  CHECK_FALSE(book.hold("b", *ipv4::parse("10.9.0.2")));
  CHECK_FALSE(book.hold("a", *ipv4::parse("10.213.0.10")));
  CHECK(book.size() == 1);
}
