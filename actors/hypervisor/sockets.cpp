#include "actors/hypervisor/sockets.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace banger::hypervisor {

namespace fs = std::filesystem;

namespace {

// One client and one that takes over from it.
constexpr int backlog = 2;

// Where the folder's own path is too long, the way through its descriptor is always short. QEMU
// removes its sockets by this address when it ends: behind /proc/self it cannot name a file of
// ours, so they stay until the folder goes or the next start replaces them.
struct socket_address {
  unique_fd folder;
  sockaddr_un address{};
};

expected<socket_address> address_of(const fs::path& folder, channel which) {
  socket_address result;
  result.address.sun_family = AF_UNIX;
  auto path = (folder / socket_name(which)).string();
  if (path.size() >= sizeof(result.address.sun_path)) {
    result.folder.reset(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!result.folder)
      return fail_errno("cannot open the folder " + folder.string(), errno);
    path = "/proc/self/fd/" + std::to_string(result.folder.get()) + '/' +
           std::string(socket_name(which));
  }
  std::memcpy(result.address.sun_path, path.c_str(), path.size() + 1);
  return result;
}

expected<void> remove_stale(const fs::path& socket) {
  struct stat info {};
  if (::lstat(socket.c_str(), &info) != 0) {
    if (errno == ENOENT)
      return {};
    return fail_errno("cannot look at " + socket.string(), errno);
  }
  if (!S_ISSOCK(info.st_mode))
    return fail(errc::already_exists, "will not replace " + socket.string(), "it is not a socket",
                "move it away");
  if (::unlink(socket.c_str()) != 0)
    return fail_errno("cannot remove the old socket " + socket.string(), errno);
  return {};
}

expected<unique_fd> connect_to(const sockaddr_un& address, const fs::path& name) {
  unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0)
    return fd;
  const auto error = errno;
  const auto what = "cannot connect to " + name.string();
  if (error == ECONNREFUSED || error == ENOENT)
    return fail(errc::not_running, what, "nobody listens there");
  if (error == EAGAIN)
    return fail(errc::busy, what, "others are connected and waiting");
  return fail_errno(what, error);
}

} // namespace

std::string_view socket_name(channel which) {
  switch (which) {
  case channel::qmp: return "qmp.sock";
  case channel::agent: return "agent.sock";
  case channel::console: return "console.sock";
  }
  return {};
}

expected<channel_pair> make_channel(const fs::path& folder, channel which) {
  const auto path = folder / socket_name(which);
  if (auto ok = remove_stale(path); !ok)
    return tl::unexpected(ok.error());
  auto address = address_of(folder, which);
  if (!address)
    return tl::unexpected(address.error());
  channel_pair pair;
  pair.listening.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int fd = pair.listening.get();
  // The mode is set on the descriptor before the name exists: it is never open to others.
  if (fd < 0 || ::fchmod(fd, 0600) != 0 ||
      ::bind(fd, reinterpret_cast<const sockaddr*>(&address->address), sizeof(sockaddr_un)) != 0 ||
      ::listen(fd, backlog) != 0)
    return fail_errno("cannot make the socket " + path.string(), errno);
  auto connected = connect_to(address->address, path);
  if (!connected)
    return tl::unexpected(connected.error());
  pair.connected = std::move(*connected);
  return pair;
}

expected<unique_fd> connect_channel(const fs::path& folder, channel which) {
  auto address = address_of(folder, which);
  if (!address)
    return tl::unexpected(address.error());
  return connect_to(address->address, folder / socket_name(which));
}

} // namespace banger::hypervisor
