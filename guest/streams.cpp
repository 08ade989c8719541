#include "guest/streams.hpp"

#include <algorithm>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

namespace banger::guest {

namespace {

// A pipe of one page holds one write: it can be written to again when that was read whole.
constexpr int slow_pipe = 4096;
constexpr int fast_pipe = 256 * 1024;

std::uint64_t left_in(int pipe) {
  int left = 0;
  return ::ioctl(pipe, FIONREAD, &left) == 0 ? static_cast<std::uint64_t>(left) : 0;
}

} // namespace

done outgoing::start(loop& events, unique_fd fd) {
  if (auto ok = events.watch(fd.get(), EPOLLIN, [this](std::uint32_t) { readable_ = true; }); !ok)
    return ok;
  fd_ = std::move(fd);
  ended_ = false;
  return {};
}

void outgoing::close(loop& events) {
  if (fd_)
    events.forget(fd_.get());
  fd_.reset();
  ended_ = true;
}

bool outgoing::read_more(loop& events) {
  bool moved = false;
  while (readable_ && !ended_ && ring_.room() != 0) {
    const auto parts = ring_.space();
    const auto size = ::readv(fd_.get(), parts.data(), parts[1].iov_len != 0 ? 2 : 1);
    if (size < 0 && errno == EINTR)
      continue;
    if (size < 0 && errno == EAGAIN) {
      readable_ = false;
      if (still_)
        close(events);
      break;
    }
    // A terminal whose other end is closed answers EIO.
    if (size <= 0) {
      close(events);
      return true;
    }
    const auto count = static_cast<std::size_t>(size);
    ring_.extend(count);
    moved = true;
    if (!still_)
      continue;
    if (*still_ <= count)
      close(events);
    else
      *still_ -= count;
  }
  return moved;
}

void outgoing::give_up() {
  still_ = fd_ ? left_in(fd_.get()) : 0;
  readable_ = true;
}

bool outgoing::next_frame(std::string& out, std::size_t room, std::uint32_t session) {
  if (sent_ < ring_.end()) {
    if (room <= header_size)
      return false;
    const auto payload = ring_.at(sent_).substr(0, std::min(room - header_size, max_payload));
    encode(out, header{frame_type::data, id_, session, 0, sent_}, payload);
    sent_ += payload.size();
    return true;
  }
  if (!ended_ || eof_sent_ || room < header_size)
    return false;
  encode(out, header{frame_type::eof, id_, session, 0, sent_}, {});
  eof_sent_ = true;
  return true;
}

bool outgoing::acknowledge(std::uint64_t offset) {
  if (offset > sent_)
    return false;
  if (offset > ring_.begin())
    ring_.drop_before(offset);
  return true;
}

bool outgoing::rewind(std::uint64_t offset) {
  if (!holds(offset))
    return false;
  ring_.drop_before(offset);
  sent_ = offset;
  eof_sent_ = false;
  return true;
}

done incoming::start(loop& events, unique_fd fd, bool tty) {
  if (auto ok = events.watch(fd.get(), EPOLLOUT, [this](std::uint32_t) { writable_ = true; }); !ok)
    return ok;
  fd_ = std::move(fd);
  tty_ = tty;
  writable_ = true;
  counts_ = slow_ = !tty && ::fcntl(fd_.get(), F_SETPIPE_SZ, slow_pipe) >= 0;
  return {};
}

void incoming::count() {
  // A command may write to its own stdin: then more lies in the pipe than came from us.
  if (const int pipe = fd_ ? fd_.get() : drain_.get(); counts_ && pipe >= 0)
    taken_ = std::max(taken_, written_ - std::min(left_in(pipe), written_));
}

void incoming::close(loop& events) {
  count();
  if (fd_)
    events.forget(fd_.get());
  fd_.reset();
  drain_.reset();
  ring_.drop_before(ring_.end());
}

bool incoming::receive(std::uint64_t offset, std::string_view bytes) {
  if (offset > ring_.end() || end_)
    return offset <= ring_.end() && end_ && offset + bytes.size() <= *end_;
  const auto known = ring_.end() - offset;
  if (known >= bytes.size())
    return true;
  bytes.remove_prefix(static_cast<std::size_t>(known));
  // The ring is empty where a key has flushed more than had come.
  if (ring_.end() < unwanted_) {
    const auto passed = std::min<std::uint64_t>(unwanted_ - ring_.end(), bytes.size());
    ring_.skip(passed);
    bytes.remove_prefix(static_cast<std::size_t>(passed));
  }
  if (!fd_) {
    ring_.skip(bytes.size());
    return true;
  }
  if (bytes.size() > ring_.room())
    return false;
  ring_.append(bytes);
  return true;
}

void incoming::drop_before(std::uint64_t offset) {
  unwanted_ = std::max(unwanted_, offset);
  ring_.drop_before(std::clamp(unwanted_, ring_.begin(), ring_.end()));
}

bool incoming::end(std::uint64_t offset) {
  if (offset != ring_.end())
    return false;
  end_ = offset;
  return true;
}

bool incoming::write_some(loop& events, std::string_view bytes, std::size_t& size) {
  const auto count = ::write(fd_.get(), bytes.data(), bytes.size());
  if (count >= 0) {
    size = static_cast<std::size_t>(count);
    return true;
  }
  if (errno == EAGAIN)
    writable_ = false;
  else if (errno != EINTR)
    close(events);
  return false;
}

// Opened only now: while we write, a reader of ours would hide that the command listens no more.
void incoming::end_pipe(loop& events) {
  unique_fd other;
  if (counts_) {
    const auto path = "/proc/self/fd/" + std::to_string(fd_.get());
    other.reset(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  }
  events.forget(fd_.get());
  count();
  fd_.reset();
  drain_ = std::move(other);
}

bool incoming::write_more(loop& events) {
  bool moved = false;
  std::size_t size = 0;
  if (slow_ && fd_ && writable_) {
    count();
    if (taken_ >= counted_input) {
      slow_ = false;
      ::fcntl(fd_.get(), F_SETPIPE_SZ, fast_pipe);
    }
  }
  while (fd_ && writable_ && ring_.size() != 0) {
    const auto bytes = ring_.at(ring_.begin());
    if (!write_some(events, slow_ ? bytes.substr(0, slow_pipe) : bytes, size))
      continue;
    ring_.drop_before(ring_.begin() + size);
    written_ += size;
    writable_ = !slow_;
    moved = true;
  }
  if (!end_ || ring_.size() != 0 || !fd_ || finished_)
    return moved;
  // A terminal is not closed: its end of input is a character.
  if (tty_) {
    finished_ = writable_ && write_some(events, "\x04", size);
    return moved;
  }
  end_pipe(events);
  return true;
}

bool incoming::ack_due() {
  const bool at_end = end_ && consumed() == *end_;
  if (consumed() - acknowledged_ < (at_end ? 1 : window / 4))
    return false;
  acknowledged_ = consumed();
  return true;
}

} // namespace banger::guest
