#include "privhelper/net/ruleset.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>
#include <type_traits>

using namespace banger;
using namespace banger::net;

namespace {

const auto bridge = *bridge_name::parse("br-fc");
const auto network = *ipv4_net::parse("10.88.0.0/24");

guest nth_guest(unsigned n, bool nat = false) {
  const ipv4 address{network.first().bits + n};
  return {*tap_name::parse("tap-fc-g" + std::to_string(n)), mac_address::of(address), address, nat};
}

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != text.npos; at = text.find(what, at + 1))
    ++n;
  return n;
}

errc code_of(const expected<void>& result) { return result ? errc::none : result.error().code; }

} // namespace

TEST_CASE("every guest is an element once in each set, and never in a rule") {
  const auto text =
      ruleset({{bridge, network, {nth_guest(2, true), nth_guest(3)}}}, layers::bridge_and_inet);
  CHECK(count(text, R"("br-fc" . 52:54:0a:58:00:02 . 10.88.0.2 comment "tap-fc-g2")") == 1);
  CHECK(count(text, R"("tap-fc-g2" . 52:54:0a:58:00:02 . 10.88.0.2)") == 1);
  CHECK(count(text, R"("br-fc" . 10.88.0.2)") == 1);
  CHECK(count(text, "10.88.0.2") == 3);
  CHECK(count(text, "10.88.0.3") == 2);
  CHECK(count(text, R"("br-fc" . 10.88.0.1 comment "10.88.0.0/24")") == 1);
  CHECK(count(text, "masquerade") == 1);
}

TEST_CASE("rules are the same, whoever is there") {
  const auto rules = [](const std::string& text) {
    return text.substr(text.find("chain prerouting"),
                       text.find("table bridge banger {") - text.find("chain prerouting"));
  };
  std::vector<guest> many;
  for (unsigned n = 2; n < 200; ++n)
    many.push_back(nth_guest(n, n % 2 == 0));
  const auto all = layers::bridge_and_inet;
  CHECK(rules(ruleset({{bridge, network, many}}, all)) ==
        rules(ruleset({{bridge, network, {}}}, all)));
}

TEST_CASE("tables are replaced in one transaction, and nobody's but ours") {
  const auto text = ruleset({{bridge, network, {}}}, layers::bridge_and_inet);
  CHECK(text.starts_with("add table inet banger\ndelete table inet banger\n"));
  CHECK(count(text, "flush") == 0);
  CHECK(count(text, "table inet banger") == count(text, "table inet "));
  CHECK(count(text, "table bridge banger") == count(text, "table bridge "));
  const auto gone = ruleset({}, layers::bridge_and_inet);
  CHECK(gone == "add table inet banger\ndelete table inet banger\n"
                "add table bridge banger\ndelete table bridge banger\n");
}

TEST_CASE("a kernel without the bridge family is not told of it") {
  CHECK(count(ruleset({{bridge, network, {nth_guest(2)}}}, layers::inet), "table bridge") == 0);
  CHECK(count(admission(bridge, nth_guest(2), layers::inet), "bridge banger") == 0);
  CHECK(count(expulsion(bridge, nth_guest(2), layers::inet), "bridge banger") == 0);
  CHECK(count(proof(bridge, layers::inet), "bridge banger") == 0);
}

TEST_CASE("a guest comes and goes by its own elements") {
  const auto all = layers::bridge_and_inet;
  const auto comes = admission(bridge, nth_guest(2, true), all);
  CHECK(count(comes, "add element inet banger guests") == 1);
  CHECK(count(comes, "add element inet banger nat") == 1);
  CHECK(count(comes, "add element bridge banger guests") == 1);
  // Of what only tells whether the bridge is there.
  CHECK(count(comes, "delete") == 2);
  CHECK(comes.starts_with(proof(bridge, all)));
  CHECK(count(admission(bridge, nth_guest(2, false), all), "delete element inet banger nat") == 1);
  const auto goes = expulsion(bridge, nth_guest(2), all);
  for (const auto* set : {"inet banger guests", "inet banger nat", "bridge banger guests"}) {
    const auto add = goes.find("add element " + std::string(set));
    const auto remove = goes.find("delete element " + std::string(set));
    CHECK(add < remove);
    CHECK(remove != goes.npos);
  }
}

TEST_CASE("a policy is checked before anything is asked of the kernel") {
  const policy good{bridge, network, {nth_guest(2), nth_guest(3)}};
  CHECK(code_of(check({good})) == errc::none);
  CHECK(code_of(check({good, good})) == errc::bad_request);
  auto bad = good;
  bad.guests[1].tap = bad.guests[0].tap;
  CHECK(code_of(check({bad})) == errc::bad_request);
  bad = good;
  bad.guests[1].mac = bad.guests[0].mac;
  CHECK(code_of(check({bad})) == errc::bad_request);
  bad = good;
  bad.guests[1].address = bad.guests[0].address;
  CHECK(code_of(check({bad})) == errc::bad_request);
  for (const auto* address : {"10.88.0.0", "10.88.0.1", "10.88.0.255", "10.89.0.2"}) {
    bad = good;
    bad.guests[1].address = *ipv4::parse(address);
    CHECK(code_of(check({bad})) == errc::bad_request);
  }
  const auto other = *bridge_name::parse("br-fc-b");
  CHECK(code_of(check({good, {other, *ipv4_net::parse("10.88.0.0/16"), {}}})) == errc::bad_request);
  CHECK(code_of(check({good, {other, *ipv4_net::parse("10.89.0.0/16"), {}}})) == errc::none);
}

TEST_CASE("a name that is not inside its grammar cannot come into the text") {
  STATIC_REQUIRE_FALSE(std::is_constructible_v<tap_name, std::string>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<bridge_name, std::string>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<ipv4_net, ipv4, unsigned>);
  for (const auto* hostile :
       {"tap-fc-a\" }", "tap-fc-a;", "tap-fc-a\n", "tap-fc-a }; flush ruleset", "tap-fc-\\"})
    CHECK_FALSE(tap_name::parse(hostile));
}

TEST_CASE("policies are read back from nftables' JSON, and strangers' elements left out") {
  const auto json = nlohmann::json::parse(R"({"nftables": [
    {"metainfo": {"version": "1.0.6"}}, {"table": {"family": "inet", "name": "banger", "handle": 1}},
    {"set": {"name": "bridges", "elem": ["br-fc"]}},
    {"set": {"name": "gateways", "elem": [
      {"elem": {"val": {"concat": ["br-fc", "10.88.0.1"]}, "comment": "10.88.0.0/24"}},
      {"elem": {"val": {"concat": ["eth0", "10.99.0.1"]}, "comment": "10.99.0.0/24"}},
      {"concat": ["br-fc-b", "10.77.0.1"]}]}},
    {"set": {"name": "guests", "elem": [
      {"elem": {"val": {"concat": ["br-fc", "52:54:0a:58:00:03", "10.88.0.3"]}, "comment": "tap-fc-g3"}},
      {"elem": {"val": {"concat": ["br-fc", "52:54:0a:58:00:02", "10.88.0.2"]}, "comment": "tap-fc-g2"}},
      {"elem": {"val": {"concat": ["br-fc", "52:54:0a:58:00:04", "10.88.0.4"]}, "comment": "eth0"}},
      {"concat": ["br-fc", "52:54:0a:58:00:05", "10.88.0.5"]}, "odd", 7, {"elem": {}}]}},
    {"set": {"name": "nat", "elem": [{"concat": ["br-fc", "10.88.0.2"]}]}},
    {"chain": {"name": "input"}}]})");
  const auto found = contents_of(json, {});
  CHECK(found.policies == std::vector{policy{bridge, network, {nth_guest(2, true), nth_guest(3)}}});
  CHECK_FALSE(found.tidy);
  CHECK(contents_of({}, {}).policies.empty());
  CHECK(contents_of({}, {}).tidy);
  const auto bare = nlohmann::json::parse(R"({"nftables": [{"set": {"name": "nat"}}]})");
  CHECK(contents_of(bare, bare).policies.empty());
}

TEST_CASE("guests that no policy has are seen, whichever table they are in") {
  const auto inet = nlohmann::json::parse(R"({"nftables": [
    {"set": {"name": "bridges", "elem": ["br-fc"]}},
    {"set": {"name": "gateways", "elem": [
      {"elem": {"val": {"concat": ["br-fc", "10.88.0.1"]}, "comment": "10.88.0.0/24"}}]}},
    {"set": {"name": "guests", "elem": [
      {"elem": {"val": {"concat": ["br-fc", "52:54:0a:58:00:02", "10.88.0.2"]}, "comment": "tap-fc-g2"}},
      {"elem": {"val": {"concat": ["br-fc-b", "52:54:0a:58:00:03", "10.88.0.3"]}, "comment": "tap-fc-g3"}}]}}]})");
  const auto frames = nlohmann::json::parse(R"({"nftables": [{"set": {"name": "guests", "elem": [
    {"concat": ["tap-fc-g2", "52:54:0a:58:00:02", "10.88.0.2"]},
    {"concat": ["tap-fc-g3", "52:54:0a:58:00:03", "10.88.0.3"]},
    {"concat": ["tap-fc-g4", "52:54:0a:58:00:04", "10.88.0.4"]}]}}]})");
  const auto found = contents_of(inet, frames);
  CHECK(found.policies == std::vector{policy{bridge, network, {nth_guest(2)}}});
  CHECK(found.strays == std::vector{nth_guest(3), nth_guest(4)});
  CHECK_FALSE(found.tidy);
}

TEST_CASE("the sets have room for so many bridges and guests, and a policy is held to that") {
  const auto text = ruleset({{bridge, network, {}}}, layers::bridge_and_inet);
  CHECK(count(text, "size 4096\n") == 2);
  CHECK(count(text, "size 4097\n") == 1); // NAT is taken from who has none, too
  CHECK(count(text, "size 16\n") == 4);
  std::vector<policy> many;
  for (int i = 0; i < 17; ++i)
    many.push_back({*bridge_name::parse("br-fc-" + std::to_string(i)),
                    *ipv4_net::parse("10." + std::to_string(i) + ".0.0/16"),
                    {}});
  CHECK(code_of(check(many)) == errc::busy);
  many.pop_back();
  CHECK(code_of(check(many)) == errc::none);
  for (std::uint32_t n = 2; n < 2 + 4097; ++n) {
    const ipv4 address{many[0].net.first().bits + n};
    many[0].guests.push_back({*tap_name::parse("tap-fc-" + std::to_string(n)),
                              mac_address::of(address), address, false});
  }
  CHECK(code_of(check(many)) == errc::busy);
}
