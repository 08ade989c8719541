// Orders one after the other, as a daemon that somebody took over may give them.
#include "privhelper/effects/network_effects.hpp"
#include "tests/network/scene.hpp"
#include "tests/support/catch.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

using namespace banger;
using namespace banger::helper;
using namespace banger::test;

namespace {

const auto op = *operation_id::parse("");
const auto other_bridge = *bridge_name::parse("br-fc-b");
const auto other_network = *ipv4_net::parse("10.99.0.0/24");
const auto wider_network = *ipv4_net::parse("10.0.0.0/8");

tap_name tap(const std::string& name) { return *tap_name::parse("tap-fc-" + name); }

template <class T>
errc code_of(const expected<T>& result) {
  return result ? errc::none : result.error().code;
}

/// A host of its own, and the helper's hands on it.
struct desk : space {
  visit stay{*this};
  network_effects hands = need(network_effects::open());

  template <class Task>
  auto give(const Task& task) {
    return hands.carry_out(task);
  }
  void make(const bridge_name& name = bridge, const ipv4_net& net = network) {
    need(give(bridge_task{op, name, net, true}));
  }
  void hold(std::vector<guest> guests = {}) {
    need(give(policy_task{op, bridge, network, std::move(guests)}));
  }
  auto open(const std::vector<tap_name>& names, const bridge_name& on = bridge) {
    return give(taps_task{op, on, names, true});
  }
  expected<messages::sweep_reply> sweep(std::vector<bridge_name> bridges,
                                        std::vector<tap_name> taps) {
    return give(network_sweep_task{op, std::move(bridges), std::move(taps)});
  }
  std::size_t guests() { return need(hands.inventory()).guests.size(); }
  std::size_t links() { return need(hands.inventory()).links.size(); }
};

bool has(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

} // namespace

TEST_CASE("no tap is opened on a bridge that no rules are about") {
  if (!may_make_namespaces())
    return;
  desk d;
  d.make();
  d.make(other_bridge, other_network);
  const auto refused = d.open({tap("a")});
  REQUIRE(code_of(refused) == errc::not_found);
  CHECK_FALSE(refused.error().remedy.empty());
  d.hold();
  CHECK(code_of(d.open({tap("a")})) == errc::none);
  CHECK(code_of(d.open({tap("b")}, other_bridge)) == errc::not_found);
  CHECK(d.links() == 2);
}

TEST_CASE("a bridge keeps its rules as long as it has ports, also when it is swept") {
  if (!may_make_namespaces())
    return;
  desk d;
  d.make();
  d.hold({nth_guest(2), nth_guest(3)});
  const auto taps = need(d.open({nth_guest(2).tap, nth_guest(3).tap}));
  const auto swept = d.sweep({}, {nth_guest(2).tap});
  REQUIRE(code_of(swept) == errc::busy);
  CHECK(d.links() == 2);
  CHECK(d.guests() == 1);
  CHECK(code_of(d.open({nth_guest(4).tap})) == errc::none); // so the rules are there
  CHECK(code_of(d.give(bridge_task{op, bridge, {}, false})) == errc::busy);
  CHECK(d.guests() == 1);
  CHECK(code_of(d.sweep({}, {})) == errc::none);
  CHECK(d.links() + d.guests() == 0);
}

TEST_CASE("what a sweep removed is told, also if it could not remove everything") {
  if (!may_make_namespaces())
    return;
  desk d;
  d.make();
  d.make(other_bridge, other_network);
  d.hold({nth_guest(2), nth_guest(3)});
  const auto taps = need(d.open({nth_guest(2).tap, nth_guest(3).tap}));
  const auto swept = d.sweep({}, {nth_guest(2).tap});
  REQUIRE(code_of(swept) == errc::busy);
  for (const auto* gone : {"tap tap-fc-g3", "bridge br-fc-b", "guest 10.88.0.3"})
    CHECK(swept.error().why.find(gone) != std::string::npos);
  const auto rest = need(d.sweep({}, {})).removed;
  for (const auto* gone : {"tap tap-fc-g2", "bridge br-fc", "guest 10.88.0.2", "rules br-fc"})
    CHECK(has(rest, gone));
}

TEST_CASE("a policy, and a guest, have their bridge's own network") {
  if (!may_make_namespaces())
    return;
  desk d;
  CHECK(code_of(d.give(policy_task{op, bridge, network, {}})) == errc::not_found);
  d.make();
  const auto refused = d.give(policy_task{op, bridge, wider_network, {}});
  REQUIRE(code_of(refused) == errc::unauthorized);
  CHECK(refused.error().why.find("10.88.0.1/24") != std::string::npos);
  d.hold();
  auto far = nth_guest(2);
  far.address = *ipv4::parse("10.1.2.3");
  CHECK(code_of(d.give(guest_task{op, bridge, wider_network, far, true})) == errc::unauthorized);
  CHECK(code_of(d.give(guest_task{op, other_bridge, network, far, true})) == errc::not_found);
  CHECK(d.guests() == 0);
  CHECK(code_of(d.give(guest_task{op, bridge, network, nth_guest(2), true})) == errc::none);
  CHECK(code_of(d.give(guest_task{op, bridge, network, nth_guest(2), false})) == errc::none);
  need(d.sweep({}, {}));
  CHECK(code_of(d.give(guest_task{op, bridge, network, nth_guest(2), false})) == errc::none);
}

TEST_CASE("guests of a bridge without policy are refused") {
  if (!may_make_namespaces())
    return;
  desk d;
  d.make();
  CHECK(code_of(d.give(guest_task{op, bridge, network, nth_guest(2), true})) == errc::not_found);
  CHECK(d.guests() == 0);
}

TEST_CASE("sixteen bridges are made, and no more") {
  if (!may_make_namespaces())
    return;
  desk d;
  for (int i = 0; i < 16; ++i)
    d.make(*bridge_name::parse("br-fc-" + std::to_string(i)),
           *ipv4_net::parse("10." + std::to_string(i) + ".0.0/24"));
  const auto refused = d.give(bridge_task{op, bridge, network, true});
  REQUIRE(code_of(refused) == errc::busy);
  CHECK_FALSE(refused.error().remedy.empty());
  CHECK(d.links() == 16);
  d.make(*bridge_name::parse("br-fc-3"), *ipv4_net::parse("10.3.0.0/24"));
  CHECK(need(d.sweep({}, {})).removed.size() == 16);
}

TEST_CASE("a route that comes later does not stop a bridge that works") {
  if (!may_make_namespaces())
    return;
  desk d;
  const space vpn;
  cable({d, "eth0", "192.168.7.5/24"}, {vpn, "eth0", "192.168.7.1/24"});
  d.make();
  add_route(d, "10.0.0.0/8", "192.168.7.1");
  d.make();
  CHECK(code_of(d.give(bridge_task{op, other_bridge, other_network, true})) ==
        errc::already_exists);
}

TEST_CASE("a tap that whoever has it made persistent is seen, and swept") {
  if (!may_make_namespaces())
    return;
  desk d;
  d.make();
  d.hold();
  {
    const auto taps = need(d.open({tap("a")}));
    REQUIRE(::ioctl(taps[0].get(), TUNSETPERSIST, 1UL) == 0);
  }
  REQUIRE(has_link(d, "tap-fc-a"));
  const auto found = need(d.hands.inventory()).links;
  REQUIRE(found.size() == 2);
  CHECK(found[1].name == "tap-fc-a");
  CHECK(found[1].bridge == "br-fc");
  CHECK(has(need(d.sweep({bridge}, {})).removed, "tap tap-fc-a"));
  CHECK_FALSE(has_link(d, "tap-fc-a"));
}

TEST_CASE("a tap that lost its bridge is swept, and goes before the rules do") {
  if (!may_make_namespaces())
    return;
  desk d;
  d.make();
  d.hold({nth_guest(2), nth_guest(3)});
  const auto taps = need(d.open({nth_guest(2).tap, nth_guest(3).tap}));
  leave_bridge(d, nth_guest(2).tap.str());
  CHECK(
      has(need(d.sweep({bridge}, {nth_guest(2).tap, nth_guest(3).tap})).removed, "tap tap-fc-g2"));
  leave_bridge(d, nth_guest(3).tap.str());
  need(d.give(bridge_task{op, bridge, {}, false}));
  CHECK_FALSE(has_link(d, "tap-fc-g3"));
  CHECK(d.links() + d.guests() == 0);
}
