#include "privhelper/net/cooperation.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

using namespace banger;
using namespace banger::net;
using nlohmann::json;

namespace {

const auto bridge = *bridge_name::parse("br-fc");

json chain(std::string_view family, std::string_view table, std::string_view name,
           std::string_view hook, std::string_view policy) {
  return {
      {"chain",
       {{"family", family}, {"table", table}, {"name", name}, {"hook", hook}, {"policy", policy}}}};
}

json rule(std::string_view chain_name, json statements, std::string_view comment = "",
          int handle = 0) {
  return {{"rule",
           {{"chain", chain_name},
            {"expr", std::move(statements)},
            {"comment", comment},
            {"handle", handle}}}};
}

json listing(std::vector<json> things) { return {{"nftables", std::move(things)}}; }

const forward_chain dropping{"ip", "filter", "FORWARD", true}, open{"inet", "f", "fwd", false};

} // namespace

TEST_CASE("chains at the forward hook for IPv4 are looked at, and ours is not") {
  const auto found = forward_chains(listing({
      chain("ip", "filter", "FORWARD", "forward", "drop"),
      chain("inet", "f", "fwd", "forward", "accept"),
      chain("inet", "banger", "forward", "forward", "accept"),
      chain("ip6", "filter", "FORWARD", "forward", "drop"),
      chain("bridge", "b", "c", "forward", "drop"),
      chain("ip", "filter", "INPUT", "input", "drop"),
      chain("ip", "filter; flush ruleset", "FORWARD", "forward", "drop"),
      {{"chain", {{"family", "ip"}, {"table", "filter"}, {"name", "DOCKER-USER"}}}},
  }));
  CHECK(found == std::vector{dropping, open});
  CHECK(forward_chains(json()).empty());
  CHECK(forward_chains(json::array({1})).empty());
}

TEST_CASE("a policy that drops, or a last rule that refuses, is in the way") {
  CHECK(arrange(dropping, listing({}), bridge).obstacle);
  CHECK_FALSE(arrange(open, listing({}), bridge).obstacle);
  CHECK(arrange(open, listing({rule("fwd", {{{"reject", nullptr}}})}), bridge).obstacle);
  CHECK(arrange(open,
                listing({rule("fwd", {{{"counter", {{"packets", 1}}}}, {{"drop", nullptr}}})}),
                bridge)
            .obstacle);
  CHECK(arrange(open, listing({rule("fwd", {{{"xt", {{"type", "target"}, {"name", "REJECT"}}}}})}),
                bridge)
            .obstacle);
  CHECK_FALSE(
      arrange(open, listing({rule("fwd", {{{"match", "something"}}, {{"drop", nullptr}}})}), bridge)
          .obstacle);
  CHECK_FALSE(
      arrange(open,
              listing({rule("fwd", {{{"drop", nullptr}}}), rule("fwd", {{{"accept", nullptr}}})}),
              bridge)
          .obstacle);
  CHECK_FALSE(arrange(open, listing({rule("other", {{{"drop", nullptr}}})}), bridge).obstacle);
}

TEST_CASE("a table with rules about our bridge has been taken care of") {
  const auto about = [](const char* name) {
    return listing({rule("zone", {{{"match", {{"right", name}}}}, {{"accept", nullptr}}})});
  };
  CHECK_FALSE(arrange(dropping, about("br-fc"), bridge).obstacle);
  CHECK(arrange(dropping, about("br-fc-b"), bridge).obstacle);
}

TEST_CASE("an obstacle says which table, and what to do") {
  const auto said =
      *arrange({"inet", "firewalld", "filter_FORWARD", true}, listing({}), bridge).obstacle;
  CHECK(said.find("inet firewalld") != said.npos);
  CHECK(said.find("--add-interface=br-fc") != said.npos);
}

TEST_CASE("Docker's chain gets our rules once, at its front, and gives back only ours") {
  const json docker{{"chain", {{"name", "DOCKER-USER"}}}};
  const auto fresh = arrange(dropping, listing({docker}), bridge);
  CHECK_FALSE(fresh.obstacle);
  CHECK(fresh.commands.find("insert rule ip filter DOCKER-USER oifname \"br-fc\" accept") == 0);
  CHECK(fresh.commands.find("delete") == std::string::npos);

  const auto ours = [](int handle) { return rule("DOCKER-USER", {}, "banger br-fc", handle); };
  const auto theirs = rule("DOCKER-USER", {}, "somebody", 9);
  CHECK(arrange(dropping, listing({docker, ours(1), ours(2), ours(3), ours(4), theirs}), bridge)
            .commands.empty());
  const auto behind = listing({docker, theirs, ours(1), ours(2), ours(3), ours(4)});
  CHECK(arrange(dropping, behind, bridge).commands.find("handle 4\ninsert") != std::string::npos);
  CHECK(withdrawal(dropping, listing({docker, ours(1), theirs, ours(7)}), bridge) ==
        "delete rule ip filter DOCKER-USER handle 1\ndelete rule ip filter DOCKER-USER handle 7\n");
  CHECK(withdrawal(dropping, listing({docker, theirs}), bridge).empty());
}
