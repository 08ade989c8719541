#include "messages/handover/handover.hpp"
#include "messages/handover/shelf.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>

namespace banger::handover {

namespace fs = std::filesystem;

namespace {

struct packet {
  std::string text;
  descriptors fds;
  bool truncated = false;
};

tl::unexpected<failure> left_alone(const fs::path& socket) {
  return fail(errc::disconnected, "no descriptors came from " + socket.string(),
              "nothing is offered to this process any longer, or the helper ended",
              "ask again for what they belong to");
}

// Every descriptor has an owner before anything is judged.
void collect(msghdr& message, descriptors& into) {
  for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
      continue;
    const auto count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      into.emplace_back(fd);
    }
  }
}

expected<packet> receive(int socket, const fs::path& path) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(most_descriptors * sizeof(int))> room{};
  std::array<char, largest_packet> bytes{};
  iovec piece{bytes.data(), bytes.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  ssize_t size = -1;
  do
    size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  while (size < 0 && errno == EINTR);
  if (size < 0 && errno != ECONNRESET)
    return fail_errno("cannot receive descriptors from " + path.string(), errno);
  packet got;
  if (size >= 0)
    collect(message, got.fds); // a packet without text may bring some, too
  if (size <= 0)
    return left_alone(path);
  got.text.assign(bytes.data(), static_cast<std::size_t>(size));
  got.truncated = (message.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) != 0;
  return got;
}

expected<void> await(int socket, const fs::path& path, clock::time_point until) {
  for (;;) {
    pollfd waited{socket, POLLIN, 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now()).count();
    const int ready =
        ::poll(&waited, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000)));
    if (ready > 0)
      return {};
    if (ready < 0 && errno != EINTR)
      return fail_errno("cannot wait for descriptors", errno);
    if (clock::now() >= until)
      return fail(errc::timed_out, "no descriptors came from " + path.string() + " in time");
  }
}

expected<descriptors> judge(packet got, std::size_t count) {
  const auto said = parse_reply(got.text);
  if (!said)
    return tl::unexpected(said.error());
  if (got.truncated)
    return fail(errc::busy, "not all descriptors could be received",
                "this process has too many open", "raise its limit of open files (LimitNOFILE=)");
  if (*said != count || got.fds.size() != count)
    return fail(errc::bad_version, "another number of descriptors came than was asked for",
                std::to_string(got.fds.size()) + " instead of " + std::to_string(count));
  return std::move(got.fds);
}

} // namespace

expected<descriptors> fetch(const fs::path& socket, const std::string& shown, std::size_t count,
                            std::chrono::milliseconds deadline) {
  if (auto ok = token_grammar::check(shown); !ok)
    return tl::unexpected(ok.error());
  if (count == 0 || count > most_descriptors)
    return fail(errc::bad_request, "cannot fetch " + std::to_string(count) + " descriptors",
                "1 to 64 come in one packet");
  const auto until = clock::now() + deadline;
  const auto connected = local::connect(socket, deadline, SOCK_SEQPACKET);
  if (!connected)
    return tl::unexpected(connected.error());
  const unique_fd fd(*connected);
  if (::send(fd.get(), shown.data(), shown.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    return errno == EPIPE || errno == ECONNRESET
               ? expected<descriptors>(left_alone(socket))
               : expected<descriptors>(fail_errno("cannot ask for descriptors", errno));
  if (auto ok = await(fd.get(), socket, until); !ok)
    return tl::unexpected(ok.error());
  auto got = receive(fd.get(), socket);
  if (!got)
    return tl::unexpected(got.error());
  return judge(std::move(*got), count);
}

} // namespace banger::handover
