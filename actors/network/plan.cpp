#include "actors/network/plan.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace banger::network {

namespace {

// None of them is the default of a container engine, a hypervisor or a home router.
constexpr unsigned first_block = 213, blocks = 16; // 10.213.0.0/20 to 10.228.0.0/20
constexpr std::array<std::string_view, 2> others{"172.29.176.0/20", "192.168.208.0/20"};

std::vector<ipv4_net> candidates() {
  std::vector<ipv4_net> all;
  for (unsigned i = 0; i < blocks; ++i)
    all.push_back(*ipv4_net::parse("10." + std::to_string(first_block + i) + ".0.0/20"));
  for (const auto text : others)
    all.push_back(*ipv4_net::parse(text));
  return all;
}

} // namespace

expected<ipv4_net> choose_network(const std::optional<ipv4_net>& wished,
                                  const std::vector<net::host_route>& routes,
                                  const bridge_name& own, const std::vector<ipv4>& taken) {
  if (wished) {
    if (const auto other = net::collision(*wished, routes, own))
      return fail(errc::bad_request, "VMs cannot have the network " + wished->str(),
                  "the host has the route " + other->str(),
                  "choose another one as network.subnet in config.toml, or leave it out");
    return *wished;
  }
  auto all = candidates();
  const auto held = [&](const ipv4_net& n) {
    return std::count_if(taken.begin(), taken.end(), [&](ipv4 a) { return n.contains(a); });
  };
  std::stable_sort(all.begin(), all.end(),
                   [&](const auto& a, const auto& b) { return held(a) > held(b); });
  for (const auto& n : all)
    if (!net::collision(n, routes, own))
      return n;
  return fail(errc::unavailable, "there is no free network for VMs",
              "the host has routes into all of the " + std::to_string(all.size()) +
                  " that were looked at",
              "name one as network.subnet in config.toml");
}

std::optional<ipv4_net> network_of(std::string_view address) {
  const auto slash = std::min(address.find('/'), address.size());
  const auto guest = ipv4::parse(address.substr(0, slash));
  const auto prefix = address.substr(std::min(slash + 1, address.size()));
  unsigned bits = 0;
  const auto read = std::from_chars(prefix.data(), prefix.data() + prefix.size(), bits);
  if (!guest || read.ec != std::errc{} || bits == 0 || bits > 32)
    return std::nullopt;
  const ipv4 first{guest->bits & ~std::uint32_t{0} << (32 - bits)};
  const auto net = ipv4_net::parse(first.str() + "/" + std::string(prefix));
  return net && net->is_guest(*guest) ? std::optional(*net) : std::nullopt;
}

tap_name tap_of(ipv4 address) {
  std::array<char, 9> hex{};
  std::snprintf(hex.data(), hex.size(), "%08x", address.bits);
  return *tap_name::parse(std::string(tap_prefix) + hex.data());
}

expected<ipv4> address_book::take(const std::string& vm, std::optional<ipv4> wished) {
  if (const auto has = of_.find(vm); has != of_.end())
    return has->second;
  auto chosen = wished && free(*wished) ? *wished : ipv4{net_.host().bits + 1};
  while (!free(chosen) && chosen < net_.last())
    ++chosen.bits;
  if (!free(chosen))
    return fail(errc::busy, "there is no free address for the VM",
                "all " + std::to_string(of_.size()) + " of " + net_.str() + " are taken",
                "delete VMs, or choose a larger network.subnet in config.toml");
  of_.emplace(vm, chosen);
  taken_.insert(chosen);
  return chosen;
}

bool address_book::hold(const std::string& vm, ipv4 address) {
  if (of_.count(vm) > 0 || !free(address))
    return false;
  of_.emplace(vm, address);
  taken_.insert(address);
  return true;
}

void address_book::drop(const std::string& vm) {
  const auto has = of_.find(vm);
  if (has == of_.end())
    return;
  taken_.erase(has->second);
  of_.erase(has);
}

} // namespace banger::network
