#include "cli/exec_stream.hpp"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>

namespace banger::cli {

expected<unique_fd> open_stream(const std::filesystem::path& socket, const std::string& token) {
  unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd)
    return fail_errno("cannot make a socket", errno);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto& path = socket.native();
  if (path.size() >= sizeof address.sun_path)
    return fail(errc::bad_request, "the socket path is too long: " + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno("cannot open a stream to the daemon", errno);
  if (::send(fd.get(), token.data(), token.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(token.size()))
    return fail(errc::disconnected, "the daemon refused the stream", "", "try again");
  return fd;
}

} // namespace banger::cli
