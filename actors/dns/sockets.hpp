// The two sockets of one port. Inside this folder only.
#pragma once

#include "actors/dns/answer.hpp"
#include "messages/base/unique_fd.hpp"

namespace banger::dns {

struct sockets {
  unique_fd udp, tcp; ///< not blocking; `tcp` listens
  std::uint16_t port = 0;
};

/// As `serve_names`.
expected<sockets> open_sockets(ipv4 address, std::uint16_t port);

bool is_loopback(ipv4 address);

/// A socket in /proc/net/udp or /proc/net/tcp.
struct socket_entry {
  std::uint64_t inode = 0;
  std::uint32_t uid = 0;
};
/// Whoever receives at address:port, in the text of such a file: bound there, or to all addresses;
/// of TCP the listener.
std::optional<socket_entry> find_receiver(std::string_view text, ipv4 address, std::uint16_t port,
                                          transport by);

/// Who has the port: "dnsmasq (pid 812) has it", or "a process of user 991 has it"; empty if
/// nothing is known.
std::string holder(ipv4 address, std::uint16_t port, transport by);

} // namespace banger::dns
