#include "cli/stream_input.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <utility>

namespace banger::cli {

using guest::frame_type;
using guest::stream_id;

namespace {

// Nobody types so fast, and a command that takes no input and ends within it leaves what was typed
// ahead to the next.
constexpr std::chrono::milliseconds typed_ahead{500};

// More than anybody types. Beyond it the terminal is not read until the guest takes some.
constexpr std::size_t most_ahead = std::size_t{16} * 1024 * 1024;

// Less than this on its way is nothing that a key would have to overtake.
constexpr std::uint64_t least_backlog = 1024;

// Ctrl-C, Ctrl-Z, Ctrl-\, as terminals have them unless they were changed. The last one counts.
constexpr std::string_view signal_keys = "\x03\x1a\x1c";

tl::unexpected<failure> not_sent(const char* what) {
  return fail(errc::bad_version, "cannot read the stream", what, "see `banger daemon logs`");
}

guest::header frame_at(frame_type type, std::uint64_t offset) {
  guest::header head;
  head.type = type;
  head.stream = stream_id::in;
  head.offset = offset;
  return head;
}

} // namespace

void stream_input::begin() {
  if (!not_before_ && counted_ && from_.is_terminal() && terminal_ == nullptr)
    not_before_ = clock::now() + typed_ahead;
}

std::optional<stream_input::clock::time_point> stream_input::wake_at() const {
  return !ended_ && not_before_ && clock::now() < *not_before_ ? not_before_ : std::nullopt;
}

int stream_input::poll_fd(const frame_link& link) const {
  const bool waits = ended_ || ending_ || wake_at() || (one_by_one() && read_ < sent_);
  if (terminal_ != nullptr)
    return !waits && ahead_.size() < most_ahead ? from_.fd() : -1;
  return !waits && link.has_room() && credit() > 0 ? from_.fd() : -1;
}

// What was sent is read before more is; of a file everything can be given back at the end.
bool stream_input::one_by_one() const {
  return counted_ && terminal_ == nullptr && read_ < guest::counted_input &&
         (from_.can_look() || from_.is_terminal());
}

std::uint64_t stream_input::credit() const { return guest::window - (sent_ - acked_); }

expected<void> stream_input::read(frame_link& link, const std::function<void(escape_act)>& wanted) {
  std::array<char, guest::max_payload> buffer;
  const auto most = terminal_ != nullptr ? buffer.size() : credit();
  const auto room = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), most));
  const bool looks = one_by_one() && from_.can_look();
  const auto n = looks ? from_.look(room) : from_.read(room);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return {};
  if (n < 0 && errno == EIO && from_.is_terminal() && !from_.hung_up()) {
    not_before_ = clock::now() + look_again;
    return {};
  }
  // A terminal that hung up reads as EIO: to the command that is the end of its input.
  if (n < 0 && errno != EIO)
    return fail_errno("cannot read standard input", errno);
  if (n <= 0) {
    hung_up_ = terminal_ != nullptr;
    ending_ = true;
    go_on(link);
  } else if (const std::string_view bytes(buffer.data(), static_cast<std::size_t>(n));
             terminal_ != nullptr) {
    take_typed(bytes, link, wanted);
  } else {
    send(bytes, link);
    if (!looks)
      removed_ = sent_;
    else if (from_.ends_after(bytes.size()))
      end(link);
  }
  return {};
}

void stream_input::take_typed(std::string_view typed, frame_link& link,
                              const std::function<void(escape_act)>& wanted) {
  while (!typed.empty()) {
    std::string to_guest;
    const auto act = terminal_->escapes.feed(typed, to_guest);
    put_typed(to_guest, link);
    if (act != escape_act::none)
      wanted(act);
  }
}

void stream_input::put_typed(std::string_view bytes, frame_link& link) {
  press_keys(bytes, link);
  ahead_.append(bytes);
  go_on(link);
}

void stream_input::go_on(frame_link& link) {
  std::size_t at = 0;
  while (at < ahead_.size() && credit() > 0 && link.has_room()) {
    const auto most = std::min<std::uint64_t>(guest::max_payload, credit());
    const auto piece = std::string_view(ahead_).substr(at, most);
    send(piece, link);
    at += piece.size();
  }
  ahead_.erase(0, at);
  if (ending_ && !ended_ && ahead_.empty())
    end(link);
}

// A key that may be a signal must not wait for a command to read what was typed before it. It is
// told apart, and goes its way as a byte as well, for a guest that takes it for one.
void stream_input::press_keys(std::string_view bytes, frame_link& link) const {
  const auto waiting = sent_ - acked_ + ahead_.size();
  if (!known_ || !terminal_->tells_keys || waiting + bytes.size() < least_backlog)
    return;
  for (const char key : signal_keys)
    if (const auto at = bytes.rfind(key); at != std::string_view::npos)
      link.send(frame_at(frame_type::urgent, sent_ + ahead_.size() + at), {&key, 1});
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
}

expected<void> stream_input::take_ack(std::uint64_t offset, frame_link& link) {
  if (offset > sent_ || offset < acked_)
    return not_sent("it acknowledges what was not sent");
  kept_.erase(0, offset - acked_);
  acked_ = offset;
  if (std::exchange(known_, true)) {
    go_on(link);
    return {};
  }
  for (std::size_t at = 0; at < kept_.size(); at += guest::max_payload)
    link.send(frame_at(frame_type::data, acked_ + at),
              std::string_view(kept_).substr(at, guest::max_payload));
  if (ended_)
    link.send(frame_at(frame_type::eof, sent_), {});
  go_on(link);
  return {};
}

expected<void> stream_input::take_count(std::uint64_t offset) {
  if (offset > sent_ || offset < read_)
    return not_sent("it counts what was not sent");
  counted_ = true;
  read_ = offset;
  // The guest counts no further: from here on the window decides.
  const auto gone = read_ < guest::counted_input ? read_ : sent_;
  if (from_.can_look() && gone > removed_) {
    from_.take(gone - removed_);
    removed_ = gone;
  }
  return {};
}

std::uint64_t stream_input::settle() {
  if (!counted_)
    return 0;
  from_.give_back_after(read_, sent_);
  return from_.is_terminal() && terminal_ == nullptr ? sent_ - read_ : 0;
}

} // namespace banger::cli
