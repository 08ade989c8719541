#include "cli/input_source.hpp"

#include "cli/raw_mode.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace banger::cli {

namespace {

bool is_stream(int socket) {
  int type = 0;
  socklen_t size = sizeof type;
  return ::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

short ready(int fd) {
  pollfd now{fd, POLLIN, 0};
  return ::poll(&now, 1, 0) > 0 ? now.revents : short{0};
}

} // namespace

input_source::input_source(int fd) : fd_(fd), kind_(kind_of(fd)) {
  if (kind_ == kind::file)
    start_ = ::lseek(fd_, 0, SEEK_CUR);
}

input_source::kind input_source::kind_of(int fd) {
  struct stat info {};
  if (fd < 0 || ::fstat(fd, &info) != 0)
    return kind::other;
  if (S_ISREG(info.st_mode))
    return kind::file;
  if (S_ISFIFO(info.st_mode))
    return kind::pipe;
  if (S_ISSOCK(info.st_mode) && is_stream(fd))
    return kind::socket;
  return ::isatty(fd) != 0 ? kind::terminal : kind::other;
}

bool input_source::hung_up() const { return (ready(fd_) & POLLHUP) != 0; }

// A shell that reads in the foreground may take the line that woke us, and then put us there: a
// read would wait for the next one. So a terminal is read in the foreground only, and looked at
// once more there.
ssize_t input_source::read(std::span<char> to) {
  if (kind_ == kind::terminal && !in_foreground(fd_)) {
    errno = EIO; // as a read in the background
    return -1;
  }
  if (kind_ == kind::terminal && ready(fd_) == 0) {
    errno = EAGAIN;
    return -1;
  }
  return ::read(fd_, to.data(), to.size());
}

ssize_t input_source::look(std::span<char> to) {
  if (kind_ == kind::socket)
    return ::recv(fd_, to.data(), to.size(), MSG_PEEK | MSG_DONTWAIT);
  return kind_ == kind::pipe ? look_at_pipe(to) : read(to);
}

ssize_t input_source::look_at_pipe(std::span<char> to) {
  if (!copy_in_) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0)
      return -1;
    copy_in_.reset(ends[1]);
    copy_out_.reset(ends[0]);
  }
  const auto size = ::tee(fd_, copy_in_.get(), to.size(), SPLICE_F_NONBLOCK);
  ssize_t got = 0;
  while (got < size) {
    const auto rest = to.subspan(static_cast<std::size_t>(got));
    const auto n = ::read(copy_out_.get(), rest.data(), rest.size());
    if (n <= 0)
      return -1;
    got += n;
  }
  return size;
}

// Another reader of the same pipe may have been faster; that must not make us wait.
void input_source::take(std::uint64_t size) {
  std::array<char, 16384> dropped;
  while (size > 0 && (ready(fd_) & POLLIN) != 0) {
    const auto n = ::read(fd_, dropped.data(), std::min<std::uint64_t>(size, dropped.size()));
    if (n <= 0)
      return;
    size -= static_cast<std::uint64_t>(n);
  }
}

bool input_source::ends_after(std::size_t looked) const {
  int left = 0;
  return kind_ == kind::pipe && (ready(fd_) & POLLHUP) != 0 && ::ioctl(fd_, FIONREAD, &left) == 0 &&
         static_cast<std::size_t>(left) == looked;
}

// Unless another process, which shares the position, has moved it.
void input_source::give_back_after(std::uint64_t wanted, std::uint64_t size) const {
  if (kind_ == kind::file && start_ >= 0 && wanted < size &&
      ::lseek(fd_, 0, SEEK_CUR) == start_ + static_cast<off_t>(size))
    ::lseek(fd_, start_ + static_cast<off_t>(wanted), SEEK_SET);
}

} // namespace banger::cli
