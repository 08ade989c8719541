// VMs on a bridge that the root helper made, for a user without rights; on a host of their own.
#include "tests/e2e/bridge_scene.hpp"
#include "tests/support/catch.hpp"

#include <csignal>

using namespace banger::test;
using Catch::Contains;

TEST_CASE("a guest with NAT reaches a server beyond the host, and no guest without",
          "[root][as-user][network][vm]") {
  if (skipped_without_bridge())
    return;
  bridge_scene s;
  s.start_helper();
  auto& u = s.user();
  const words fetch{"wget", "-qO-", "http://" + std::string(s.server) + "/"};
  const auto in = [&](const std::string& vm) {
    words all{"vm", "exec", vm, "--"};
    all.insert(all.end(), fetch.begin(), fetch.end());
    return u.banger(all);
  };
  words once{"vm", "run", "--rm", "--nat", "--image", "tiny", "--"};
  once.insert(once.end(), fetch.begin(), fetch.end());
  CHECK(u.good(once) == s.page);
  CHECK(s.elements("nat") == 0);
  u.good({"vm", "create", "--image", "tiny", "--name", "a"});
  CHECK(in("a").status != 0);
  CHECK(s.pings(s.address("a")));
  CHECK_THAT(s.show_network("a"), Contains("bridge br-fc") && Contains("reaches nothing outside"));
  // Live, there and back.
  u.good({"vm", "set", "a", "--nat"});
  CHECK(in("a").out == s.page);
  CHECK(s.elements("nat") == 1);
  u.good({"vm", "set", "a", "--no-nat"});
  CHECK(in("a").status != 0);
  CHECK(s.elements("nat") == 0);
  u.good({"vm", "set", "a", "--nat"});
  u.good({"vm", "restart", "a"});
  CHECK(s.elements("nat") == 1);
  CHECK(in("a").out == s.page);
  u.good({"vm", "delete", "a"});
  CHECK(s.elements("nat") == 0);
  CHECK(s.elements("guests") == 0);
  CHECK(s.taps() == 0);
}

TEST_CASE("two guests reach the host each, and not one another, under no address",
          "[root][as-user][network][two-vms]") {
  if (skipped_without_bridge())
    return;
  bridge_scene s;
  s.start_helper();
  auto& u = s.user();
  u.good({"vm", "create", "--image", "tiny", "--name", "a"});
  u.good({"vm", "create", "--image", "tiny", "--name", "b"});
  const auto a = s.address("a"), b = s.address("b");
  CHECK(a != b);
  CHECK(s.pings(a));
  CHECK(s.pings(b));
  const auto guest_pings = [&](const std::string& to) {
    return u.banger({"vm", "exec", "a", "--", "ping", "-c", "2", "-W", "3", to}).status == 0;
  };
  CHECK_FALSE(guest_pings(b));
  CHECK(guest_pings("10.213.0.1"));
  CHECK_FALSE(guest_pings(s.uplink)); // the host's other addresses are not for guests
  // As somebody else it reaches nobody, and its own address works again afterwards.
  u.good({"vm", "exec", "a", "--", "ip", "addr", "add", "10.213.0.77/20", "dev", "eth0"});
  CHECK(u.banger({"vm", "exec", "a", "--", "ping", "-c", "2", "-W", "3", "-I", "10.213.0.77",
                  "10.213.0.1"})
            .status != 0);
  CHECK(guest_pings("10.213.0.1"));
  // ssh as to any machine.
  u.good({"vm", "exec", "a", "--", "dropbear", "-R"});
  const auto keys = s.host({"ssh-keyscan", "-T", "10", a});
  CHECK_THAT(keys.out, Contains(a + " ssh-"));
  u.good({"vm", "delete", "a", "b"});
}

TEST_CASE("neither a new daemon nor a new helper costs a packet", "[root][as-user][network][vm]") {
  if (skipped_without_bridge())
    return;
  bridge_scene s;
  s.start_helper();
  auto& u = s.user();
  u.good({"vm", "create", "--image", "tiny", "--name", "a", "--nat"});
  const auto before = s.address("a");
  REQUIRE(s.pings(before));
  program ping;
  ping.argv = {"ping", "-i", "0.1", "-W", "10", before};
  ping.env = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}, {"LANG", "C"}};
  child pinging(ping);
  u.kill_daemon();
  CHECK(u.good({"vm", "exec", "a", "--", "echo", "here"}) == "here\n");
  s.kill_helper();
  s.start_helper();
  u.good({"vm", "create", "--image", "tiny", "--name", "b", "--no-start", "--nat"});
  CHECK(s.elements("guests") == 1); // one that does not run has no place there
  CHECK(s.elements("nat") == 1);
  CHECK(s.taps() == 1);
  CHECK_THAT(s.show_network("b"), Contains("once it has started"));
  u.good({"vm", "set", "a", "--no-nat"}); // said to the new helper
  u.good({"daemon", "stop"});
  CHECK(u.good({"vm", "exec", "a", "--", "echo", "here"}) == "here\n");
  CHECK(s.address("a") == before);
  // Ended right after an answer: one that is under way then would count as lost.
  pinging.run_for(milliseconds(150)); // what lay in the pipe
  const auto so_far = pinging.out().size();
  REQUIRE(pinging.until([&] { return pinging.out().size() > so_far; }, short_time));
  pinging.signal(SIGINT);
  pinging.wait(short_time);
  CHECK_THAT(pinging.out(), Contains(" 0% packet loss"));
  CHECK(s.elements("guests") == 1);
  u.good({"vm", "delete", "a", "b"});
  CHECK(s.elements("guests") == 0);
}

TEST_CASE("a VM that goes off by itself leaves nothing on the bridge",
          "[root][as-user][network][vm]") {
  if (skipped_without_bridge())
    return;
  bridge_scene s;
  s.start_helper();
  auto& u = s.user();
  u.good({"vm", "create", "--image", "tiny", "--name", "a", "--nat"});
  u.banger({"vm", "exec", "a", "--", "poweroff", "-f"});
  REQUIRE(u.eventually([&] { return u.show("a").at("state") == "stopped"; }));
  CHECK(u.eventually([&] { return s.elements("nat") == 0 && s.elements("guests") == 0; }));
  CHECK(s.taps() == 0);
  u.good({"vm", "delete", "a"});
}

TEST_CASE("the last VM and the daemon gone, nothing of the bridge is left, nor in Docker's chain",
          "[root][as-user][network][none]") {
  if (skipped_without_bridge())
    return;
  bridge_scene s(true);
  s.start_helper();
  auto& u = s.user();
  for (const std::string made :
       {"add table ip filter",
        "add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }",
        "add chain ip filter DOCKER-USER"})
    REQUIRE(s.host({"nft", made}).status == 0);
  const auto docker = [&] {
    return s.host({"nft", "list", "chain", "ip", "filter", "DOCKER-USER"}).out;
  };
  const words create{"vm", "create", "--image", "tiny", "--name", "a", "--nat"};
  u.good(create);
  CHECK_THAT(docker(), Contains("banger br-fc"));
  u.good({"daemon", "stop"}); // one that has VMs on it stays
  CHECK(s.taps() == 1);
  CHECK(s.elements("nat") == 1);
  CHECK_THAT(docker(), Contains("banger br-fc"));
  u.good({"vm", "stop", "a"});
  u.good({"daemon", "stop"});
  CHECK(s.left() == words{});
  CHECK_THAT(docker(), Contains("DOCKER-USER"));
  u.good({"vm", "start", "a"});
  CHECK(s.elements("nat") == 1);
  CHECK_THAT(docker(), Contains("banger br-fc"));
  u.good({"vm", "delete", "a"});
  // One that has nothing to do any more goes by itself, in order, too.
  u.env["BANGER_IDLE_EXIT"] = "1";
  u.good({"daemon", "stop"});
  u.good(create);
  u.good({"vm", "delete", "a"});
  CHECK(u.eventually([&] { return s.left().empty(); }));
}
