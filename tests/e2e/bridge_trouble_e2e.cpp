// What a user is told when the network of VMs cannot be what it should. With a scripted hypervisor:
// nothing here needs a guest.
#include "tests/e2e/bridge_scene.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <sys/socket.h>

using namespace banger::test;
using Catch::Contains;

namespace {
const words create{"vm", "create", "--image", "tiny", "--name", "a"};
} // namespace

TEST_CASE("without a helper, mode bridge refuses VMs and says what to do, mode auto says why not",
          "[root][as-user][network][none]") {
  if (skipped_without_bridge())
    return;
  {
    bridge_scene s(true);
    const auto refused = s.user().banger(create);
    CHECK(refused.status == 1);
    CHECK_THAT(refused.err, Contains("cannot reach the root helper") &&
                                Contains("start banger-privhelper") && Contains("(op-"));
    CHECK(s.user().list().empty());
  }
  bridge_scene s(true, "auto");
  s.user().good(create);
  CHECK_THAT(s.show_network("a"), Contains("user-mode") && Contains("no root helper"));
}

TEST_CASE("a helper that dies in mid-operation fails it, and the next one does it",
          "[root][as-user][network][none]") {
  if (skipped_without_bridge())
    return;
  for (const std::string at : {"bridge/before", "policy/after", "guest/before", "guest/after",
                               "taps/before", "taps/after"}) {
    INFO(at);
    bridge_scene s(true);
    s.start_helper("helper/" + at + ":kill");
    const auto failed = s.user().banger(create);
    CHECK(failed.status == 1);
    CHECK_THAT(failed.err, Contains("(op-"));
    CHECK(s.user().list().empty());
    s.start_helper();
    s.user().good(create);
    CHECK(s.elements("guests") == 1);
    CHECK(s.taps() == 1);
    s.user().good({"vm", "delete", "a"});
    CHECK(s.elements("guests") == 0);
    CHECK(s.taps() == 0);
  }
}

TEST_CASE("networks that are in somebody's way are refused, with the name of whose",
          "[root][as-user][network][none]") {
  if (skipped_without_bridge())
    return;
  bridge_scene s(true);
  s.start_helper();
  auto& u = s.user();
  // A VPN has what was asked for.
  s.host({"ip", "link", "add", "tun-work", "type", "bridge"});
  s.host({"ip", "addr", "add", "10.99.0.1/16", "dev", "tun-work"});
  s.host({"ip", "link", "set", "tun-work", "up"});
  s.write_config("subnet = \"10.99.7.0/24\"\n");
  const auto collides = u.banger(create);
  CHECK(collides.status == 1);
  CHECK_THAT(collides.err, Contains("10.99.0.0/16 (tun-work)") && Contains("network.subnet"));
  u.good({"daemon", "stop"});
  // The bridge is there, and is somebody else's by its address.
  s.host({"ip", "link", "add", "br-fc", "type", "bridge"});
  s.host({"ip", "addr", "add", "10.77.0.1/24", "dev", "br-fc"});
  s.write_config("subnet = \"10.78.0.0/24\"\n");
  const auto other = u.banger(create);
  CHECK(other.status == 1);
  CHECK_THAT(other.err, Contains("br-fc") && Contains("10.77.0.1/24"));
  u.good({"daemon", "stop"});
  CHECK_THAT(s.host({"ip", "-o", "addr", "show", "br-fc"}).out, Contains("10.77.0.1/24"));
  CHECK(u.list().empty());
  s.host({"ip", "link", "del", "br-fc"});
  u.good({"daemon", "stop"});
  s.write_config();
  u.good(create);
}

TEST_CASE("what is in the way of NAT is told, and a taken DNS port hurts nobody",
          "[root][as-user][network][none]") {
  if (skipped_without_bridge())
    return;
  bridge_scene s(true);
  s.start_helper();
  auto& u = s.user();
  const banger::unique_fd squatter(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(5300);
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(squatter.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0);
  s.host({"ip", "route", "del", "default"});
  auto with_nat = create;
  with_nat.push_back("--nat");
  const auto made = u.banger(with_nat);
  CHECK(made.status == 0);
  CHECK_THAT(s.show_network("a"), Contains("in its way") && Contains("no default route"));
  bool told = false;
  for (const auto& line : u.daemon_log())
    told = told || (line.value("event", "") == "names_not_served" &&
                    line.value("text", "").find("5300") != std::string::npos);
  CHECK(told);
}

TEST_CASE("lesson 25: a VM is deleted where its tap and all rules are gone already",
          "[root][as-user][network][none]") {
  if (skipped_without_bridge())
    return;
  bridge_scene s(true);
  s.start_helper();
  auto& u = s.user();
  auto with_nat = create;
  with_nat.push_back("--nat");
  u.good(with_nat);
  s.host({"nft", "flush", "ruleset"});
  s.host({"ip", "link", "del", "br-fc"});
  u.good({"vm", "delete", "a"});
  CHECK(u.list().empty());
  // The next one finds everything made again.
  u.good(with_nat);
  CHECK(s.elements("nat") == 1);
}

TEST_CASE("a daemon that is root has a bridge without a helper, if it was told to",
          "[root][as-user][network][none]") {
  if (skipped_without_bridge())
    return;
  bridge_scene s(true, "bridge", bridge_scene::whose::roots);
  auto& u = s.user();
  auto with_nat = create;
  with_nat.push_back("--nat");
  u.good(with_nat);
  CHECK_THAT(s.show_network("a"), Contains("bridge br-fc"));
  const auto actors = u.read({"debug", "actors", "--json"});
  CHECK(std::any_of(actors.begin(), actors.end(), [](const json& one) {
    return one.at("kind") == "network" && one.at("state") == "ok";
  }));
  CHECK(s.taps() == 1);
  CHECK(s.elements("nat") == 1);
  u.good({"daemon", "stop"});
  u.good({"vm", "set", "a", "--no-nat"});
  CHECK(s.elements("nat") == 0);
  CHECK(s.elements("guests") == 1);
  u.good({"vm", "delete", "a"});
  CHECK(s.elements("guests") == 0);
  CHECK(s.taps() == 0);
}

TEST_CASE("VMs that run keep their place on the bridge, whatever the configuration says by now",
          "[root][as-user][network][none]") {
  if (skipped_without_bridge())
    return;
  bridge_scene s(true);
  s.start_helper();
  auto& u = s.user();
  u.good(create);
  const auto address = s.address("a");
  u.good({"daemon", "stop"});
  s.write_config("subnet = \"10.77.0.0/24\"\n");
  u.good({"vm", "set", "a", "--nat"});
  CHECK(s.elements("nat") == 1);
  u.good({"vm", "set", "a", "--no-nat"});
  CHECK(s.elements("nat") == 0);
  CHECK(s.address("a") == address);
  u.good({"daemon", "stop"});
  s.change_mode("user"); // for those that start from now on
  u.good({"vm", "set", "a", "--nat"});
  CHECK(s.elements("nat") == 1);
  u.good({"vm", "create", "--image", "tiny", "--name", "b"});
  CHECK_THAT(s.show_network("b"), Contains("user-mode"));
  CHECK(s.taps() == 1);
  u.good({"vm", "stop", "a"});
  CHECK(s.elements("guests") == 0);
  CHECK(s.elements("nat") == 0);
  CHECK(s.taps() == 0);
  u.good({"vm", "delete", "a", "b"});
  u.good({"daemon", "stop"});
  CHECK(s.left() == words{});
}

TEST_CASE("a daemon that starts without a helper changes nothing of VMs on the bridge, and says so",
          "[root][as-user][network][none]") {
  if (skipped_without_bridge())
    return;
  bridge_scene s(true, "auto");
  s.start_helper();
  auto& u = s.user();
  auto with_nat = create;
  with_nat.push_back("--nat");
  u.good(with_nat);
  u.good({"daemon", "stop"});
  s.kill_helper();
  std::filesystem::remove_all(s.helper_folder());
  const auto refused = u.banger({"vm", "set", "a", "--no-nat"});
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err,
             Contains("cannot reach the root helper") && Contains("start banger-privhelper"));
  CHECK_THAT(s.show_network("a"), Contains("the guest reaches outside"));
  CHECK(s.elements("nat") == 1);
  s.start_helper();
  u.good({"vm", "set", "a", "--no-nat"});
  CHECK(s.elements("nat") == 0);
  u.good({"vm", "stop", "a"});
  CHECK(s.elements("guests") == 0);
}
