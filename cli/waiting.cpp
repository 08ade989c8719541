#include "cli/waiting.hpp"

#include "messages/transport/socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <unistd.h>

namespace banger::cli {

namespace {

// Of the main thread, which is the only one that waits here.
std::optional<int> interrupted_by;
int shields = 0;

tl::unexpected<failure> interrupted() {
  return fail(errc::cancelled, "interrupted", "what the daemon has begun by then goes on");
}

int left_until(wait_clock::time_point until) {
  if (until == for_ever)
    return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - wait_clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1'000'000));
}

} // namespace

uninterrupted::uninterrupted() { ++shields; }
uninterrupted::~uninterrupted() { --shields; }

std::optional<int> interruption() { return interrupted_by; }

expected<bool> await(pollfd* fds, std::size_t count, wait_clock::time_point until) {
  std::array<pollfd, 4> all{};
  count = std::min(count, all.size() - 1);
  for (;;) {
    const bool shielded = shields > 0;
    if (interrupted_by && !shielded)
      return interrupted();
    const auto* signals = shielded ? nullptr : signal_source::innermost();
    std::copy_n(fds, count, all.begin());
    all[count] = {signals != nullptr ? signals->ending_fd() : -1, POLLIN, 0};
    const int n = ::poll(all.data(), count + 1, left_until(until));
    if (n < 0 && errno != EINTR)
      return fail_errno("cannot wait", errno);
    if (n > 0 && all[count].revents != 0)
      if (const auto number = signals->next_ending())
        interrupted_by = *number;
    if (interrupted_by && !shielded)
      return interrupted();
    std::copy_n(all.begin(), count, fds);
    if (n > 0 && std::any_of(fds, fds + count, [](const pollfd& p) { return p.revents != 0; }))
      return true;
    if (wait_clock::now() >= until)
      return false;
  }
}

expected<bool> await(int fd, short events, wait_clock::time_point until) {
  pollfd one{fd, events, 0};
  return await(&one, 1, until);
}

void tell_silence(const std::filesystem::path& socket) {
  static bool told = false;
  if (std::exchange(told, true))
    return;
  std::string text = "note: the daemon does not answer";
  const auto connected = local::connect(socket, std::chrono::milliseconds(100));
  const auto peer = connected ? local::peer_of(*connected) : local::peer{};
  if (connected)
    ::close(*connected);
  text += "; `banger daemon logs` shows what it did last";
  if (peer && peer->pid != 0) {
    const auto pid = std::to_string(peer->pid);
    text += ". It is process " + pid + ": `kill -CONT " + pid +
            "` wakes it if it was stopped, `kill " + "-KILL " + pid +
            "` ends it if it hangs; VMs run on, and the next command starts it anew";
  }
  text += "\n";
  [[maybe_unused]] const auto n = ::write(STDERR_FILENO, text.data(), text.size());
}

} // namespace banger::cli
