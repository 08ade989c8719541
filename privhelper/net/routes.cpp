#include "privhelper/net/routes.hpp"

#include <algorithm>
#include <linux/rtnetlink.h>
#include <tuple>

namespace banger::net {

namespace {

constexpr unsigned longest_default = 7;

bool overlap(const ipv4_net& net, const host_route& route) {
  const auto shorter = std::min(net.prefix(), route.prefix);
  const auto mask = shorter == 0 ? 0 : ~std::uint32_t{0} << (32 - shorter);
  return ((net.first().bits ^ route.network.bits) & mask) == 0;
}

} // namespace

std::string host_route::str() const {
  return network.str() + "/" + std::to_string(prefix) + " (" +
         (device.empty() ? "unreachable" : device) + ")";
}

std::optional<host_route> collision(const ipv4_net& net, const std::vector<host_route>& routes,
                                    const bridge_name& own) {
  for (const auto& route : routes)
    if (route.prefix > longest_default && route.device != own.str() && overlap(net, route))
      return route;
  return std::nullopt;
}

std::vector<std::string> uplinks(const std::vector<host_route>& routes) {
  std::vector<host_route> defaults;
  for (const auto& route : routes)
    if (route.prefix == 0 && !route.device.empty())
      defaults.push_back(route);
  std::stable_sort(defaults.begin(), defaults.end(), [](const auto& a, const auto& b) {
    return std::tuple(a.table != RT_TABLE_MAIN, a.metric) <
           std::tuple(b.table != RT_TABLE_MAIN, b.metric);
  });
  std::vector<std::string> devices;
  for (const auto& route : defaults)
    if (std::find(devices.begin(), devices.end(), route.device) == devices.end())
      devices.push_back(route.device);
  return devices;
}

} // namespace banger::net
