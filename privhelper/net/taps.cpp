#include "privhelper/net/links.hpp"
#include "privhelper/net/reading.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

namespace banger::net {

namespace {

// "bngr": links that are to be removed in one step. Nobody numbers groups like this.
constexpr std::uint32_t doomed_group = 0x626e6772;

constexpr int plain_tap = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;

/// 0, or the errno.
int attach(int fd, const tap_name& name, int flags) {
  ifreq ask{};
  name.str().copy(ask.ifr_name, sizeof ask.ifr_name - 1);
  ask.ifr_flags = static_cast<short>(flags);
  return ::ioctl(fd, TUNSETIFF, &ask) == 0 ? 0 : errno;
}

expected<unique_fd> open_tun() {
  unique_fd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (fd)
    return fd;
  const int error = errno;
  auto bad = fail_errno("cannot open /dev/net/tun", error);
  if (error == ENOENT || error == ENODEV || error == ENXIO) {
    bad.value().code = errc::unavailable;
    bad.value().remedy = "load the kernel's tun module: `modprobe tun`";
  }
  return bad;
}

// Who can attach to a tap is the only one that has it: then it is a leftover, and goes.
expected<void> remove_leftover(const tap_name& name) {
  auto fd = open_tun();
  if (!fd)
    return tl::unexpected(fd.error());
  switch (const int error = attach(fd->get(), name, plain_tap)) {
  case 0: break;
  case EBUSY:
    return fail(errc::busy, "the tap " + name.str() + " is in use",
                "a hypervisor still has it open", "end that hypervisor first");
  case EINVAL:
    return fail(errc::already_exists, "the network link " + name.str() + " is no tap of ours",
                "somebody else made a link with this name", "rename or remove that link");
  default: return fail_errno("cannot take over the tap " + name.str(), error);
  }
  if (::ioctl(fd->get(), TUNSETPERSIST, 0UL) != 0)
    return fail_errno("cannot remove the old tap " + name.str(), errno);
  return {};
}

expected<unique_fd> make_tap(const tap_name& name) {
  auto fd = open_tun();
  if (!fd)
    return fd;
  int error = attach(fd->get(), name, plain_tap | IFF_TUN_EXCL);
  if (error == EBUSY) {
    if (auto ok = remove_leftover(name); !ok)
      return tl::unexpected(ok.error());
    error = attach(fd->get(), name, plain_tap | IFF_TUN_EXCL);
  }
  if (error != 0)
    return fail_errno("cannot make the tap " + name.str(), error);
  return fd;
}

expected<void> check_unique(std::vector<tap_name> names) {
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end())
    return fail(errc::bad_request, "the tap " + twice->str() + " is asked for twice");
  return {};
}

bool is_gone(int error) { return error == ENODEV || error == ENOENT; }

} // namespace

expected<std::vector<tap>> links::open_taps(const bridge_name& bridge,
                                            const std::vector<tap_name>& names) {
  if (auto ok = check_unique(names); !ok)
    return tl::unexpected(ok.error());
  const auto link = find_bridge(bridge);
  if (!link)
    return tl::unexpected(link.error());
  if (!*link)
    return fail(errc::not_found, "there is no bridge " + bridge.str());
  std::vector<tap> taps;
  const auto made = [&]() -> expected<void> {
    for (const auto& name : names) {
      auto fd = make_tap(name);
      if (!fd)
        return tl::unexpected(fd.error());
      taps.push_back({name, 0, std::move(*fd)});
      auto index = tap_index(name);
      if (!index)
        return tl::unexpected(index.error());
      taps.back().index = *index;
    }
    return enslave((*link)->index, taps);
  }();
  if (made)
    return taps;
  // Closing them does it, too, but one after the other.
  std::vector<int> indexes;
  for (const auto& one : taps)
    if (one.index != 0)
      indexes.push_back(one.index);
  (void)remove_group(indexes);
  return tl::unexpected(made.error());
}

expected<int> links::tap_index(const tap_name& name) {
  const auto link = find(name.str());
  if (!link)
    return tl::unexpected(link.error());
  if (!*link)
    return fail(errc::operation_failed, "cannot make the tap " + name.str(), "it is gone again");
  return (*link)->index;
}

expected<void> links::enslave(int bridge, std::vector<tap>& taps) {
  std::vector<request> requests;
  for (const auto& one : taps) {
    requests.push_back(new_port(bridge, one.index));
    // Isolated before it is up: it never reaches another guest.
    requests.push_back(isolated_port(one.index));
  }
  return socket_.must("cannot attach a tap to its bridge", std::move(requests));
}

expected<void> links::remove_taps(const std::vector<tap_name>& names) {
  if (names.empty())
    return {};
  const auto indexes = indexes_of_taps(names);
  if (!indexes)
    return tl::unexpected(indexes.error());
  return remove_group(*indexes);
}

// Also what an earlier removal marked and did not come to remove. A stranger in our group would be
// removed with it: then nothing is.
expected<std::vector<int>> links::indexes_of_taps(const std::vector<tap_name>& names) {
  const auto all = read_links(socket_.socket());
  if (!all)
    return tl::unexpected(all.error());
  std::vector<int> indexes;
  for (const auto& row : *all) {
    const bool asked = std::any_of(names.begin(), names.end(),
                                   [&](const tap_name& n) { return n.str() == row.name; });
    const bool ours = row.kind == "tun" && row.name.starts_with(tap_prefix);
    if (asked && !ours)
      return fail(errc::already_exists, "the network link " + row.name + " is no tap of ours",
                  "its kind is '" + (row.kind.empty() ? "device" : row.kind) + "'",
                  "remove it by hand if it is not needed");
    if (row.group == doomed_group && !ours)
      return fail(errc::operation_failed, "cannot remove taps in one step",
                  "the link " + row.name + " is in our link group",
                  "`ip link set " + row.name + " group 0`");
    if (asked || row.group == doomed_group)
      indexes.push_back(row.index);
  }
  return indexes;
}

// One wait of the kernel for its readers instead of one for each link.
expected<void> links::remove_group(const std::vector<int>& indexes) {
  if (indexes.empty())
    return {};
  std::vector<request> requests;
  requests.reserve(indexes.size() + 1);
  for (const int index : indexes)
    requests.push_back(
        std::move(request::link(RTM_SETLINK, 0, index).u32(IFLA_GROUP, doomed_group)));
  requests.push_back(std::move(request::link(RTM_DELLINK, 0, 0).u32(IFLA_GROUP, doomed_group)));
  const auto answers = socket_.send(std::move(requests));
  if (!answers)
    return tl::unexpected(answers.error());
  for (const auto& a : *answers)
    if (a.error != 0 && !is_gone(a.error))
      return refused("cannot remove taps", a);
  return {};
}

} // namespace banger::net
