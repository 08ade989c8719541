#include "privhelper/net/netlink.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace banger::net {

namespace {

// An acknowledgement costs about 1 KiB of the socket's buffer until it is read.
constexpr std::size_t at_once = 64;

// A request is smaller than a page by its construction; only memory can be missing.
void sure(int code) {
  if (code < 0)
    std::abort();
}

std::string kernel_words(nlmsghdr* header) {
  const bool has_words = (header->nlmsg_flags & NLM_F_ACK_TLVS) != 0;
  if (!has_words)
    return {};
  // NETLINK_CAP_ACK: the request's own bytes are not in between.
  std::array<nlattr*, NLMSGERR_ATTR_MAX + 1> found{};
  if (nlmsg_parse(header, sizeof(nlmsgerr), found.data(), NLMSGERR_ATTR_MAX, nullptr) < 0)
    return {};
  const auto* words = found[NLMSGERR_ATTR_MSG];
  return words == nullptr ? "" : nla_get_string(words);
}

} // namespace

request request::empty(std::uint16_t type, std::uint16_t flags) {
  auto* message = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_ACK | flags);
  if (message == nullptr)
    std::abort();
  return request(message);
}

request request::link(std::uint16_t type, std::uint16_t flags, int index, bool bring_up) {
  ifinfomsg about{};
  about.ifi_index = index;
  if (bring_up)
    about.ifi_flags = about.ifi_change = IFF_UP;
  return of(type, flags, about);
}

request request::address(std::uint16_t type, std::uint16_t flags, int index, std::uint8_t prefix) {
  ifaddrmsg about{};
  about.ifa_family = AF_INET;
  about.ifa_prefixlen = prefix;
  about.ifa_index = static_cast<std::uint32_t>(index);
  return of(type, flags, about);
}

void request::append(const void* from, std::size_t size) {
  sure(nlmsg_append(message_.get(), const_cast<void*>(from), size, NLMSG_ALIGNTO));
}

request& request::put(int attribute, const void* from, std::size_t size) {
  sure(nla_put(message_.get(), attribute, static_cast<int>(size), from));
  return *this;
}

request& request::text(int attribute, std::string_view value) {
  return put(attribute, std::string(value).c_str(), value.size() + 1);
}

request& request::u8(int attribute, std::uint8_t value) {
  return put(attribute, &value, sizeof value);
}

request& request::u32(int attribute, std::uint32_t value) {
  return put(attribute, &value, sizeof value);
}

request& request::bytes(int attribute, std::span<const std::uint8_t> value) {
  return put(attribute, value.data(), value.size());
}

request& request::without_ipv6_address() {
  if (::access("/proc/sys/net/ipv6", F_OK) != 0)
    return *this;
  return nest(IFLA_AF_SPEC, [](request& families) {
    families.nest(AF_INET6,
                  [](request& ipv6) { ipv6.u8(IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE); });
  });
}

nlattr* request::open(int attribute) {
  auto* outer = nla_nest_start(message_.get(), attribute);
  if (outer == nullptr)
    std::abort();
  return outer;
}

void request::close(nlattr* outer) { sure(nla_nest_end(message_.get(), outer)); }

request new_port(int bridge, int link) {
  auto r = request::link(RTM_NEWLINK, 0, link);
  r.u32(IFLA_MASTER, static_cast<std::uint32_t>(bridge)).without_ipv6_address();
  return r;
}

request isolated_port(int link) {
  auto r = request::link(RTM_NEWLINK, 0, link, true);
  r.nest(IFLA_LINKINFO, [](request& info) {
    info.text(IFLA_INFO_SLAVE_KIND, "bridge");
    info.nest(IFLA_INFO_SLAVE_DATA, [](request& data) { data.u8(IFLA_BRPORT_ISOLATED, 1); });
  });
  return r;
}

tl::unexpected<failure> refused(std::string what, const answer& a) {
  auto bad = fail_errno(std::move(what), a.error);
  if (!a.detail.empty())
    bad.value().why += " (" + a.detail + ")";
  if (a.error == EPERM)
    bad.value().remedy = "run the helper as root, or with CAP_NET_ADMIN";
  return bad;
}

tl::unexpected<failure> fail_nl(std::string what, int code) {
  return fail(errc::operation_failed, std::move(what), nl_geterror(code));
}

expected<netlink> netlink::open() {
  netlink opened(nl_socket_alloc());
  if (!opened.socket_)
    return fail_errno("cannot make a netlink socket", ENOMEM);
  if (const int bad = nl_connect(opened.socket(), NETLINK_ROUTE); bad < 0)
    return fail_nl("cannot open a netlink socket", bad);
  const int fd = nl_socket_get_fd(opened.socket()), on = 1;
  // Comforts: without them errors are told with less.
  ::setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  ::setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  return opened;
}

expected<std::vector<answer>> netlink::send(std::vector<request> requests) {
  std::vector<answer> answers;
  answers.reserve(requests.size());
  std::span<request> left(requests);
  while (!left.empty()) {
    const auto some = left.first(std::min(at_once, left.size()));
    if (auto ok = send_some(some, answers); !ok)
      return tl::unexpected(ok.error());
    left = left.subspan(some.size());
  }
  return answers;
}

expected<void> netlink::must(std::string_view what, std::vector<request> requests) {
  const auto answers = send(std::move(requests));
  if (!answers)
    return tl::unexpected(answers.error());
  for (const auto& a : *answers)
    if (a.error != 0)
      return refused(std::string(what), a);
  return {};
}

expected<void> netlink::send_some(std::span<request> some, std::vector<answer>& answers) {
  const auto first = sequence_;
  std::vector<iovec> parts;
  for (auto& one : some) {
    one.header()->nlmsg_seq = sequence_++;
    parts.push_back({one.header(), NLMSG_ALIGN(one.header()->nlmsg_len)});
  }
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  msghdr message{};
  message.msg_name = &kernel;
  message.msg_namelen = sizeof kernel;
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  if (::sendmsg(nl_socket_get_fd(socket()), &message, 0) < 0)
    return fail_errno("cannot ask the kernel", errno);
  const auto before = answers.size();
  answers.resize(before + some.size(), answer{EIO, "no answer"});
  return receive(first, std::span(answers).subspan(before));
}

// The kernel has done its work before sendmsg comes back: what is waited for here is already there.
expected<void> netlink::receive(std::uint32_t first, std::span<answer> answers) {
  alignas(nlmsghdr) std::array<char, 16384> buffer{};
  for (std::size_t got = 0; got < answers.size();) {
    const auto size = ::recv(nl_socket_get_fd(socket()), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR)
      continue;
    if (size < 0)
      return fail_errno("cannot hear the kernel's answer", errno);
    int left = static_cast<int>(size);
    for (auto* h = reinterpret_cast<nlmsghdr*>(buffer.data()); nlmsg_ok(h, left) != 0;
         h = nlmsg_next(h, &left)) {
      const auto nth = h->nlmsg_seq - first;
      if (h->nlmsg_type != NLMSG_ERROR || nth >= answers.size())
        continue;
      const auto* said = static_cast<const nlmsgerr*>(nlmsg_data(h));
      answers[nth] = {-said->error, kernel_words(h)};
      ++got;
    }
  }
  return {};
}

} // namespace banger::net
