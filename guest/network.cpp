#include "guest/network.hpp"

#include "guest/files.hpp"
#include "guest/text.hpp"

#include <algorithm>
#include <cstring>
#include <dirent.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

namespace banger::guest {

namespace {

/// One request: a fixed part, then attributes, aligned to four bytes.
class request {
public:
  template <class Fixed>
  request(std::uint16_t type, std::uint16_t flags, const Fixed& fixed) {
    nlmsghdr head{};
    head.nlmsg_type = type;
    head.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    append(&head, sizeof head);
    append(&fixed, sizeof fixed);
  }

  request& add(std::uint16_t type, const void* data, std::size_t size) {
    rtattr attribute{};
    attribute.rta_type = type;
    attribute.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(size));
    append(&attribute, sizeof attribute);
    append(data, size);
    return *this;
  }
  request& add(std::uint16_t type, const ipv4& a) { return add(type, a.bytes.data(), 4); }
  request& add(std::uint16_t type, std::uint32_t v) { return add(type, &v, sizeof v); }

  std::string_view bytes() {
    const auto size = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &size, sizeof size); // nlmsg_len is the first field
    return bytes_;
  }

private:
  void append(const void* data, std::size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
  }
  std::string bytes_;
};

/// Sends, and hands every message of the answer to `each` until the acknowledgement.
template <class Each>
done talk(request r, const std::string& what, Each each) {
  const unique_fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  const auto bytes = r.bytes();
  if (!fd || ::send(fd.get(), bytes.data(), bytes.size(), 0) < 0)
    return failed_to(what);
  alignas(nlmsghdr) char buffer[16 * 1024];
  for (;;) {
    const auto size = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (size <= 0)
      return failed_to(what);
    auto left = static_cast<unsigned>(size);
    for (auto* m = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(m, left);
         m = NLMSG_NEXT(m, left)) {
      if (m->nlmsg_type == NLMSG_DONE)
        return {};
      if (m->nlmsg_type == NLMSG_ERROR) {
        const int error = -static_cast<const nlmsgerr*>(NLMSG_DATA(m))->error;
        return error == 0 ? done{} : failed_to(what, error);
      }
      each(*m);
    }
  }
}

done talk(request r, const std::string& what) {
  return talk(std::move(r), what, [](const nlmsghdr&) {});
}

ifinfomsg link_message(int index, bool up) {
  ifinfomsg m{};
  m.ifi_family = AF_UNSPEC;
  m.ifi_index = index;
  m.ifi_flags = up ? IFF_UP : 0;
  m.ifi_change = IFF_UP;
  return m;
}

ifaddrmsg address_message(int index, std::uint8_t prefix) {
  ifaddrmsg m{};
  m.ifa_family = AF_INET;
  m.ifa_prefixlen = prefix;
  m.ifa_index = static_cast<unsigned>(index);
  return m;
}

/// The name of the first Ethernet interface, empty if there is none.
std::string find_interface() {
  std::string found;
  DIR* folder = ::opendir("/sys/class/net");
  if (folder == nullptr)
    return found;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string name = entry->d_name;
    const auto path = "/sys/class/net/" + name;
    // Type 1 is Ethernet; bridges and the like that an image makes have no device.
    if (name[0] != '.' && read_file(path + "/type") == "1\n" && is_folder(path + "/device") &&
        (found.empty() || name < found))
      found = name;
  }
  ::closedir(folder);
  return found;
}

std::vector<std::pair<ipv4, bool>> addresses_of(int index, const ipv4& wanted) {
  std::vector<std::pair<ipv4, bool>> others;
  const auto ignored =
      talk(request(RTM_GETADDR, NLM_F_DUMP, address_message(index, 0)), "list addresses",
           [&](const nlmsghdr& m) {
             const auto* a = static_cast<const ifaddrmsg*>(NLMSG_DATA(&m));
             auto left = static_cast<unsigned>(IFA_PAYLOAD(&m));
             if (m.nlmsg_type != RTM_NEWADDR || a->ifa_index != static_cast<unsigned>(index))
               return;
             for (const auto* at = IFA_RTA(a); RTA_OK(at, left); at = RTA_NEXT(at, left))
               if (at->rta_type == IFA_LOCAL) {
                 ipv4 address{{}, a->ifa_prefixlen};
                 std::memcpy(address.bytes.data(), RTA_DATA(at), 4);
                 others.emplace_back(address, address.bytes == wanted.bytes &&
                                                  address.prefix == wanted.prefix);
               }
           });
  return others;
}

done set_address(int index, const ipv4& address) {
  for (const auto& [old, same] : addresses_of(index, address))
    if (!same)
      if (auto ok =
              talk(request(RTM_DELADDR, 0, address_message(index, old.prefix)).add(IFA_LOCAL, old),
                   "remove an address");
          !ok)
        return ok;
  ipv4 broadcast = address;
  for (unsigned bit = address.prefix; bit < 32; ++bit)
    broadcast.bytes[bit / 8] =
        static_cast<std::uint8_t>(broadcast.bytes[bit / 8] | 0x80u >> bit % 8);
  return talk(
      request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, address_message(index, address.prefix))
          .add(IFA_LOCAL, address)
          .add(IFA_ADDRESS, address)
          .add(IFA_BROADCAST, broadcast),
      "set the address");
}

done set_gateway(int index, const ipv4& gateway) {
  rtmsg m{};
  m.rtm_family = AF_INET;
  m.rtm_table = RT_TABLE_MAIN;
  m.rtm_protocol = RTPROT_STATIC;
  m.rtm_scope = RT_SCOPE_UNIVERSE;
  m.rtm_type = RTN_UNICAST;
  m.rtm_flags = RTNH_F_ONLINK;
  return talk(request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, m)
                  .add(RTA_GATEWAY, gateway)
                  .add(RTA_OIF, static_cast<std::uint32_t>(index)),
              "set the default route");
}

} // namespace

done bring_up_loopback() {
  return talk(request(RTM_NEWLINK, 0, link_message(1, true)), "bring up lo");
}

done set_network(const configure_body& who) {
  if (who.address.empty())
    return {};
  const auto address = parse_ipv4(who.address);
  const auto gateway = parse_ipv4(who.gateway);
  const auto mac = parse_mac(who.mac);
  if (!address || (!gateway && !who.gateway.empty()) || (!mac && !who.mac.empty()))
    return refused("network: cannot read " + who.mac + ' ' + who.address + ' ' + who.gateway);
  const auto name = find_interface();
  if (name.empty())
    return refused("network: there is no interface", ENODEV);
  const auto index = static_cast<int>(::if_nametoindex(name.c_str()));
  if (mac) {
    auto ok = talk(request(RTM_NEWLINK, 0, link_message(index, false))
                       .add(IFLA_ADDRESS, mac->data(), mac->size()),
                   "set the MAC address");
    if (!ok)
      return ok;
  }
  return talk(request(RTM_NEWLINK, 0, link_message(index, true)), "bring up " + name)
      .and_then([&] { return set_address(index, *address); })
      .and_then([&] { return gateway ? set_gateway(index, *gateway) : done{}; });
}

} // namespace banger::guest
