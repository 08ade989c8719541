// Requests about links and addresses to the kernel: put together by hand, since several go out in
// one message and some attributes have no setter in libnl.
#pragma once

#include "messages/base/error.hpp"

#include <cstdint>
#include <linux/rtnetlink.h>
#include <memory>
#include <netlink/cache.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace banger::net {

/// Deleters of libnl's objects.
struct nl_free {
  void operator()(nl_sock* s) const { nl_socket_free(s); }
  void operator()(nl_msg* m) const { nlmsg_free(m); }
  void operator()(nl_cache* c) const { nl_cache_free(c); }
};

/// One request: a header, then attributes. At most a page; more is a bug, and ends the program.
class request {
public:
  /// RTM_NEWLINK, RTM_DELLINK, ...; `index` 0: the link is told by its attributes.
  static request link(std::uint16_t type, std::uint16_t flags, int index, bool bring_up = false);
  static request address(std::uint16_t type, std::uint16_t flags, int index, std::uint8_t prefix);
  /// With any header: ifinfomsg, rtmsg, ...
  template <class Header>
  static request of(std::uint16_t type, std::uint16_t flags, const Header& about) {
    auto r = empty(type, flags);
    r.raw(about);
    return r;
  }

  request& text(int attribute, std::string_view value);
  request& u8(int attribute, std::uint8_t value);
  request& u32(int attribute, std::uint32_t value);
  template <class Bytes>
  request& raw(const Bytes& without_attribute) {
    append(&without_attribute, sizeof without_attribute);
    return *this;
  }
  request& bytes(int attribute, std::span<const std::uint8_t> value);
  request& put(int attribute, const void* from, std::size_t size);

  /// The link shall not give itself an IPv6 address. Nothing where the kernel has no IPv6.
  request& without_ipv6_address();

  /// Attributes that `inside(request&)` puts are inside this one.
  template <class F>
  request& nest(int attribute, F&& inside) {
    auto* outer = open(attribute);
    inside(*this);
    close(outer);
    return *this;
  }

  nlmsghdr* header() const { return nlmsg_hdr(message_.get()); }

private:
  explicit request(nl_msg* message) : message_(message) {}
  static request empty(std::uint16_t type, std::uint16_t flags);
  void append(const void* from, std::size_t size);
  nlattr* open(int attribute);
  void close(nlattr* outer);

  std::unique_ptr<nl_msg, nl_free> message_;
};

/// A link becomes a port of a bridge...
request new_port(int bridge, int link);
/// ...and a port comes up that reaches the host, and no other port of this kind.
request isolated_port(int link);

/// What the kernel said to one request.
struct answer {
  int error = 0;      ///< errno; 0: done
  std::string detail; ///< the kernel's own words, if it has any
};

/// `operation_failed` with errno's text, and the kernel's own.
tl::unexpected<failure> refused(std::string what, const answer& a);
/// An error code of libnl.
tl::unexpected<failure> fail_nl(std::string what, int code);

/// A socket to the kernel's links, addresses and routes of this network namespace.
class netlink {
public:
  static expected<netlink> open();

  /// All requests in order, many in one message; one answer for each. A request that is refused
  /// does not stop those behind it. Fails only if the kernel cannot be spoken to.
  expected<std::vector<answer>> send(std::vector<request> requests);
  /// The same, and the first refusal is the error.
  expected<void> must(std::string_view what, std::vector<request> requests);

  /// For libnl's own reading.
  nl_sock* socket() const { return socket_.get(); }

private:
  explicit netlink(nl_sock* socket) : socket_(socket) {}
  expected<void> send_some(std::span<request> some, std::vector<answer>& answers);
  expected<void> receive(std::uint32_t first, std::span<answer> answers);

  std::unique_ptr<nl_sock, nl_free> socket_;
  std::uint32_t sequence_ = 1;
};

} // namespace banger::net
