#include "cli/outlet.hpp"

#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace banger::cli {

outlet::outlet(int fd) : fd_(fd), terminal_(::isatty(fd) == 1) {
  struct stat info {};
  if (::fstat(fd, &info) != 0)
    return;
  if (S_ISREG(info.st_mode) || S_ISBLK(info.st_mode)) {
    kind_ = kind::plain;
  } else if (S_ISSOCK(info.st_mode)) {
    kind_ = kind::socket;
  } else {
    const auto path = "/proc/self/fd/" + std::to_string(fd);
    own_.reset(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (own_)
      kind_ = kind::separate;
  }
}

long outlet::write_some(std::string_view bytes) const {
  switch (kind_) {
  case kind::plain: return ::write(fd_, bytes.data(), bytes.size());
  case kind::separate: return ::write(own_.get(), bytes.data(), bytes.size());
  case kind::socket: return ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  case kind::careful: break;
  }
  pollfd ready{fd_, POLLOUT, 0};
  if (::poll(&ready, 1, 0) <= 0) {
    errno = EAGAIN;
    return -1;
  }
  return ::write(fd_, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
}

expected<std::size_t> outlet::push(std::string_view bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const auto n = write_some(bytes.substr(sent));
    if (n >= 0) {
      sent += static_cast<std::size_t>(n);
    } else if (errno == EPIPE || errno == ECONNRESET || (errno == EIO && terminal_)) {
      hung_up_ = errno == EIO;
      closed_ = true;
      sent = bytes.size();
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    } else if (errno != EINTR) {
      return fail_errno(
          fd_ == 2 ? "cannot write to standard error" : "cannot write to standard output", errno);
    }
  }
  done_ += sent;
  return sent;
}

expected<void> outlet::put(std::string_view bytes) {
  if (closed_) {
    done_ += bytes.size();
    return {};
  }
  if (!pending()) {
    const auto sent = push(bytes);
    if (!sent)
      return tl::unexpected(sent.error());
    bytes.remove_prefix(*sent);
  }
  rest_.append(bytes);
  return {};
}

void outlet::swallow() {
  closed_ = true;
  done_ += rest_.size() - at_;
  rest_.clear();
  at_ = 0;
}

expected<void> outlet::flush() {
  const auto sent = push(std::string_view(rest_).substr(at_));
  if (!sent)
    return tl::unexpected(sent.error());
  at_ += *sent;
  if (at_ == rest_.size()) {
    rest_.clear();
    at_ = 0;
  }
  return {};
}

} // namespace banger::cli
