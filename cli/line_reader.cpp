#include "cli/line_reader.hpp"

#include "cli/frame_link.hpp"

#include <cerrno>
#include <poll.h>

namespace banger::cli {

using guest::frame_type;
using guest::stream_id;

namespace {

// As in any stream: the sender is left with three quarters of its window.
constexpr std::uint64_t ack_every = guest::window / 4;

class line_reader {
public:
  line_reader(unique_fd connection, const std::function<bool(std::string_view)>& line)
      : link_(std::move(connection)), line_(line) {}

  expected<void> run() {
    while (!done_) {
      pollfd ready{link_.fd(), static_cast<short>(POLLIN | (link_.wants_to_write() ? POLLOUT : 0)),
                   0};
      if (::poll(&ready, 1, -1) < 0) {
        if (errno == EINTR)
          continue;
        return fail_errno("cannot wait for the daemon", errno);
      }
      const bool open = (ready.revents & (POLLIN | POLLHUP | POLLERR)) == 0 || link_.receive();
      if (auto ok = take_frames(); !ok)
        return ok;
      if (!done_ && (!open || (link_.wants_to_write() && !link_.write())))
        return fail(errc::disconnected, "the daemon went away", "it ended, or cut the connection",
                    "see `banger daemon logs`");
    }
    return {};
  }

private:
  expected<void> take_frames() {
    while (!done_) {
      const auto frame = link_.next();
      if (!frame)
        return tl::unexpected(frame.error());
      if (!*frame)
        return {};
      if ((*frame)->head.type == frame_type::data)
        take((*frame)->payload);
      else if ((*frame)->head.type == frame_type::failed)
        return refused((*frame)->payload);
      else if ((*frame)->head.type == frame_type::eof)
        done_ = true;
    }
    return {};
  }

  static expected<void> refused(std::string_view payload) {
    const auto body = guest::decode<guest::failed_body>(payload);
    return fail(errc::operation_failed, "the daemon refused the stream",
                body ? body->text : "it does not say why");
  }

  void take(std::string_view bytes) {
    rest_ += bytes;
    received_ += bytes.size();
    std::size_t at = 0;
    for (auto end = rest_.find('\n'); end != std::string::npos && !done_;
         end = rest_.find('\n', at)) {
      done_ = !line_(std::string_view(rest_).substr(at, end - at));
      at = end + 1;
    }
    rest_.erase(0, at);
    if (received_ - acked_ < ack_every)
      return;
    acked_ = received_;
    guest::header head;
    head.type = frame_type::ack;
    head.stream = stream_id::out;
    head.offset = received_;
    link_.send(head, {});
  }

  frame_link link_;
  const std::function<bool(std::string_view)>& line_;
  std::string rest_; ///< the beginning of a line
  std::uint64_t received_ = 0, acked_ = 0;
  bool done_ = false;
};

} // namespace

expected<void> read_lines(unique_fd connection, const std::function<bool(std::string_view)>& line) {
  return line_reader(std::move(connection), line).run();
}

} // namespace banger::cli
