#include "tests/network/space.hpp"
#include "tests/support/catch.hpp"

#include "privhelper/net/netlink.hpp"

#include <arpa/inet.h>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <iostream>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netlink/route/link.h>
#include <netlink/route/neighbour.h>
#include <sched.h>
#include <vector>

namespace banger::test {

namespace {

using net::request;

constexpr auto my_namespace = "/proc/thread-self/ns/net";

unique_fd here() { return unique_fd(::open(my_namespace, O_RDONLY | O_CLOEXEC)); }

void go(int fd) {
  // Nothing of this test may ever happen in the machine's own namespace.
  if (::setns(fd, CLONE_NEWNET) != 0)
    std::abort();
}

// A new namespace begins with IPv4 settings of the machine, which Docker or an administrator may
// have changed. The first one changes others, so it is first.
void forget_machine() {
  for (const auto* setting :
       {"ip_forward", "conf/all/rp_filter", "conf/default/rp_filter", "conf/all/arp_ignore",
        "conf/default/arp_ignore", "conf/all/arp_announce", "conf/default/arp_announce",
        "conf/all/arp_filter", "conf/default/arp_filter", "conf/all/route_localnet",
        "conf/default/route_localnet", "conf/all/accept_local", "conf/default/accept_local"})
    std::ofstream(std::string("/proc/sys/net/ipv4/") + setting) << "0\n";
}

void tell(const space& where, std::vector<request> requests) {
  where.in([&] {
    need(need(net::netlink::open()).must("a test's link", std::move(requests)));
    return 0;
  });
}

void tell(const space& where, request one) {
  std::vector<request> requests;
  requests.push_back(std::move(one));
  tell(where, std::move(requests));
}

int index_of(const space& where, const std::string& name) {
  return where.in([&] { return static_cast<int>(::if_nametoindex(name.c_str())); });
}

struct with_prefix {
  std::array<std::uint8_t, 4> bytes{};
  std::uint8_t prefix = 32;
};

with_prefix parse(std::string_view text) {
  with_prefix parsed;
  const auto slash = text.find('/');
  const auto host = std::string(text.substr(0, slash));
  if (::inet_pton(AF_INET, host.c_str(), parsed.bytes.data()) != 1)
    give_up("no address: " + host);
  if (slash != text.npos)
    parsed.prefix = static_cast<std::uint8_t>(std::stoi(std::string(text.substr(slash + 1))));
  return parsed;
}

void name_end(request& r, const plug& end) {
  r.text(IFLA_IFNAME, end.name);
  if (end.mac != mac_address{})
    r.bytes(IFLA_ADDRESS, end.mac.bytes);
}

void bring_up(const plug& end) {
  const int index = index_of(end.where, end.name);
  // As sandboxes' kernels do: no router solicitations and the like between the frames of a test.
  std::vector<request> requests;
  requests.push_back(std::move(request::link(RTM_NEWLINK, 0, index).without_ipv6_address()));
  requests.push_back(request::link(RTM_NEWLINK, 0, index, true));
  tell(end.where, std::move(requests));
  if (!end.address.empty())
    add_address(end.where, end.name, end.address);
}

// As text, whatever the objects are: addresses without a family have no other form.
std::string text_of(nl_addr* a) {
  std::array<char, 64> text{};
  return a == nullptr ? "" : nl_addr2str(a, text.data(), text.size());
}

void each_neighbour(const space& where, int family, const std::function<void(rtnl_neigh*)>& see) {
  where.in([&] {
    const auto socket = need(net::netlink::open());
    nl_cache* raw = nullptr;
    ndmsg about{};
    about.ndm_family = static_cast<std::uint8_t>(family);
    if (nl_cache_alloc_name("route/neigh", &raw) < 0 ||
        nl_send_simple(socket.socket(), RTM_GETNEIGH, NLM_F_DUMP, &about, sizeof about) < 0 ||
        nl_cache_pickup(socket.socket(), raw) < 0)
      give_up("cannot list neighbours");
    const std::unique_ptr<nl_cache, net::nl_free> all(raw);
    for (auto* o = nl_cache_get_first(raw); o != nullptr; o = nl_cache_get_next(o))
      see(reinterpret_cast<rtnl_neigh*>(o));
  });
}

} // namespace

bool may_make_namespaces() {
  if (::geteuid() == 0)
    return true;
  std::cout << "SKIPPED: needs root, for network namespaces and taps\n";
  return false;
}

void give_up(const std::string& why) {
  FAIL(why);
  std::abort();
}

space::space() {
  const auto home = here();
  if (::unshare(CLONE_NEWNET) != 0)
    give_up(std::string("cannot make a network namespace: ") + std::strerror(errno));
  fd_ = here();
  forget_machine();
  go(home.get());
  tell(*this, request::link(RTM_NEWLINK, 0, index_of(*this, "lo"), true));
}

space::visit::visit(const space& where) : home_(here()) { go(where.fd()); }
space::visit::~visit() { go(home_.get()); }

void cable(const plug& a, const plug& b) {
  auto r = request::link(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
  name_end(r, a);
  r.nest(IFLA_LINKINFO, [&](request& info) {
    info.text(IFLA_INFO_KIND, "veth");
    info.nest(IFLA_INFO_DATA, [&](request& data) {
      data.nest(VETH_INFO_PEER, [&](request& peer) {
        peer.raw(ifinfomsg{});
        name_end(peer, b);
        peer.u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(b.where.fd()));
      });
    });
  });
  tell(a.where, std::move(r));
  bring_up(a);
  bring_up(b);
}

void add_link(const space& where, const std::string& name, const std::string& kind) {
  auto r = request::link(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
  r.text(IFLA_IFNAME, name).nest(IFLA_LINKINFO, [&](request& info) {
    info.text(IFLA_INFO_KIND, kind);
  });
  tell(where, std::move(r));
}

void add_address(const space& where, const std::string& link, std::string_view address) {
  const auto a = parse(address);
  auto r = request::address(RTM_NEWADDR, NLM_F_CREATE, index_of(where, link), a.prefix);
  r.bytes(IFA_LOCAL, a.bytes).bytes(IFA_ADDRESS, a.bytes);
  tell(where, std::move(r));
}

void add_route(const space& where, std::string_view to, std::string_view gateway) {
  const auto network = parse(to), by = parse(gateway);
  rtmsg about{};
  about.rtm_family = AF_INET;
  about.rtm_dst_len = network.prefix;
  about.rtm_table = RT_TABLE_MAIN;
  about.rtm_protocol = RTPROT_STATIC;
  about.rtm_type = RTN_UNICAST;
  auto r = request::of(RTM_NEWROUTE, NLM_F_CREATE, about);
  if (network.prefix > 0)
    r.bytes(RTA_DST, network.bytes);
  r.bytes(RTA_GATEWAY, by.bytes);
  tell(where, std::move(r));
}

void make_port(const space& where, const std::string& bridge, const std::string& link) {
  std::vector<request> requests;
  requests.push_back(net::new_port(index_of(where, bridge), index_of(where, link)));
  requests.push_back(net::isolated_port(index_of(where, link)));
  tell(where, std::move(requests));
}

void leave_bridge(const space& where, const std::string& link) {
  auto r = request::link(RTM_SETLINK, 0, index_of(where, link));
  tell(where, std::move(r.u32(IFLA_MASTER, 0)));
}

std::vector<std::pair<ipv4, mac_address>> neighbours(const space& where) {
  std::vector<std::pair<ipv4, mac_address>> found;
  each_neighbour(where, AF_INET, [&](rtnl_neigh* n) {
    const auto address = ipv4::parse(text_of(rtnl_neigh_get_dst(n)));
    const auto mac = mac_address::parse(text_of(rtnl_neigh_get_lladdr(n)));
    if (address && mac)
      found.emplace_back(*address, *mac);
  });
  return found;
}

std::vector<mac_address> learned(const space& where, int port) {
  std::vector<mac_address> found;
  each_neighbour(where, AF_BRIDGE, [&](rtnl_neigh* n) {
    const auto mac = mac_address::parse(text_of(rtnl_neigh_get_lladdr(n)));
    const bool is_ports_own = (rtnl_neigh_get_state(n) & NUD_PERMANENT) != 0;
    if (mac && !is_ports_own && rtnl_neigh_get_ifindex(n) == port)
      found.push_back(*mac);
  });
  return found;
}

bool has_link(const space& where, const std::string& name) { return index_of(where, name) != 0; }

std::string proc_of(const space& where, const std::string& path) {
  return where.in([&] {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
  });
}

} // namespace banger::test
