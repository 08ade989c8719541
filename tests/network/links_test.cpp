#include "privhelper/net/links.hpp"
#include "tests/network/frames.hpp"
#include "tests/network/space.hpp"
#include "tests/support/catch.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

using namespace banger;
using namespace banger::net;
using namespace banger::test;

namespace {

const auto bridge = *bridge_name::parse("br-fc");
const auto network = *ipv4_net::parse("10.88.0.0/24");

tap_name nth_tap(int n) { return *tap_name::parse("tap-fc-" + std::to_string(n)); }

std::vector<tap_name> taps_up_to(int n) {
  std::vector<tap_name> names;
  for (int i = 0; i < n; ++i)
    names.push_back(nth_tap(i));
  return names;
}

/// A host of its own, where this thread is as long as it lives, and what works on its links.
struct host : space {
  visit stay{*this};
  links on = need(links::open());

  std::vector<link_info> inventory() { return need(on.inventory()); }
};

/// As an older program may have left one.
void leave_persistent_tap(const space& where, const tap_name& name) {
  where.in([&] {
    const unique_fd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    ifreq ask{};
    name.str().copy(ask.ifr_name, sizeof ask.ifr_name - 1);
    ask.ifr_flags = IFF_TAP | IFF_NO_PI;
    REQUIRE(::ioctl(fd.get(), TUNSETIFF, &ask) == 0);
    REQUIRE(::ioctl(fd.get(), TUNSETPERSIST, 1UL) == 0);
  });
  REQUIRE(has_link(where, name.str()));
}

template <class T>
errc code_of(const expected<T>& result) {
  return result ? errc::none : result.error().code;
}

bool says(const failure& f, std::string_view words) {
  return describe(f).find(words) != std::string::npos;
}

} // namespace

TEST_CASE("a bridge is made once, with one address that is ours") {
  if (!may_make_namespaces())
    return;
  host h;
  need(h.on.ensure_bridge(bridge, network));
  const auto made = h.inventory();
  REQUIRE(made.size() == 1);
  CHECK(made[0].kind == "bridge");
  CHECK(made[0].up);
  CHECK(made[0].addresses == std::vector<std::string>{"10.88.0.1/24"});
  need(h.on.ensure_bridge(bridge, network));
  CHECK(h.inventory()[0].index == made[0].index);
  CHECK(proc_of(h, "/proc/sys/net/ipv6/conf/br-fc/addr_gen_mode") == "1");
  CHECK(proc_of(h, "/proc/thread-self/net/if_inet6").find("br-fc") == std::string::npos);
}

TEST_CASE("a bridge that was not finished is finished") {
  if (!may_make_namespaces())
    return;
  host h;
  add_link(h, "br-fc", "bridge");
  need(h.on.ensure_bridge(bridge, network));
  const auto made = h.inventory();
  CHECK(made[0].up);
  CHECK(made[0].addresses == std::vector<std::string>{"10.88.0.1/24"});
}

TEST_CASE("a bridge with another address is not taken over, and both are named") {
  if (!may_make_namespaces())
    return;
  host h;
  add_link(h, "br-fc", "bridge");
  add_address(h, "br-fc", "172.16.0.1/24");
  const auto refused = h.on.ensure_bridge(bridge, network);
  REQUIRE(code_of(refused) == errc::already_exists);
  CHECK(says(refused.error(), "172.16.0.1/24"));
  CHECK(says(refused.error(), "10.88.0.1/24"));
  add_address(h, "br-fc", "10.88.0.1/24");
  CHECK(code_of(h.on.ensure_bridge(bridge, network)) == errc::already_exists);
  CHECK(h.inventory()[0].addresses.size() == 2);
}

TEST_CASE("the same address with another prefix is another address") {
  if (!may_make_namespaces())
    return;
  host h;
  add_link(h, "br-fc", "bridge");
  add_address(h, "br-fc", "10.88.0.1/16");
  CHECK(code_of(h.on.ensure_bridge(bridge, network)) == errc::already_exists);
}

TEST_CASE("a link with a bridge's name that is no bridge stays as it is") {
  if (!may_make_namespaces())
    return;
  host h;
  cable({h, "br-fc", ""}, {h, "other", ""});
  CHECK(code_of(h.on.ensure_bridge(bridge, network)) == errc::already_exists);
  CHECK(code_of(h.on.remove_bridge(bridge)) == errc::already_exists);
  CHECK(code_of(h.on.open_taps(bridge, {nth_tap(1)})) == errc::already_exists);
  REQUIRE(h.inventory().size() == 1);
  CHECK(h.inventory()[0].addresses.empty());
}

TEST_CASE("taps are up, ports of their bridge, and end with their descriptors") {
  if (!may_make_namespaces())
    return;
  host h;
  need(h.on.ensure_bridge(bridge, network));
  auto taps = need(h.on.open_taps(bridge, taps_up_to(3)));
  REQUIRE(taps.size() == 3);
  const auto all = h.inventory();
  REQUIRE(all.size() == 4);
  for (std::size_t i = 1; i < all.size(); ++i) {
    CHECK(all[i].name == taps[i - 1].name.str());
    CHECK(all[i].index == taps[i - 1].index);
    CHECK(all[i].kind == "tun");
    CHECK(all[i].master == "br-fc");
    CHECK(all[i].up);
    CHECK((::fcntl(taps[i - 1].fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
  }
  CHECK(proc_of(h, "/proc/thread-self/net/if_inet6").find("tap-fc") == std::string::npos);
  taps.pop_back();
  CHECK(h.inventory().size() == 3);
  taps.clear();
  CHECK(h.inventory().size() == 1);
}

TEST_CASE("a bridge keeps its MAC address when taps come and go") {
  if (!may_make_namespaces())
    return;
  host h;
  need(h.on.ensure_bridge(bridge, network));
  const auto mac = [&] {
    return h.in([] {
      ifreq ask{};
      std::string("br-fc").copy(ask.ifr_name, sizeof ask.ifr_name - 1);
      const unique_fd s(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      REQUIRE(::ioctl(s.get(), SIOCGIFHWADDR, &ask) == 0);
      mac_address found;
      std::copy_n(reinterpret_cast<const std::uint8_t*>(ask.ifr_hwaddr.sa_data), 6,
                  found.bytes.begin());
      return found.str();
    });
  };
  CHECK(mac() == mac_address::of(network.host()).str());
  {
    const auto taps = need(h.on.open_taps(bridge, taps_up_to(8)));
    CHECK(mac() == mac_address::of(network.host()).str());
  }
  CHECK(mac() == mac_address::of(network.host()).str());
}

TEST_CASE("frames of a tap reach the host, and no other tap") {
  if (!may_make_namespaces())
    return;
  host h;
  need(h.on.ensure_bridge(bridge, network));
  const auto taps = need(h.on.open_taps(bridge, taps_up_to(2)));
  const int one = taps[0].fd.get(), other = taps[1].fd.get();
  const ipv4 address{network.host().bits + 1}, neighbour{address.bits + 1};
  const sender guest{mac_address::of(address), address, {}};
  const auto gateway = mac_address::of(network.host());
  CHECK(find_gateway(one, guest, network.host()) == gateway);
  CHECK(find_gateway(other, {mac_address::of(neighbour), neighbour, {}}, network.host()) ==
        gateway);
  put(one, arp_request(guest, neighbour));
  // The host's own question comes behind whatever the first tap's might have become.
  const unique_fd s(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(9);
  to.sin_addr.s_addr = htonl(neighbour.bits + 1);
  ::sendto(s.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
  std::vector<frame> before;
  const auto is_last = [&](const frame& f) { return is_arp_request(f, {neighbour.bits + 1}); };
  CHECK(await(other, is_last, &before));
  for (const auto& f : before)
    CHECK(source_of(f) != guest.ether);
}

TEST_CASE("taps are opened all or none") {
  if (!may_make_namespaces())
    return;
  host h;
  CHECK(code_of(h.on.open_taps(bridge, {nth_tap(1)})) == errc::not_found);
  need(h.on.ensure_bridge(bridge, network));
  CHECK(code_of(h.on.open_taps(bridge, {nth_tap(1), nth_tap(1)})) == errc::bad_request);
  const auto held = need(h.on.open_taps(bridge, {nth_tap(2)}));
  const auto refused = h.on.open_taps(bridge, taps_up_to(4));
  REQUIRE(code_of(refused) == errc::busy);
  CHECK(says(refused.error(), "tap-fc-2"));
  const auto left = h.inventory();
  REQUIRE(left.size() == 2);
  CHECK(left[1].index == held[0].index);
  cable({h, "tap-fc-3", ""}, {h, "other", ""});
  CHECK(code_of(h.on.open_taps(bridge, {nth_tap(0), nth_tap(3)})) == errc::already_exists);
  CHECK(h.inventory().size() == 3);
}

TEST_CASE("a tap that an older program left is replaced") {
  if (!may_make_namespaces())
    return;
  host h;
  need(h.on.ensure_bridge(bridge, network));
  leave_persistent_tap(h, nth_tap(1));
  {
    const auto taps = need(h.on.open_taps(bridge, {nth_tap(1)}));
    CHECK(h.inventory().back().master == "br-fc");
  }
  CHECK_FALSE(has_link(h, "tap-fc-1"));
}

TEST_CASE("many taps are removed in one step, held, left over or gone") {
  if (!may_make_namespaces())
    return;
  host h;
  need(h.on.ensure_bridge(bridge, network));
  const auto held = need(h.on.open_taps(bridge, taps_up_to(100)));
  leave_persistent_tap(h, nth_tap(100));
  need(h.on.remove_taps(taps_up_to(120)));
  CHECK(h.inventory().size() == 1);
  need(h.on.remove_taps(taps_up_to(120)));
  need(h.on.remove_taps({}));
}

TEST_CASE("only taps are removed as taps") {
  if (!may_make_namespaces())
    return;
  host h;
  need(h.on.ensure_bridge(bridge, network));
  const auto held = need(h.on.open_taps(bridge, {nth_tap(1)}));
  cable({h, "tap-fc-2", ""}, {h, "other", ""});
  const auto refused = h.on.remove_taps({nth_tap(1), nth_tap(2)});
  REQUIRE(code_of(refused) == errc::already_exists);
  CHECK(says(refused.error(), "tap-fc-2"));
  CHECK(h.inventory().size() == 3);
}

TEST_CASE("a bridge is removed when it has no ports, and is gone then") {
  if (!may_make_namespaces())
    return;
  host h;
  need(h.on.remove_bridge(bridge));
  need(h.on.ensure_bridge(bridge, network));
  auto taps = need(h.on.open_taps(bridge, {nth_tap(1)}));
  const auto refused = h.on.remove_bridge(bridge);
  REQUIRE(code_of(refused) == errc::busy);
  CHECK(says(refused.error(), "tap-fc-1"));
  taps.clear();
  need(h.on.remove_bridge(bridge));
  need(h.on.remove_bridge(bridge));
  CHECK(h.inventory().empty());
}

TEST_CASE("routes tell which networks are taken, and who leads out") {
  if (!may_make_namespaces())
    return;
  host h;
  const space lan;
  CHECK(uplinks(need(h.on.routes())).empty());
  cable({h, "eth0", "192.168.7.5/24"}, {lan, "eth0", "192.168.7.1/24"});
  CHECK(uplinks(need(h.on.routes())).empty());
  add_route(h, "0.0.0.0/0", "192.168.7.1");
  add_route(h, "10.0.0.0/8", "192.168.7.9");
  add_address(h, "lo", "100.100.1.1/32");
  need(h.on.ensure_bridge(*bridge_name::parse("br-fc-b"), *ipv4_net::parse("172.20.0.0/24")));
  const auto routes = need(h.on.routes());
  CHECK(uplinks(routes) == std::vector<std::string>{"eth0"});
  const auto in_the_way = [&](std::string_view net) {
    const auto met = collision(*ipv4_net::parse(net), routes, bridge);
    return met ? met->str() : "";
  };
  CHECK(in_the_way("192.168.7.128/25") == "192.168.7.0/24 (eth0)");
  CHECK(in_the_way("192.168.0.0/16") == "192.168.7.0/24 (eth0)");
  CHECK(in_the_way("10.88.0.0/24") == "10.0.0.0/8 (eth0)");
  CHECK(in_the_way("100.100.1.0/24") == "100.100.1.1/32 (lo)");
  CHECK(in_the_way("172.20.0.0/16") == "172.20.0.0/24 (br-fc-b)");
  CHECK(in_the_way("172.21.0.0/24").empty());
  CHECK_FALSE(collision(*ipv4_net::parse("172.20.0.0/24"), routes, *bridge_name::parse("br-fc-b")));
}
