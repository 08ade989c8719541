#include "actors/privileged/presence.hpp"

#include "messages/base/unique_fd.hpp"
#include "messages/transport/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace banger::privileged {

namespace fs = std::filesystem;

namespace {

tl::unexpected<failure> refuse(errc code, const fs::path& folder, std::string why) {
  return fail(code, "cannot reach the root helper in " + folder.string(), std::move(why));
}

// The owner of the socket is the user that the helper serves. Root may connect to all of them, and
// a bridge that it took would be lost to that user.
expected<void> check_owner(const fs::path& folder) {
  struct stat info {};
  if (::stat((folder / orders_socket).c_str(), &info) != 0 || info.st_uid == ::geteuid())
    return {};
  return refuse(errc::unauthorized, folder,
                "the root helper in " + folder.string() + " serves another user (uid " +
                    std::to_string(info.st_uid) + ")");
}

expected<void> await_greeting(int socket, const fs::path& folder,
                              std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  pollfd ready{socket, POLLIN, 0};
  int polled = -1;
  do {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    polled = ::poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
  } while (polled < 0 && errno == EINTR);
  if (polled == 0)
    return refuse(errc::timed_out, folder,
                  "the root helper in " + folder.string() + " does not answer");
  char first = 0;
  if (polled < 0 || ::recv(socket, &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
    return refuse(errc::disconnected, folder,
                  "the root helper in " + folder.string() + " closed the connection");
  return {};
}

expected<void> look_once(const fs::path& folder, std::chrono::milliseconds deadline) {
  const auto connected = local::connect(folder / orders_socket, deadline);
  if (connected) {
    const unique_fd socket(*connected);
    return await_greeting(socket.get(), folder, deadline);
  }
  switch (connected.error().code) {
  case errc::not_found:
    return refuse(errc::not_found, folder, "no root helper serves in " + folder.string());
  default: return refuse(connected.error().code, folder, describe(connected.error()));
  }
}

} // namespace

expected<void> look_for_helper(const fs::path& folder, std::chrono::milliseconds deadline) {
  if (auto ok = check_owner(folder); !ok)
    return ok;
  auto seen = look_once(folder, deadline);
  // One that is started again closes what its predecessor accepted.
  return !seen && seen.error().code == errc::disconnected ? look_once(folder, deadline) : seen;
}

std::string remedy_for_foreign(const fs::path& folder) {
  const auto uid = std::to_string(::geteuid());
  return "start a helper for this user (`sudo banger-privhelper --role network --owner-uid " + uid +
         " --socket-dir " + folder.string() + "-" + uid +
         "`), and name in config.toml its folder as network.helper, a bridge of its own, such as "
         "\"br-fc-2\", as network.bridge and a free port as network.dns_port; or set network.mode "
         "= \"user\"";
}

} // namespace banger::privileged
