// The network role's steps beside the same by `ip` and `nft`, in a network namespace of its own.
#include "privhelper/net/firewall.hpp"
#include "privhelper/net/links.hpp"
#include "tests/bench/table.hpp"
#include "tests/bench/timing.hpp"
#include "tests/network/space.hpp"
#include "tests/support/catch.hpp"

namespace {

using namespace banger;
using namespace banger::bench;
using net::guest;
using net::layers;
using net::tap;

constexpr int rounds = 15, many_taps = 60;

const auto bridge = *bridge_name::parse("br-fc");
const auto network = *ipv4_net::parse("10.88.0.0/16");

guest nth_guest(std::size_t n) {
  const ipv4 address{network.host().bits + 1 + static_cast<std::uint32_t>(n)};
  return {*tap_name::parse("tap-fc-" + std::to_string(n)), mac_address::of(address), address, true};
}

std::vector<guest> guests_up_to(std::size_t n) {
  std::vector<guest> all;
  for (std::size_t i = 0; i < n; ++i)
    all.push_back(nth_guest(i));
  return all;
}

std::vector<tap_name> taps_of(const std::vector<guest>& guests) {
  std::vector<tap_name> names;
  for (const auto& g : guests)
    names.push_back(g.tap);
  return names;
}

double shell(const std::vector<std::string>& argv) {
  return time_of({argv, {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}}});
}

template <class F>
double ms(F&& act) {
  const auto begun = test::clock::now();
  act();
  return std::chrono::duration<double, std::milli>(test::clock::now() - begun).count();
}

/// What the helper has for its whole life.
struct helper {
  net::links links = test::need(net::links::open());
  net::firewall wall = test::need(net::firewall::open());

  std::vector<tap> open(const guest& g) { return test::need(links.open_taps(bridge, {g.tap})); }
  void close() {
    test::need(wall.remove(bridge));
    test::need(links.remove_bridge(bridge));
  }
};

double shell_tap(const std::string& name) {
  return shell({"ip", "tuntap", "add", "mode", "tap", "name", name}) +
         shell({"ip", "link", "set", name, "master", bridge.str(), "up"});
}

double shell_bridge() {
  return shell({"ip", "link", "add", bridge.str(), "type", "bridge"}) +
         shell({"ip", "address", "add", "10.88.0.1/16", "dev", bridge.str()}) +
         shell({"ip", "link", "set", bridge.str(), "up"});
}

double shell_rules(const std::vector<guest>& guests) {
  return shell({"nft", net::ruleset({{bridge, network, guests}}, layers::bridge_and_inet)});
}

void bench_cold(helper& h) {
  pairs cold;
  const auto g = nth_guest(0);
  for (int i = 0; i < rounds; ++i) {
    cold.floor.push_back(shell_bridge() + shell_rules({g}) + shell_tap(g.tap.str()));
    test::need(h.links.remove_taps({g.tap}));
    h.close();
    std::vector<tap> held;
    cold.ours.push_back(ms([&] {
      test::need(h.links.ensure_bridge(bridge, network));
      test::need(h.wall.apply({bridge, network, {g}}));
      held = h.open(g);
    }));
    held.clear();
    h.close();
  }
  print_row("bridge, rules, tap of a first VM [ms]", spread(cold.floor), tail(cold.ours),
            text("%+.1f", cold.over()), "<= 5");
}

void bench_warm(helper& h) {
  pairs warm;
  const auto g = nth_guest(0);
  test::need(h.links.ensure_bridge(bridge, network));
  test::need(h.wall.apply({bridge, network, {}}));
  for (int i = 0; i < rounds; ++i) {
    warm.floor.push_back(shell({"nft", net::admission(bridge, g, layers::bridge_and_inet)}) +
                         shell_tap(g.tap.str()));
    test::need(h.links.remove_taps({g.tap}));
    test::need(h.wall.remove_guest(bridge, g));
    std::vector<tap> held;
    warm.ours.push_back(ms([&] {
      test::need(h.links.ensure_bridge(bridge, network));
      test::need(h.wall.add_guest(bridge, network, g));
      held = h.open(g);
    }));
    test::need(h.wall.remove_guest(bridge, g));
  }
  print_row("the same on a bridge that is there [ms]", spread(warm.floor), tail(warm.ours),
            text("%+.1f", warm.over()), "<= 2");
}

void bench_taps(helper& h) {
  pairs removed, opened;
  const auto names = taps_of(guests_up_to(many_taps));
  for (int i = 0; i < 5; ++i) {
    double making = 0, removing = 0;
    for (const auto& name : names)
      making += shell_tap(name.str());
    for (const auto& name : names)
      removing += shell({"ip", "link", "delete", name.str()});
    opened.floor.push_back(making / many_taps);
    removed.floor.push_back(removing / many_taps);
    std::vector<tap> held;
    opened.ours.push_back(ms([&] { held = test::need(h.links.open_taps(bridge, names)); }) /
                          many_taps);
    removed.ours.push_back(ms([&] { test::need(h.links.remove_taps(names)); }) / many_taps);
  }
  print_row("60 taps opened, each [ms]", spread(opened.floor), tail(opened.ours),
            text("%+.1f", opened.over()), "");
  print_row("60 taps removed, each [ms]", spread(removed.floor), tail(removed.ours),
            text("%+.1f", removed.over()), "<= 2");
}

double shell_teardown(const std::vector<guest>& guests) {
  double whole = 0;
  for (const auto& g : guests)
    whole += shell({"ip", "link", "delete", g.tap.str()}) +
             shell({"nft", net::expulsion(bridge, g, layers::bridge_and_inet)});
  return whole;
}

// Taps, then rules: guest by guest as when each VM ends by itself, or all by one policy.
void bench_teardown(helper& h) {
  figures floor, each, at_once;
  const auto guests = guests_up_to(many_taps);
  const auto settle = [&] { test::need(h.wall.apply({bridge, network, guests})); };
  for (int i = 0; i < 5; ++i) {
    settle();
    auto held = test::need(h.links.open_taps(bridge, taps_of(guests)));
    each.push_back(ms([&] {
      test::need(h.links.remove_taps(taps_of(guests)));
      for (const auto& g : guests)
        test::need(h.wall.remove_guest(bridge, g));
    }));
    settle();
    held = test::need(h.links.open_taps(bridge, taps_of(guests)));
    at_once.push_back(ms([&] {
      test::need(h.links.remove_taps(taps_of(guests)));
      test::need(h.wall.apply({bridge, network, {}}));
    }));
  }
  settle();
  for (const auto& g : guests)
    shell_tap(g.tap.str());
  floor.push_back(shell_teardown(guests));
  print_row("60 VMs torn down, taps and rules [ms]", spread(floor), spread(each), "", "");
  print_row("the same, rules by one policy [ms]", spread(floor), spread(at_once), "", "");
}

void bench_guests(helper& h, std::size_t there) {
  pairs add, remove;
  const auto guests = guests_up_to(there);
  const auto one = nth_guest(there);
  const auto rules_ms = ms([&] { test::need(h.wall.apply({bridge, network, guests})); });
  const auto list_ms = ms([&] { test::need(h.wall.inventory()); });
  for (int i = 0; i < 4 * rounds; ++i) {
    add.floor.push_back(shell({"nft", net::admission(bridge, one, layers::bridge_and_inet)}));
    remove.floor.push_back(shell({"nft", net::expulsion(bridge, one, layers::bridge_and_inet)}));
    // The helper starts no processes: what a fork costs the one that forked is not its own.
    test::need(h.wall.add_guest(bridge, network, one));
    test::need(h.wall.remove_guest(bridge, one));
    add.ours.push_back(ms([&] { test::need(h.wall.add_guest(bridge, network, one)); }));
    remove.ours.push_back(ms([&] { test::need(h.wall.remove_guest(bridge, one)); }));
  }
  const auto beside = ", " + std::to_string(there) + " guests beside it [ms]";
  print_row("one guest's rules added" + beside, spread(add.floor), tail(add.ours),
            text("%+.1f", add.over()), "<= 0.5, flat");
  print_row("one guest's rules removed" + beside, spread(remove.floor), tail(remove.ours),
            text("%+.1f", remove.over()), "<= 0.5, flat");
  print_row("all rules anew, all listed" + beside, text("%.1f", shell_rules(guests)),
            text("%.1f", rules_ms) + text(", %.1f", list_ms), "", "");
}

} // namespace

TEST_CASE("bench of the network") {
  if (!test::may_make_namespaces())
    return;
  const test::space own;
  const test::space::visit here(own);
  helper h;
  std::printf("\nfloor: the same by ip and nft\n");
  print_head();
  bench_cold(h);
  bench_warm(h);
  bench_taps(h);
  bench_teardown(h);
  for (const auto there : {std::size_t{10}, std::size_t{500}})
    bench_guests(h, there);
  h.close();
}
