// Who is behind a bridge.
#pragma once

#include "messages/base/net.hpp"

namespace banger::net {

struct guest {
  tap_name tap;
  mac_address mac;
  ipv4 address;
  bool nat = false; ///< may reach other machines
  friend auto operator<=>(const guest&, const guest&) = default;
};

} // namespace banger::net
