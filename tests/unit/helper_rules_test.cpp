// What the daemon may ask of the role `network`, and what it may not.
#include "privhelper/rules/network.hpp"
#include "tests/unit/helper_attacks.hpp"

using namespace banger;
using namespace banger::messages;
using banger::test::refuses_poison;

namespace {

bridge_order some_bridge() { return {"op-012abc6789", "br-fc", "10.88.0.0/24", true}; }
taps_order some_taps() { return {"op-012abc6789", "br-fc", {"tap-fc-a", "tap-fc-b"}, true}; }
guest_order some_guest(int n) {
  const auto address = "10.88.0." + std::to_string(n);
  return {"tap-fc-" + std::to_string(n), mac_address::of(*ipv4::parse(address)).str(), address,
          true};
}
policy_order some_policy() {
  return {"", "br-fc-dev", "10.88.0.0/24", {some_guest(2), some_guest(3)}};
}
guest_change some_change() { return {"", "br-fc", "10.88.0.0/24", some_guest(2), true}; }
resolver_order some_resolver() { return {"", "br-fc", "127.0.0.1:42069", true}; }
network_sweep some_sweep() { return {"", {"br-fc"}, {"tap-fc-a"}}; }

const auto checked = [](const auto& order) { return helper::check(order); };

template <class Order>
std::string field_of(const Order& order) {
  const auto read = helper::check(order);
  return read ? "none" : read.error().what;
}

} // namespace

TEST_CASE("orders of the role network become values that are inside their rules") {
  const auto bridge = helper::check(some_bridge());
  REQUIRE(bridge);
  CHECK(bridge->op.str() == "op-012abc6789");
  CHECK(bridge->bridge.str() == "br-fc");
  CHECK(bridge->network->str() == "10.88.0.0/24");
  CHECK(bridge->present);
  const auto taps = helper::check(some_taps());
  REQUIRE(taps);
  CHECK(taps->names.at(1).str() == "tap-fc-b");
  const auto policy = helper::check(some_policy());
  REQUIRE(policy);
  CHECK(policy->op.str().empty());
  CHECK(policy->guests.at(1).address.str() == "10.88.0.3");
  CHECK(policy->guests.at(1).mac.str() == "52:54:0a:58:00:03");
  CHECK(policy->guests.at(0).nat);
  CHECK(helper::check(some_change())->guest.tap.str() == "tap-fc-2");
  CHECK(helper::check(some_resolver())->server->str() == "127.0.0.1:42069");
  CHECK(helper::check(some_sweep())->taps.size() == 1);
}

TEST_CASE("a refusal names the order, the field and the rule") {
  auto order = some_bridge();
  order.bridge = "eth0";
  CHECK(describe(helper::check(order).error()) ==
        "bridge order: field bridge: it is br-fc, or br-fc- and 1 to 9 of a-z and 0-9; 'eth0' is "
        "not");
}

TEST_CASE("the name of a bridge is one of ours in every order") {
  const auto bridge = [](auto& order) -> std::string& { return order.bridge; };
  refuses_poison(some_bridge(), bridge, checked, "bridge");
  refuses_poison(some_taps(), bridge, checked, "bridge");
  refuses_poison(some_policy(), bridge, checked, "bridge");
  refuses_poison(some_change(), bridge, checked, "bridge");
  refuses_poison(some_resolver(), bridge, checked, "bridge");
  for (const auto* foreign : {"", "eth0", "docker0", "br0", "br-fcx", "br-fc-", "virbr0", "lo",
                              "br-fc-0123456789", "tap-fc-a"}) {
    auto order = some_bridge();
    order.bridge = foreign;
    CHECK(field_of(order) == "bridge order: field bridge");
  }
}

TEST_CASE("an operation's id is one or nothing in every order") {
  const auto op = [](auto& order) -> std::string& { return order.op; };
  refuses_poison(some_bridge(), op, checked, "op");
  refuses_poison(some_taps(), op, checked, "op");
  refuses_poison(some_policy(), op, checked, "op");
  refuses_poison(some_change(), op, checked, "op");
  refuses_poison(some_resolver(), op, checked, "op");
  refuses_poison(some_sweep(), op, checked, "op");
}

TEST_CASE("a network is a private one, and may be left out where the bridge goes") {
  refuses_poison(
      some_bridge(), [](auto& o) -> std::string& { return o.network; }, checked, "network");
  for (const auto* bad : {"8.8.8.0/24", "0.0.0.0/0", "10.88.0.1/24", "10.0.0.0/31", "127.0.0.0/8",
                          "169.254.0.0/16", "224.0.0.0/8", "10.88.0.0", "fd00::/64", ""}) {
    auto order = some_bridge();
    order.network = bad;
    CHECK(field_of(order) == "bridge order: field network");
    auto policy = some_policy();
    policy.network = bad;
    CHECK(field_of(policy) == "policy order: field network");
  }
  auto gone = some_bridge();
  gone.present = false;
  CHECK(helper::check(gone)->network);
  gone.network.clear();
  CHECK_FALSE(helper::check(gone)->network);
  gone.network = "8.8.8.0/24";
  CHECK(field_of(gone) == "bridge order: field network");
}

TEST_CASE("taps are ours, 1 to 64, none twice") {
  refuses_poison(
      some_taps(), [](auto& o) -> std::string& { return o.names[1]; }, checked, "names[1]");
  for (const auto* foreign : {"", "tap0", "eth0", "tap-fc-", "tap-fc-123456789", "tap-fc-A",
                              "vnet0", "br-fc", "TAP-FC-a"}) {
    auto order = some_taps();
    order.names[0] = foreign;
    CHECK(field_of(order) == "taps order: field names[0]");
  }
  auto order = some_taps();
  order.names = {"tap-fc-a", "tap-fc-b", "tap-fc-a"};
  CHECK(field_of(order) == "taps order: field names[2]");
  order.names.clear();
  CHECK(field_of(order) == "taps order: field names");
  for (int i = 0; i < 64; ++i)
    order.names.push_back("tap-fc-" + std::to_string(i));
  CHECK(helper::check(order));
  order.names.emplace_back("tap-fc-x");
  CHECK(field_of(order) == "taps order: field names");
  CHECK(helper::check(order).error().why == "it is 1 to 64, none twice; 65 are not");
}

TEST_CASE("every field of a guest is held to its rule") {
  const auto guest = [](std::string guest_order::*member) {
    return [member](auto& o) -> std::string& { return o.guest.*member; };
  };
  refuses_poison(some_change(), guest(&guest_order::tap), checked, "guest.tap");
  refuses_poison(some_change(), guest(&guest_order::mac), checked, "guest.mac");
  refuses_poison(some_change(), guest(&guest_order::address), checked, "guest.address");
  refuses_poison(
      some_policy(), [](auto& o) -> std::string& { return o.guests[1].mac; }, checked,
      "guests[1].mac");
  for (const auto* bad : {"ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "00:11:22:33:44:55", ""}) {
    auto order = some_change();
    order.guest.mac = bad;
    CHECK(field_of(order) == "guest order: field guest.mac");
  }
}

TEST_CASE("a guest has an address of its network that is nobody else's") {
  // The network's own, the host's, broadcast, others' networks, the world.
  for (const auto* bad : {"10.88.0.0", "10.88.0.1", "10.88.0.255", "10.88.1.2", "8.8.8.8",
                          "127.0.0.1", "0.0.0.0", "255.255.255.255", "169.254.169.254"}) {
    auto change = some_change();
    change.guest.address = bad;
    CHECK(field_of(change) == "guest order: field guest.address");
    auto policy = some_policy();
    policy.guests[1].address = bad;
    CHECK(field_of(policy) == "policy order: field guests[1].address");
  }
}

TEST_CASE("no tap, MAC or address belongs to two guests") {
  const auto twin = [](std::string guest_order::*member) {
    auto order = some_policy();
    order.guests[1].*member = order.guests[0].*member;
    return field_of(order);
  };
  CHECK(twin(&guest_order::tap) == "policy order: field guests[1].tap");
  CHECK(twin(&guest_order::mac) == "policy order: field guests[1].mac");
  CHECK(twin(&guest_order::address) == "policy order: field guests[1].address");
  auto order = some_policy();
  order.guests[1].mac = "52:54:0A:58:00:02"; // the same in other letters
  CHECK(field_of(order) == "policy order: field guests[1].mac");
}

TEST_CASE("a policy is about at most 1024 guests") {
  auto order = some_policy();
  order.network = "10.88.0.0/16";
  order.guests.clear();
  CHECK(helper::check(order));
  const auto add = [&order](unsigned n) {
    const ipv4 address{0x0a580100U + n};
    order.guests.push_back(
        {"tap-fc-" + std::to_string(n), mac_address::of(address).str(), address.str(), false});
  };
  for (unsigned n = 0; n < 1024; ++n)
    add(n);
  CHECK(helper::check(order)->guests.size() == 1024);
  add(1024);
  CHECK(field_of(order) == "policy order: field guests");
}

TEST_CASE("names are asked of ADDRESS:PORT on the loopback") {
  refuses_poison(
      some_resolver(), [](auto& o) -> std::string& { return o.server; }, checked, "server");
  for (const auto* good : {"127.0.0.1:42069", "127.0.0.1:1024", "127.1.2.3:65535"}) {
    auto order = some_resolver();
    order.server = good;
    REQUIRE(helper::check(order));
    CHECK(helper::check(order)->server->str() == good);
  }
  for (const auto* bad : {"127.0.0.1",        "127.0.0.1:",
                          ":42069",           "127.0.0.1:1023",
                          "127.0.0.1:53",     "127.0.0.1:0",
                          "127.0.0.1:65536",  "127.0.0.1:99999999999999999999",
                          "127.0.0.1:-1",     "127.0.0.1:+42069",
                          "127.0.0.1:042069", "127.0.0.1:42069x",
                          "127.0.0.1: 42069", "127.0.0.1:42069:1",
                          "8.8.8.8:42069",    "10.88.0.1:42069",
                          "128.0.0.1:42069",  "localhost:42069",
                          "[::1]:42069",      ""}) {
    auto order = some_resolver();
    order.server = bad;
    INFO(bad);
    CHECK(field_of(order) == "resolver order: field server");
  }
  auto gone = some_resolver();
  gone.present = false;
  gone.server.clear();
  CHECK_FALSE(helper::check(gone)->server);
}

TEST_CASE("a sweep names what stays, and only ours") {
  refuses_poison(
      some_sweep(), [](auto& o) -> std::string& { return o.bridges[0]; }, checked, "bridges[0]");
  refuses_poison(
      some_sweep(), [](auto& o) -> std::string& { return o.taps[0]; }, checked, "taps[0]");
  CHECK(helper::check(network_sweep{}));
  auto order = some_sweep();
  order.bridges.assign(65, "br-fc");
  CHECK(field_of(order) == "sweep order: field bridges");
  order.bridges.assign(2, "br-fc");
  CHECK(field_of(order) == "sweep order: field bridges[1]");
  order = some_sweep();
  order.taps.assign(4097, "tap-fc-a");
  CHECK(field_of(order) == "sweep order: field taps");
}
