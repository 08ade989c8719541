#include "tests/network/scene.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/socket.h>

namespace banger::test {

namespace {

sockaddr_in place(ipv4 address, std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(address.bits);
  return at;
}

unique_fd open_socket(const space& where, int type, int protocol) {
  return where.in([&] {
    unique_fd s(::socket(AF_INET, type | SOCK_CLOEXEC, protocol));
    if (!s)
      give_up(std::string("no socket: ") + std::strerror(errno));
    return s;
  });
}

bool ready(const unique_fd& fd, short what, int milliseconds) {
  pollfd p{fd.get(), what, 0};
  return ::poll(&p, 1, milliseconds) == 1;
}

} // namespace

net::guest nth_guest(int n, bool nat) {
  const ipv4 address{network.first().bits + static_cast<std::uint32_t>(n)};
  return {*tap_name::parse("tap-fc-g" + std::to_string(n)), mac_address::of(address), address, nat};
}

scene::scene(std::optional<net::layers> where) : wall(need(net::firewall::open(where))) {
  need(on.ensure_bridge(bridge, network));
  cable({host, "eth0", "203.0.113.1/24"}, {outside, "eth0", "203.0.113.2/24"});
  add_route(host, "0.0.0.0/0", "203.0.113.2");
  add_address(outside, "eth0", "169.254.169.254/32");
}

house::house(const scene& where, const net::guest& g) : who(g) {
  cable({where.host, g.tap.str(), ""}, {inside, "eth0", g.address.str() + "/24", g.mac});
  make_port(where.host, bridge.str(), g.tap.str());
  add_route(inside, "0.0.0.0/0", network.host().str());
}

unique_fd serve(const space& where, std::uint16_t port) {
  auto service = open_socket(where, SOCK_STREAM, 0);
  const auto at = place({INADDR_ANY}, port);
  if (::bind(service.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 ||
      ::listen(service.get(), 8) != 0)
    give_up(std::string("cannot serve: ") + std::strerror(errno));
  return service;
}

visitor next_visitor(const unique_fd& service) {
  sockaddr_in from{};
  socklen_t size = sizeof from;
  if (!ready(service, POLLIN, 1000))
    give_up("nobody called");
  unique_fd connection(
      ::accept4(service.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC));
  return {std::move(connection), {ntohl(from.sin_addr.s_addr)}};
}

call dial(const space& from, ipv4 to, std::uint16_t port) {
  auto s = open_socket(from, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const auto at = place(to, port);
  if (::connect(s.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0)
    return {std::move(s), 0};
  if (errno != EINPROGRESS)
    return {{}, errno};
  if (!ready(s, POLLOUT, 300))
    return {{}, ETIMEDOUT};
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(s.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return {std::move(s), error};
}

bool passes(const unique_fd& from, const unique_fd& to) {
  char got = 0;
  return ::send(from.get(), "x", 1, MSG_NOSIGNAL) == 1 && ready(to, POLLIN, 1000) &&
         ::recv(to.get(), &got, 1, 0) == 1;
}

bool pings(const space& from, ipv4 to, int tries) {
  const auto s = open_socket(from, SOCK_RAW, IPPROTO_ICMP);
  const auto at = place(to, 0);
  for (int i = 0; i < tries; ++i) {
    // Type 8 and nothing else: the checksum is its complement.
    const std::array<std::uint8_t, 8> question{8, 0, 0xf7, 0xff, 0, 0, 0, 0};
    ::sendto(s.get(), question.data(), question.size(), 0, reinterpret_cast<const sockaddr*>(&at),
             sizeof at);
    while (ready(s, POLLIN, 50)) {
      std::array<std::uint8_t, 256> whole{};
      sockaddr_in who{};
      socklen_t size = sizeof who;
      ::recvfrom(s.get(), whole.data(), whole.size(), 0, reinterpret_cast<sockaddr*>(&who), &size);
      if (whole[20] == ICMP_ECHOREPLY && ntohl(who.sin_addr.s_addr) == to.bits)
        return true;
    }
  }
  return false;
}

} // namespace banger::test
