#include "privhelper/net/links.hpp"

#include <algorithm>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netlink/route/link.h>

namespace banger::net {

namespace {

struct link_free {
  void operator()(rtnl_link* l) const { rtnl_link_put(l); }
};

std::string text(const char* maybe) { return maybe == nullptr ? "" : maybe; }

std::string with_prefix(const ipv4_net& net) {
  return net.host().str() + "/" + std::to_string(net.prefix());
}

std::string joined(const std::vector<std::string>& all) {
  std::string line;
  for (const auto& one : all)
    line += (line.empty() ? "" : ", ") + one;
  return line;
}

tl::unexpected<failure> no_bridge(const bridge_name& bridge, const std::string& kind) {
  return fail(errc::already_exists, "the network link " + bridge.str() + " is no bridge",
              "its kind is '" + (kind.empty() ? "device" : kind) + "'",
              "rename or remove that link, or choose another bridge name in config.toml");
}

request new_bridge(const bridge_name& bridge, const ipv4_net& net) {
  auto r = request::link(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
  r.text(IFLA_IFNAME, bridge.str());
  // Otherwise it has the lowest MAC of its ports, and guests would lose their gateway when it
  // changes.
  r.bytes(IFLA_ADDRESS, mac_address::of(net.host()).bytes);
  r.nest(IFLA_LINKINFO, [](request& info) { info.text(IFLA_INFO_KIND, "bridge"); });
  return r;
}

/// Brings the bridge up, too.
request settings(int index) {
  auto r = request::link(RTM_NEWLINK, 0, index, true);
  r.nest(IFLA_LINKINFO, [](request& info) {
    info.text(IFLA_INFO_KIND, "bridge");
    info.nest(IFLA_INFO_DATA, [](request& data) {
      data.u32(IFLA_BR_STP_STATE, 0);
      data.u32(IFLA_BR_FORWARD_DELAY, 0);
      data.u8(IFLA_BR_MCAST_SNOOPING, 0);
      // LLDP goes past every filter: a guest must not teach the bridge another one's MAC with it.
      constexpr auto no_ll_learn = std::uint32_t{1} << BR_BOOLOPT_NO_LL_LEARN;
      const br_boolopt_multi options{no_ll_learn, no_ll_learn};
      data.put(IFLA_BR_MULTI_BOOLOPT, &options, sizeof options);
    });
  });
  return r;
}

request new_address(int index, const ipv4_net& net) {
  auto r = request::address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, index,
                            static_cast<std::uint8_t>(net.prefix()));
  r.bytes(IFA_LOCAL, net.host().bytes()).bytes(IFA_ADDRESS, net.host().bytes());
  r.bytes(IFA_BROADCAST, net.last().bytes());
  return r;
}

} // namespace

expected<links> links::open() {
  auto socket = netlink::open();
  if (!socket)
    return tl::unexpected(socket.error());
  return links(std::move(*socket));
}

expected<std::optional<links::found>> links::find(const std::string& name) {
  rtnl_link* raw = nullptr;
  const int code = rtnl_link_get_kernel(socket_.socket(), 0, name.c_str(), &raw);
  if (code == -NLE_NODEV || code == -NLE_OBJ_NOTFOUND)
    return std::nullopt;
  if (code < 0)
    return fail_nl("cannot look for the network link " + name, code);
  const std::unique_ptr<rtnl_link, link_free> link(raw);
  return found{rtnl_link_get_ifindex(raw), text(rtnl_link_get_type(raw)),
               (rtnl_link_get_flags(raw) & IFF_UP) != 0};
}

expected<std::optional<links::found>> links::find_bridge(const bridge_name& bridge) {
  auto link = find(bridge.str());
  if (link && *link && (*link)->kind != "bridge")
    return no_bridge(bridge, (*link)->kind);
  return link;
}

expected<void> links::ensure_bridge(const bridge_name& bridge, const ipv4_net& net) {
  auto link = find_bridge(bridge);
  if (!link)
    return tl::unexpected(link.error());
  if (!*link)
    return make_bridge(bridge, net);
  if (auto ok = check_address(bridge, **link, net); !ok)
    return ok;
  std::vector<request> set;
  set.push_back(settings((*link)->index));
  return socket_.must("cannot set the bridge " + bridge.str() + " up", std::move(set));
}

expected<void> links::check_network(const bridge_name& bridge, const ipv4_net& net) {
  const auto link = find_bridge(bridge);
  if (!link)
    return tl::unexpected(link.error());
  if (!*link)
    return fail(errc::not_found, "there is no bridge " + bridge.str());
  const auto there = addresses((*link)->index);
  if (!there)
    return tl::unexpected(there.error());
  if (there->empty())
    return fail(errc::not_found, "the bridge " + bridge.str() + " has no address");
  if (*there == std::vector{with_prefix(net)})
    return {};
  return fail(errc::unauthorized, bridge.str() + " has not the network " + net.str(),
              "it has " + joined(*there), "use its own network, or remove the bridge first");
}

// Made and not finished: a daemon that was killed in between finds it without an address, and adds
// it.
expected<void> links::make_bridge(const bridge_name& bridge, const ipv4_net& net) {
  const auto what = "cannot make the bridge " + bridge.str();
  std::vector<request> make;
  make.push_back(new_bridge(bridge, net));
  if (auto ok = socket_.must(what, std::move(make)); !ok)
    return ok;
  const auto link = find(bridge.str());
  if (!link || !*link)
    return link ? fail(errc::operation_failed, what, "it is gone again")
                : tl::unexpected(link.error());
  const int index = (*link)->index;
  std::vector<request> finish;
  finish.push_back(std::move(request::link(RTM_NEWLINK, 0, index).without_ipv6_address()));
  finish.push_back(new_address(index, net));
  finish.push_back(settings(index));
  auto finished = socket_.must(what, std::move(finish));
  if (!finished) {
    std::vector<request> undo;
    undo.push_back(request::link(RTM_DELLINK, 0, index));
    if (auto undone = socket_.must("", std::move(undo)); !undone)
      finished.error().why += "; it could not be removed again: " + undone.error().why;
  }
  return finished;
}

expected<void> links::check_address(const bridge_name& bridge, const found& link,
                                    const ipv4_net& net) {
  const auto there = addresses(link.index);
  if (!there)
    return tl::unexpected(there.error());
  const auto wanted = with_prefix(net);
  if (*there == std::vector{wanted})
    return {};
  if (!there->empty())
    return fail(errc::already_exists, "the bridge " + bridge.str() + " has another address",
                "it has " + joined(*there) + ", and " + wanted + " is wanted",
                "stop what uses it and remove it (`ip link delete " + bridge.str() +
                    "`), or choose another network or bridge name in config.toml");
  std::vector<request> add;
  add.push_back(std::move(request::link(RTM_NEWLINK, 0, link.index).without_ipv6_address()));
  add.push_back(new_address(link.index, net));
  return socket_.must("cannot give the bridge " + bridge.str() + " its address", std::move(add));
}

expected<void> links::remove_bridge(const bridge_name& bridge) {
  const auto link = find_bridge(bridge);
  if (!link)
    return tl::unexpected(link.error());
  if (!*link)
    return {};
  const auto ports = ports_of((*link)->index);
  if (!ports)
    return tl::unexpected(ports.error());
  if (!ports->empty())
    return fail(errc::busy, "the bridge " + bridge.str() + " is in use",
                "it has the ports " + joined(*ports), "stop these VMs first");
  std::vector<request> remove;
  remove.push_back(request::link(RTM_DELLINK, 0, (*link)->index));
  const auto answers = socket_.send(std::move(remove));
  if (!answers)
    return tl::unexpected(answers.error());
  if (const auto& a = answers->front(); a.error != 0 && a.error != ENODEV)
    return refused("cannot remove the bridge " + bridge.str(), a);
  return {};
}

} // namespace banger::net
