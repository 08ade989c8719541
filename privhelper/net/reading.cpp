#include "privhelper/net/reading.hpp"

#include "privhelper/net/netlink.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <functional>
#include <net/if.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

namespace banger::net {

namespace {

using cache = std::unique_ptr<nl_cache, nl_free>;

template <class Object>
void each(const cache& all, const std::function<void(Object*)>& see) {
  for (auto* o = nl_cache_get_first(all.get()); o != nullptr; o = nl_cache_get_next(o))
    see(reinterpret_cast<Object*>(o));
}

ipv4 address_in(nl_addr* a) {
  std::uint32_t bits = 0;
  if (a != nullptr && nl_addr_get_len(a) == sizeof bits)
    std::memcpy(&bits, nl_addr_get_binary_addr(a), sizeof bits);
  return {ntohl(bits)};
}

std::string text(const char* maybe) { return maybe == nullptr ? "" : maybe; }

bool takes_addresses(const rtnl_route* route) {
  switch (rtnl_route_get_type(const_cast<rtnl_route*>(route))) {
  case RTN_UNICAST:
  case RTN_LOCAL:
  case RTN_BLACKHOLE:
  case RTN_UNREACHABLE:
  case RTN_PROHIBIT: return true;
  default: return false;
  }
}

} // namespace

expected<std::vector<link_row>> read_links(nl_sock* socket) {
  nl_cache* raw = nullptr;
  if (const int bad = rtnl_link_alloc_cache(socket, AF_UNSPEC, &raw); bad < 0)
    return fail_nl("cannot list the network links", bad);
  std::vector<link_row> rows;
  each<rtnl_link>(cache(raw), [&](rtnl_link* l) {
    rows.push_back({text(rtnl_link_get_name(l)), rtnl_link_get_ifindex(l),
                    text(rtnl_link_get_type(l)), rtnl_link_get_master(l),
                    (rtnl_link_get_flags(l) & IFF_UP) != 0, rtnl_link_get_group(l)});
  });
  return rows;
}

expected<std::vector<address_row>> read_addresses(nl_sock* socket) {
  nl_cache* raw = nullptr;
  if (const int bad = rtnl_addr_alloc_cache(socket, &raw); bad < 0)
    return fail_nl("cannot list the addresses", bad);
  std::vector<address_row> rows;
  each<rtnl_addr>(cache(raw), [&](rtnl_addr* a) {
    if (rtnl_addr_get_family(a) == AF_INET)
      rows.push_back({rtnl_addr_get_ifindex(a), address_in(rtnl_addr_get_local(a)).str() + "/" +
                                                    std::to_string(rtnl_addr_get_prefixlen(a))});
  });
  return rows;
}

expected<std::vector<host_route>> read_routes(nl_sock* socket, const std::vector<link_row>& links) {
  nl_cache* raw = nullptr;
  if (const int bad = rtnl_route_alloc_cache(socket, AF_INET, 0, &raw); bad < 0)
    return fail_nl("cannot list the routes", bad);
  const auto name_of = [&](int index) -> std::string {
    const auto at = std::find_if(links.begin(), links.end(),
                                 [&](const link_row& row) { return row.index == index; });
    return at == links.end() ? "" : at->name;
  };
  std::vector<host_route> rows;
  each<rtnl_route>(cache(raw), [&](rtnl_route* r) {
    if (!takes_addresses(r))
      return;
    auto* to = rtnl_route_get_dst(r);
    host_route row{address_in(to), to == nullptr ? 0 : nl_addr_get_prefixlen(to), "",
                   rtnl_route_get_table(r), rtnl_route_get_priority(r)};
    const int hops = rtnl_route_get_nnexthops(r);
    for (int i = 0; i < hops; ++i) {
      row.device = name_of(rtnl_route_nh_get_ifindex(rtnl_route_nexthop_n(r, i)));
      rows.push_back(row);
    }
    if (hops == 0)
      rows.push_back(row);
  });
  return rows;
}

} // namespace banger::net
