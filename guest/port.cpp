#include "guest/port.hpp"

#include "guest/files.hpp"
#include "guest/loop.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

namespace banger::guest {

namespace {

constexpr const char* ports = "/sys/class/virtio-ports";

std::string find_port(const std::string& name) {
  std::string found;
  DIR* folder = ::opendir(ports);
  if (folder == nullptr)
    return found;
  while (const dirent* entry = ::readdir(folder))
    if (entry->d_name[0] != '.' &&
        read_file(std::string(ports) + '/' + entry->d_name + "/name") == name + '\n')
      found = entry->d_name;
  ::closedir(folder);
  return found;
}

} // namespace

result<unique_fd> open_uevents() {
  unique_fd fd(
      ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = 1;
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failed_to("listen for devices");
  return fd;
}

std::string read_uevent(int fd) {
  char text[4096];
  const auto size = ::recv(fd, text, sizeof text, MSG_DONTWAIT);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

result<unique_fd> open_port(int uevents, const std::string& name, int timeout_ms) {
  const auto deadline = monotonic_us() + static_cast<std::uint64_t>(timeout_ms) * 1000;
  for (;;) {
    // The name comes some messages after the port; each of them is announced.
    if (const auto device = find_port(name); !device.empty()) {
      unique_fd port(::open(("/dev/" + device).c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
      if (port)
        return port;
      return failed_to("open /dev/" + device);
    }
    const auto now = monotonic_us();
    if (now >= deadline)
      return refused("no port is named " + name, ETIMEDOUT);
    pollfd wait{uevents, POLLIN, 0};
    ::poll(&wait, 1, static_cast<int>((deadline - now) / 1000 + 1));
    while (!read_uevent(uevents).empty()) {
    }
  }
}

} // namespace banger::guest
