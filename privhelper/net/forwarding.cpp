#include "privhelper/net/forwarding.hpp"

#include "messages/base/unique_fd.hpp"

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <unistd.h>

namespace banger::net {

namespace {

// Only if it changes something: writing ip_forward sets every interface's own switch, too.
expected<void> set(const std::string& path, bool may_be_missing) {
  const unique_fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd && errno == ENOENT && may_be_missing)
    return {};
  char now = 0;
  if (fd && ::pread(fd.get(), &now, 1, 0) == 1 && now == '1')
    return {};
  if (fd && ::pwrite(fd.get(), "1\n", 2, 0) == 2)
    return {};
  auto bad = fail_errno("cannot turn IP forwarding on", errno);
  bad.value().remedy = "`sysctl -w net.ipv4.ip_forward=1`";
  return bad;
}

} // namespace

expected<void> turn_on_forwarding(const bridge_name& bridge) {
  if (auto ok = set("/proc/sys/net/ipv4/ip_forward", false); !ok)
    return ok;
  return set("/proc/sys/net/ipv4/conf/" + bridge.str() + "/forwarding", true);
}

} // namespace banger::net
