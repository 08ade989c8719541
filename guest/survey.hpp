// What the host may ask of a machine at any time: who listens, and whether it is well. /proc tells.
#pragma once

#include "messages/guest/protocol.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace banger::guest {

struct waiting_socket {
  listener_body seen; ///< without its process
  std::uint64_t inode = 0;
};

/// Of the text of /proc/net/tcp, tcp6, udp or udp6: the sockets that wait for peers. Lines that are
/// not understood are passed over.
std::vector<waiting_socket> waiting_sockets(std::string_view text, transport_protocol protocol);

/// The number in "socket:[4711]", what a descriptor of a socket links to.
std::optional<std::uint64_t> socket_inode(std::string_view link);

/// Of the text of /proc/loadavg, into the three loads; zeros if it is not understood.
void read_load(std::string_view text, health_body& into);

/// A line of the text of /proc/meminfo ("MemAvailable"), in bytes; 0 if it is not there.
std::uint64_t memory_line(std::string_view text, std::string_view name);

/// Every process is looked at, at most until the last socket has found its own.
ports_body survey_ports(std::uint64_t number);
health_body survey_health(std::uint64_t number);

} // namespace banger::guest
