#include "privhelper/net/routes.hpp"
#include "tests/support/catch.hpp"

using namespace banger;
using namespace banger::net;

namespace {

const auto own = *bridge_name::parse("br-fc");

host_route route(std::string_view network, unsigned prefix, std::string device,
                 std::uint32_t table = 254, std::uint32_t metric = 0) {
  return {*ipv4::parse(network), prefix, std::move(device), table, metric};
}

std::string in_the_way(std::string_view net, const std::vector<host_route>& routes) {
  const auto met = collision(*ipv4_net::parse(net), routes, own);
  return met ? met->str() : "";
}

} // namespace

TEST_CASE("a network collides with routes inside it and around it") {
  const std::vector routes{route("192.168.1.0", 24, "eth0"), route("10.8.0.0", 16, "wg0", 51820),
                           route("100.64.3.7", 32, "lo", 255)};
  CHECK(in_the_way("192.168.1.0/24", routes) == "192.168.1.0/24 (eth0)");
  CHECK(in_the_way("192.168.1.128/30", routes) == "192.168.1.0/24 (eth0)");
  CHECK(in_the_way("192.168.0.0/16", routes) == "192.168.1.0/24 (eth0)");
  CHECK(in_the_way("10.8.200.0/24", routes) == "10.8.0.0/16 (wg0)");
  CHECK(in_the_way("10.0.0.0/8", routes) == "10.8.0.0/16 (wg0)");
  CHECK(in_the_way("100.64.3.0/24", routes) == "100.64.3.7/32 (lo)");
  CHECK(in_the_way("192.168.2.0/24", routes).empty());
  CHECK(in_the_way("10.9.0.0/16", routes).empty());
}

TEST_CASE("routes for all the rest, and our own bridge's, are in nobody's way") {
  CHECK(in_the_way("10.88.0.0/24", {route("0.0.0.0", 0, "eth0"), route("0.0.0.0", 1, "tun0"),
                                    route("8.0.0.0", 5, "wg0"), route("10.88.0.0", 24, "br-fc")})
            .empty());
  CHECK(in_the_way("10.88.0.0/24", {route("10.0.0.0", 8, "")}) == "10.0.0.0/8 (unreachable)");
  CHECK(in_the_way("10.88.0.0/24", {route("10.88.0.0", 24, "br-fc-b")}) ==
        "10.88.0.0/24 (br-fc-b)");
}

TEST_CASE("uplinks are the devices of default routes, best first") {
  CHECK(uplinks({}).empty());
  CHECK(uplinks({route("192.168.1.0", 24, "eth0"), route("0.0.0.0", 0, "")}).empty());
  CHECK(uplinks({route("0.0.0.0", 0, "wg0", 51820), route("0.0.0.0", 0, "wlan0", 254, 600),
                 route("0.0.0.0", 0, "eth0", 254, 100), route("0.0.0.0", 0, "eth0", 254, 900)}) ==
        std::vector<std::string>{"eth0", "wlan0", "wg0"});
}
