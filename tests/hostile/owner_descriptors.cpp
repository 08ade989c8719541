#include "messages/handover/handover.hpp"
#include "tests/hostile/owner.hpp"

#include <array>
#include <cstring>
#include <poll.h>
#include <random>
#include <sys/socket.h>

namespace banger::hostile {

namespace {

json fetch(owner& self, const words& said) {
  auto got =
      handover::fetch(self.socket("descriptors"), said.at(1), std::stoul(said.at(2)), patience);
  const auto line = outcome_of(got);
  if (got)
    for (auto& fd : *got)
      self.taps.push_back(std::move(fd));
  return line;
}

json drop(owner& self, const words&) {
  self.taps.clear();
  return {{"code", "none"}};
}

/// Reads until the other side closes; how many descriptors came.
std::size_t handed_out(int socket) {
  alignas(cmsghdr) std::array<char, 1024> room{};
  std::array<char, 1024> text{};
  for (;;) {
    pollfd waited{socket, POLLIN, 0};
    if (::poll(&waited, 1, static_cast<int>(patience.count())) != 1)
      return SIZE_MAX;
    iovec piece{text.data(), text.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = room.data();
    message.msg_controllen = room.size();
    const auto size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (CMSG_FIRSTHDR(&message) != nullptr)
      return 1;
    if (size <= 0)
      return 0;
  }
}

// Half of them are nearly a token.
std::string packet(std::mt19937& dice) {
  std::uniform_int_distribution<int> length(0, 200), byte(0, 255);
  const bool hex = byte(dice) % 2 == 0;
  std::string text(hex ? 31 + static_cast<std::size_t>(byte(dice)) % 3
                       : static_cast<std::size_t>(length(dice)),
                   '0');
  for (auto& c : text)
    c = hex ? "0123456789abcdefgA"[byte(dice) % 18] : static_cast<char>(byte(dice));
  return text;
}

// garbage COUNT SEED
json garbage(owner& self, const words& said) {
  std::mt19937 dice(static_cast<std::mt19937::result_type>(std::stoul(said.at(2))));
  std::size_t count = 0, handed = 0;
  for (; count < std::stoul(said.at(1)); ++count) {
    const auto socket = local::connect(self.socket("descriptors"), patience, SOCK_SEQPACKET);
    if (!socket)
      return outcome_of(socket);
    const unique_fd fd(*socket);
    const auto text = packet(dice);
    (void)::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
    handed += handed_out(fd.get());
  }
  return {{"code", "none"}, {"said", count}, {"handed", handed}};
}

} // namespace

void add_descriptors(commands& all) {
  all["fetch"] = fetch;
  all["drop"] = drop;
  all["garbage"] = garbage;
}

} // namespace banger::hostile
