#include "privhelper/net/links.hpp"
#include "privhelper/net/reading.hpp"

#include <algorithm>

namespace banger::net {

expected<std::vector<std::string>> links::addresses(int index) {
  const auto all = read_addresses(socket_.socket());
  if (!all)
    return tl::unexpected(all.error());
  std::vector<std::string> of_this;
  for (const auto& row : *all)
    if (row.index == index)
      of_this.push_back(row.address);
  return of_this;
}

expected<std::vector<std::string>> links::ports_of(int bridge) {
  const auto all = read_links(socket_.socket());
  if (!all)
    return tl::unexpected(all.error());
  std::vector<std::string> ports;
  for (const auto& row : *all)
    if (row.master == bridge)
      ports.push_back(row.name);
  return ports;
}

expected<std::vector<link_info>> links::inventory() {
  const auto all = read_links(socket_.socket());
  if (!all)
    return tl::unexpected(all.error());
  const auto addresses = read_addresses(socket_.socket());
  if (!addresses)
    return tl::unexpected(addresses.error());
  std::vector<link_info> ours;
  for (const auto& row : *all) {
    if (!row.name.starts_with(tap_prefix) && !row.name.starts_with(bridge_prefix))
      continue;
    link_info info{row.name, row.index, row.kind, "", row.up, {}};
    for (const auto& other : *all)
      if (row.master != 0 && other.index == row.master)
        info.master = other.name;
    for (const auto& address : *addresses)
      if (address.index == row.index)
        info.addresses.push_back(address.address);
    ours.push_back(std::move(info));
  }
  std::sort(ours.begin(), ours.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  return ours;
}

expected<std::vector<host_route>> links::routes() {
  const auto all = read_links(socket_.socket());
  if (!all)
    return tl::unexpected(all.error());
  return read_routes(socket_.socket(), *all);
}

} // namespace banger::net
