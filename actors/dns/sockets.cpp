#include "actors/dns/sockets.hpp"

#include <cerrno>
#include <netinet/in.h>
#include <sys/socket.h>

namespace banger::dns {

namespace {

constexpr int waiting_connections = 16;
constexpr int tries_for_a_free_port = 16;

sockaddr_in socket_address(ipv4 address, std::uint16_t port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  a.sin_addr.s_addr = htonl(address.bits);
  return a;
}

/// errno is set if it is not open.
unique_fd open_socket(ipv4 address, std::uint16_t port, transport by) {
  const int kind = by == transport::udp ? SOCK_DGRAM : SOCK_STREAM;
  unique_fd fd(::socket(AF_INET, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // A predecessor's connections must not keep the port. With UDP it would let two of us serve.
  const int on = 1;
  if (by == transport::tcp && fd)
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const auto a = socket_address(address, port);
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&a), sizeof a) != 0 ||
      (by == transport::tcp && ::listen(fd.get(), waiting_connections) != 0)) {
    const int why = errno;
    fd.reset();
    errno = why;
  }
  return fd;
}

std::uint16_t port_of(int fd) {
  sockaddr_in a{};
  socklen_t size = sizeof a;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&a), &size);
  return ntohs(a.sin_port);
}

tl::unexpected<failure> cannot(ipv4 address, std::uint16_t port, transport by, int error) {
  const std::string way = by == transport::udp ? "UDP" : "TCP";
  const auto what =
      "cannot answer names on " + address.str() + ", " + way + " port " + std::to_string(port);
  const std::string remedy = "choose another port";
  if (error == EADDRINUSE) {
    auto who = holder(address, port, by);
    return fail(errc::already_exists, what, who.empty() ? "the port is taken" : who, remedy);
  }
  auto f = fail_errno(what, error);
  if (error == EACCES)
    f.value().remedy = "choose a port above 1023";
  return f;
}

} // namespace

bool is_loopback(ipv4 address) { return address.bits >> 24 == 127; }

expected<sockets> open_sockets(ipv4 address, std::uint16_t port) {
  if (!is_loopback(address))
    return fail(errc::bad_request, "names cannot be answered on " + address.str(),
                "it is no loopback address, so others could ask", "use one such as 127.0.0.1");
  // A port that is free by UDP may be taken by TCP: with any port allowed, the next one is tried.
  for (int left = port == 0 ? tries_for_a_free_port : 1;; --left) {
    sockets s;
    s.udp = open_socket(address, port, transport::udp);
    if (!s.udp)
      return cannot(address, port, transport::udp, errno);
    s.port = port_of(s.udp.get());
    s.tcp = open_socket(address, s.port, transport::tcp);
    if (s.tcp)
      return s;
    if (errno != EADDRINUSE || left <= 1)
      return cannot(address, s.port, transport::tcp, errno);
  }
}

} // namespace banger::dns
