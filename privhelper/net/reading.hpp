// What the kernel says of links, addresses and routes, as plain values.
#pragma once

#include "messages/base/error.hpp"
#include "privhelper/net/routes.hpp"

#include <netlink/netlink.h>
#include <string>
#include <vector>

namespace banger::net {

struct link_row {
  std::string name;
  int index = 0;
  std::string kind;
  int master = 0; ///< index, or 0
  bool up = false;
  std::uint32_t group = 0;
};

struct address_row {
  int index = 0;       ///< of the link
  std::string address; ///< IPv4, "10.88.0.1/24"
};

expected<std::vector<link_row>> read_links(nl_sock* socket);
expected<std::vector<address_row>> read_addresses(nl_sock* socket);
/// `links` give the devices' names.
expected<std::vector<host_route>> read_routes(nl_sock* socket, const std::vector<link_row>& links);

} // namespace banger::net
