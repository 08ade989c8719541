#include "cli/exec_stream.hpp"

#include "cli/waiting.hpp"
#include "messages/transport/socket.hpp"

#include <sys/socket.h>

namespace banger::cli {

namespace {

constexpr std::chrono::milliseconds connect_deadline{5000};

} // namespace

// Its queue of connections is full when the daemon has not taken any for a while.
expected<unique_fd> open_stream(const std::filesystem::path& socket, const std::string& token) {
  const auto connected =
      in_thread<int>([socket] { return local::connect(socket, connect_deadline); },
                     [socket] { tell_silence(socket); });
  if (!connected)
    return tl::unexpected(connected.error());
  unique_fd fd(*connected);
  if (::send(fd.get(), token.data(), token.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(token.size()))
    return fail(errc::disconnected, "the daemon refused the stream", "", "try again");
  return fd;
}

} // namespace banger::cli
