// Asks a responder over real sockets of the loopback.
#pragma once

#include "actors/dns/responder.hpp"
#include "dns_queries.hpp"
#include "messages/base/unique_fd.hpp"
#include "tests/support/catch.hpp"

#include <future>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace banger::dns::test {

using namespace std::chrono_literals;

inline constexpr ipv4 loopback{0x7f000001};

inline sockaddr_in socket_address(ipv4 address, std::uint16_t port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(port);
  a.sin_addr.s_addr = htonl(address.bits);
  return a;
}

class asker {
public:
  asker(transport by, std::uint16_t port, ipv4 from = loopback, int receive_buffer = 0)
      : by_(by), fd_(::socket(AF_INET, by == transport::udp ? SOCK_DGRAM : SOCK_STREAM, 0)) {
    if (receive_buffer > 0)
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    const auto source = socket_address(from, 0);
    const auto target = socket_address(loopback, port);
    REQUIRE(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&source), sizeof source) == 0);
    REQUIRE(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&target), sizeof target) == 0);
  }

  /// False when the peer has closed.
  bool send_raw(std::string_view bytes, int flags = 0) const {
    return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | flags) ==
           static_cast<ssize_t>(bytes.size());
  }
  static std::string framed(std::string_view query) {
    return number(static_cast<unsigned>(query.size())) + std::string(query);
  }
  bool send(std::string_view query) const {
    return by_ == transport::udp ? send_raw(query) : send_raw(framed(query));
  }
  void end_input() const { ::shutdown(fd_.get(), SHUT_WR); }

  /// An answer; empty when none comes in time, or the peer has closed.
  std::string receive(std::chrono::milliseconds patience = 5s) {
    if (by_ == transport::udp)
      return fill(patience) ? std::exchange(in_, {}) : std::string();
    while (in_.size() < 2 || in_.size() < 2 + size_at_front())
      if (!fill(patience))
        return {};
    const auto answer = in_.substr(2, size_at_front());
    in_.erase(0, 2 + answer.size());
    return answer;
  }
  bool closed(std::chrono::milliseconds patience = 5s) {
    while (fill(patience)) {
    }
    return ended_;
  }
  std::string ask(std::string_view query) {
    REQUIRE(send(query));
    return receive();
  }

private:
  std::size_t size_at_front() const {
    return std::size_t{static_cast<unsigned char>(in_[0])} << 8 |
           static_cast<unsigned char>(in_[1]);
  }
  bool fill(std::chrono::milliseconds patience) {
    pollfd p{fd_.get(), POLLIN, 0};
    if (::poll(&p, 1, static_cast<int>(patience.count())) != 1)
      return false;
    char buffer[4096];
    const auto n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    ended_ = n <= 0;
    if (n > 0)
      in_.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
  }

  transport by_;
  unique_fd fd_;
  std::string in_;
  bool ended_ = false;
};

/// The four bytes at an answer's end, where an A record has its address; "" if it has none.
inline std::string address_in(const std::string& answer) {
  if (answer.size() < 16 || answer.substr(6, 2) != number(1))
    return {};
  std::uint32_t bits = 0;
  for (const char c : answer.substr(answer.size() - 4))
    bits = bits << 8 | static_cast<unsigned char>(c);
  return ipv4{bits}.str();
}
inline unsigned code_in(const std::string& answer) {
  return answer.size() < 12 ? 99U : static_cast<unsigned>(answer[3] & 15);
}

/// A responder with two VMs.
struct office {
  explicit office(responder_options options = {.port = 0}) {
    auto made = serve_names(loop, options);
    if (!made)
      FAIL(describe(made.error()));
    names = std::move(*made);
    names->replace({{name("web"), {0x0a580002}}, {name("db"), {0x0a580003}}});
    settle();
  }
  static vm_name name(const std::string& text) { return *vm_name::parse(text); }
  responder_stats stats() const {
    std::promise<responder_stats> told;
    names->stats([&](responder_stats s) { told.set_value(s); });
    return told.get_future().get();
  }
  /// What was said before is in effect.
  void settle() const { static_cast<void>(stats()); }
  std::string ask(std::string_view dotted, transport by = transport::udp) const {
    return asker(by, names->port()).ask(test::ask(dotted));
  }

  io::reactor loop;
  std::unique_ptr<responder> names;
};

} // namespace banger::dns::test
