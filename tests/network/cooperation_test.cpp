// Other programs' packet filters, as those programs write them.
#include "tests/network/scene.hpp"
#include "tests/support/catch.hpp"

#include "privhelper/net/nft.hpp"

#include <nlohmann/json.hpp>

using namespace banger;
using namespace banger::net;
using namespace banger::test;

namespace {

constexpr std::uint16_t port = 8080;

constexpr auto docker = R"(
table ip filter {
  chain DOCKER-USER {
    return
  }
  chain FORWARD {
    type filter hook forward priority filter; policy drop;
    counter jump DOCKER-USER
    oifname "docker0" ct state established,related accept
    iifname "docker0" accept
  }
}
)";

constexpr auto firewalld = R"(
table inet firewalld {
  chain filter_FORWARD {
    type filter hook forward priority filter + 10; policy accept;
    ct state established,related accept
    iifname "lo" accept
    reject with icmpx admin-prohibited
  }
}
)";

constexpr auto plain = R"(
table inet plain {
  chain onward {
    type filter hook forward priority filter; policy drop;
    iifname "wg0" accept
  }
  chain harmless {
    type filter hook forward priority filter; policy accept;
    ip daddr 192.0.2.1 drop
  }
}
)";

void run(const std::string& commands) { need(need(nft::open()).run(commands)); }

std::string docker_rules() {
  return need(need(nft::open()).list("list chain ip filter DOCKER-USER")).dump();
}

bool holds(const std::string& text, std::string_view what) {
  return text.find(what) != std::string::npos;
}

} // namespace

TEST_CASE("nobody else filters: nothing to say") {
  if (!may_make_namespaces())
    return;
  scene s;
  CHECK(need(s.wall.cooperate(bridge)).empty());
  s.apply({nth_guest(2, true)});
  CHECK(need(s.wall.cooperate(bridge)).empty());
}

TEST_CASE("Docker drops what it does not know, until it is asked not to") {
  if (!may_make_namespaces())
    return;
  scene s;
  const house g(s, nth_guest(2, true)), without(s, nth_guest(3));
  s.apply({g.who, without.who});
  const auto service = serve(s.outside, port);
  CHECK(pings(g.inside, network.host()));
  run(docker);
  const auto before = docker_rules();
  CHECK(dial(g.inside, outside_address, port).error == ETIMEDOUT);
  CHECK(need(s.wall.cooperate(bridge)).empty());
  CHECK(dial(g.inside, outside_address, port).error == 0);
  CHECK(dial(without.inside, outside_address, port).error == EHOSTUNREACH);
  CHECK(need(s.wall.cooperate(*bridge_name::parse("br-fc-b"))).empty());
  const auto once = docker_rules();
  CHECK(need(s.wall.cooperate(bridge)).empty());
  CHECK(docker_rules() == once);
  CHECK(holds(docker_rules(), "banger br-fc-b"));
  need(s.wall.remove(bridge));
  CHECK_FALSE(holds(docker_rules(), "banger br-fc\""));
  CHECK(holds(docker_rules(), "banger br-fc-b"));
  need(s.wall.remove(*bridge_name::parse("br-fc-b")));
  CHECK(docker_rules() == before);
}

TEST_CASE("our rules come to Docker's front again when others came before them") {
  if (!may_make_namespaces())
    return;
  scene s;
  run(docker);
  need(s.wall.cooperate(bridge));
  const auto once = docker_rules();
  need(s.wall.cooperate(bridge));
  CHECK(docker_rules() == once);
  run("insert rule ip filter DOCKER-USER ip saddr 10.88.0.0/24 drop");
  need(s.wall.cooperate(bridge));
  const auto again = docker_rules();
  CHECK(again.find("banger br-fc") < again.find("10.88.0.0"));
}

TEST_CASE("a guest comes to Docker's containers as any machine would") {
  if (!may_make_namespaces())
    return;
  scene s;
  const space container;
  cable({s.host, "docker0", "172.17.0.1/16"}, {container, "eth0", "172.17.0.2/16"});
  add_route(container, "0.0.0.0/0", "172.17.0.1");
  const house g(s, nth_guest(2, true));
  s.apply({g.who});
  const auto service = serve(container, port), outside = serve(s.outside, port);
  CHECK(pings(g.inside, network.host()));
  CHECK(dial(g.inside, *ipv4::parse("172.17.0.2"), port).error == 0);
  run(docker);
  need(s.wall.cooperate(bridge));
  CHECK(dial(g.inside, outside_address, port).error == 0);
  CHECK(dial(g.inside, *ipv4::parse("172.17.0.2"), port).error == ETIMEDOUT);
}

TEST_CASE("filters without a place for us are named, with what to do") {
  if (!may_make_namespaces())
    return;
  scene s;
  run(firewalld);
  run(plain);
  const auto told = need(s.wall.cooperate(bridge));
  REQUIRE(told.size() == 2);
  CHECK(holds(told[0] + told[1], "inet firewalld"));
  CHECK(holds(told[0] + told[1], "--add-interface=br-fc"));
  CHECK(holds(told[0] + told[1], "inet plain"));
  run(R"(insert rule inet plain onward iifname "br-fc" accept)");
  CHECK(need(s.wall.cooperate(bridge)).size() == 1);
}
