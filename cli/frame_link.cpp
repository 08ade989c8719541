#include "cli/frame_link.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>

namespace banger::cli {

frame_link::frame_link(unique_fd connection) : fd_(std::move(connection)), in_(new char[capacity]) {
  ::fcntl(fd_.get(), F_SETFL, ::fcntl(fd_.get(), F_GETFL) | O_NONBLOCK);
}

void frame_link::send(guest::header head, std::string_view payload) {
  head.session = 1;
  guest::encode(out_, head, payload);
}

bool frame_link::write() {
  while (unsent() > 0) {
    const auto n = ::send(fd_.get(), out_.data() + out_at_, unsent(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    // A peer that has said its last word hears no more; what it said may still be unread.
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
      break;
    if (n < 0)
      return errno == EAGAIN;
    out_at_ += static_cast<std::size_t>(n);
  }
  out_.clear();
  out_at_ = 0;
  return true;
}

bool frame_link::receive() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (capacity - end_ < capacity / 2) {
    std::memmove(in_.get(), in_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  const auto n = ::recv(fd_.get(), in_.get() + end_, capacity - end_, 0);
  if (n < 0)
    return errno == EAGAIN || errno == EINTR;
  end_ += static_cast<std::size_t>(n);
  return n > 0;
}

expected<std::optional<received>> frame_link::next() {
  const std::string_view bytes(in_.get() + begin_, end_ - begin_);
  if (bytes.size() < guest::header_size)
    return std::nullopt;
  const auto head = guest::decode_header(bytes);
  if (!head || head->session != 1)
    return fail(errc::bad_version, "cannot read the stream", "what the daemon sent is no frame",
                "see `banger daemon logs`");
  const auto size = guest::header_size + head->length;
  if (bytes.size() < size)
    return std::nullopt;
  begin_ += size;
  return received{*head, bytes.substr(guest::header_size, head->length)};
}

} // namespace banger::cli
