#include "guest/channel.hpp"

#include <algorithm>
#include <poll.h>
#include <sys/epoll.h>

namespace banger::guest {

namespace {

// virtio_console takes at most this much at once, in one buffer for the host.
constexpr std::size_t write_size = 32768;
// It never gives more than one page of its own.
constexpr std::size_t read_size = 4096;
// Beyond this much that waits to be said, nothing more is listened to.
constexpr std::size_t control_limit = 262144;
// Frames smaller than this are not made just to fill up a write.
constexpr std::size_t least_room = 4096;
constexpr int reads_per_turn = 64;

} // namespace

done channel::open(loop& events, unique_fd port) {
  port_ = std::move(port);
  return events.watch(port_.get(), EPOLLIN | EPOLLOUT,
                      [this](std::uint32_t) { readable_ = writable_ = true; });
}

void channel::send(frame_type type, std::uint32_t session, std::string_view payload) {
  if (connected_)
    encode(control_, header{type, stream_id::in, session, 0, 0}, payload);
}

bool channel::host_came() {
  if (connected_)
    return false;
  pollfd state{port_.get(), POLLOUT, 0};
  ::poll(&state, 1, 0);
  connected_ = (state.revents & POLLHUP) == 0;
  return connected_;
}

void channel::host_went() {
  connected_ = false;
  parser_ = parser(frame_type::sync);
  control_.clear();
  staged_.clear();
  at_ = 0;
}

bool channel::receive(const sink& take) {
  for (int i = 0; readable_ && i < reads_per_turn; ++i) {
    if (control_.size() > control_limit)
      return false;
    const auto size = ::read(port_.get(), parser_.prepare(read_size), read_size);
    if (size == 0) {
      // The last byte of a host that has gone; what comes next is said by another.
      host_went();
      readable_ = false;
    } else if (size > 0) {
      parser_.commit(static_cast<std::size_t>(size));
      while (const auto f = parser_.next_view())
        take(*f);
      if (parser_.broken())
        parser_.desync();
    } else if (errno != EINTR) {
      readable_ = false;
    }
  }
  return readable_;
}

bool channel::write_staged() {
  while (at_ < staged_.size()) {
    const auto size = ::write(port_.get(), staged_.data() + at_, staged_.size() - at_);
    if (size < 0 && errno == EINTR)
      continue;
    if (size < 0) {
      writable_ = false;
      return false;
    }
    at_ += static_cast<std::size_t>(size);
  }
  staged_.clear();
  at_ = 0;
  return true;
}

bool channel::flush(const source& more) {
  if (!connected_)
    return false;
  bool wrote = false;
  while (writable_ && write_staged()) {
    staged_.swap(control_);
    while (staged_.size() + least_room <= write_size &&
           more(staged_, write_size - staged_.size())) {
    }
    if (staged_.empty())
      break;
    wrote = true;
  }
  return wrote;
}

void channel::drain(int timeout_ms) {
  const auto deadline = monotonic_us() + static_cast<std::uint64_t>(timeout_ms) * 1000;
  const auto nothing = [](std::string&, std::size_t) { return false; };
  while (connected_ && (!staged_.empty() || !control_.empty())) {
    writable_ = true;
    flush(nothing);
    const auto now = monotonic_us();
    if ((staged_.empty() && control_.empty()) || now >= deadline)
      return;
    pollfd state{port_.get(), POLLOUT, 0};
    ::poll(&state, 1, static_cast<int>((deadline - now) / 1000 + 1));
    if ((state.revents & POLLHUP) != 0)
      return;
  }
}

} // namespace banger::guest
