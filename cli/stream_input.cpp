#include "cli/stream_input.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <unistd.h>
#include <utility>

namespace banger::cli {

using guest::frame_type;
using guest::stream_id;

namespace {

guest::header frame_at(frame_type type, std::uint64_t offset) {
  guest::header head;
  head.type = type;
  head.stream = stream_id::in;
  head.offset = offset;
  return head;
}

} // namespace

int stream_input::poll_fd(const frame_link& link) const {
  return link.has_room() && credit() > 0 ? fd_ : -1;
}

// An escape character that was held back comes on top of what is read.
std::uint64_t stream_input::credit() const {
  const auto free = guest::window - (sent_ - acked_);
  return terminal_ != nullptr && free > 0 ? free - 1 : free;
}

expected<void> stream_input::read(frame_link& link, const std::function<void(escape_act)>& wanted) {
  std::array<char, guest::max_payload> buffer;
  const auto n = ::read(fd_, buffer.data(), std::min<std::uint64_t>(buffer.size(), credit()));
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return {};
  // A terminal that hung up reads as EIO: to the command that is the end of its input.
  if (n < 0 && errno != EIO)
    return fail_errno("cannot read standard input", errno);
  if (n <= 0) {
    hung_up_ = terminal_ != nullptr;
    end(link);
  } else if (const std::string_view bytes(buffer.data(), static_cast<std::size_t>(n));
             terminal_ != nullptr) {
    take_typed(bytes, link, wanted);
  } else {
    send(bytes, link);
  }
  return {};
}

void stream_input::take_typed(std::string_view typed, frame_link& link,
                              const std::function<void(escape_act)>& wanted) {
  while (!typed.empty()) {
    std::string to_guest;
    const auto act = terminal_->escapes.feed(typed, to_guest);
    if (!to_guest.empty())
      send(to_guest, link);
    if (act != escape_act::none)
      wanted(act);
  }
}

void stream_input::send(std::string_view bytes, frame_link& link) {
  if (known_)
    link.send(frame_at(frame_type::data, sent_), bytes);
  sent_ += bytes.size();
  if (keep_)
    kept_.append(bytes);
}

void stream_input::end(frame_link& link) {
  if (known_)
    link.send(frame_at(frame_type::eof, sent_), {});
  ended_ = true;
  fd_ = -1;
}

expected<void> stream_input::take_ack(std::uint64_t offset, frame_link& link) {
  if (offset > sent_ || offset < acked_)
    return fail(errc::bad_version, "cannot read the stream", "it acknowledges what was not sent",
                "see `banger daemon logs`");
  kept_.erase(0, offset - acked_);
  acked_ = offset;
  if (std::exchange(known_, true))
    return {};
  for (std::size_t at = 0; at < kept_.size(); at += guest::max_payload)
    link.send(frame_at(frame_type::data, acked_ + at),
              std::string_view(kept_).substr(at, guest::max_payload));
  if (ended_)
    link.send(frame_at(frame_type::eof, sent_), {});
  return {};
}

} // namespace banger::cli
