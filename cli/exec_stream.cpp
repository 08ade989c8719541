#include "cli/exec_stream.hpp"

#include "cli/frame_link.hpp"
#include "cli/outlet.hpp"
#include "cli/signals.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace banger::cli {

using guest::frame_type;
using guest::stream_id;

namespace {

// An acknowledgement goes out when this many bytes were written since the last one: the sender is
// left with three quarters of its window, and a guest that emulates its CPU with few interrupts.
constexpr std::uint64_t ack_every = guest::window / 4;

// Connections that are lost before the command speaks: a daemon that dies of it again and again.
constexpr int most_losses = 3;

tl::unexpected<failure> out_of_order(const char* why) {
  return fail(errc::bad_version, "cannot read the stream", why, "see `banger daemon logs`");
}

// One of the two ways out: what came in, where it goes, what was acknowledged.
struct drain {
  explicit drain(int fd) : to(fd) {}

  outlet to;
  std::uint64_t received = 0, acked = 0;
};

class exec_stream {
public:
  exec_stream(unique_fd connection, const stream_ends& ends, bool is_log, reattach again = {})
      : link_(std::move(connection)), again_(std::move(again)), in_(ends.in),
        signals_(ends.signals), is_log_(is_log), drains_{drain(ends.out), drain(ends.err)} {}

  expected<outcome> run();

private:
  enum slot : std::size_t { at_link, at_in, at_out, at_err, at_signals, slots };

  std::array<pollfd, slots> interests() const;
  expected<void> handle(const std::array<pollfd, slots>& ready);
  expected<void> take_frames();
  expected<void> take(const received& frame);
  expected<void> take_data(const received& frame);
  expected<void> take_exited(std::string_view payload);
  expected<void> take_ack(const received& frame);
  expected<void> go_on();
  expected<void> read_input();
  void take_signals();
  void acknowledge();
  std::optional<outcome> ended();

  bool may_read_input() const {
    return in_ >= 0 && opened_ && in_known_ && !end_ && link_.has_room() &&
           in_sent_ - in_acked_ < guest::window;
  }
  drain& drain_of(stream_id stream) { return drains_[stream == stream_id::err ? 1 : 0]; }

  frame_link link_;
  reattach again_;
  int in_, signals_;
  bool is_log_, opened_ = false, connected_ = true;
  std::array<drain, 2> drains_;
  std::uint64_t in_sent_ = 0, in_acked_ = 0;
  std::string in_kept_;            ///< sent and not acknowledged, in case it has to be sent again
  bool in_ended_ = false;          ///< its end was sent
  int losses_ = 0;                 ///< of connections, one after the other
  bool in_known_ = true;           ///< after a reattach the guest first says where it stands
  std::optional<outcome> end_;     ///< told by the other side; our output may still be on its way
  std::optional<outcome> at_once_; ///< decided here; nothing is waited for
  impatience patience_;
};

expected<outcome> exec_stream::run() {
  for (;;) {
    auto ready = interests();
    if (::poll(ready.data(), ready.size(), -1) < 0) {
      if (errno == EINTR)
        continue;
      return fail_errno("cannot wait for the stream", errno);
    }
    if (auto ok = handle(ready); !ok)
      return tl::unexpected(ok.error());
    if (auto done = ended())
      return *done;
    if (!connected_ && !end_)
      if (auto ok = go_on(); !ok)
        return tl::unexpected(ok.error());
  }
}

// The guest holds what we have not received, we hold what it has not consumed.
expected<void> exec_stream::go_on() {
  if (!again_ || ++losses_ > most_losses)
    return fail(errc::disconnected, is_log_ ? "the log ended early" : "the command was lost",
                "the daemon closed the stream", "see `banger daemon logs`");
  auto connection = again_({drains_[0].received, drains_[1].received});
  if (!connection)
    return tl::unexpected(connection.error());
  link_ = frame_link(std::move(*connection));
  connected_ = true;
  in_known_ = false;
  for (auto& drain : drains_)
    drain.acked = drain.received;
  return {};
}

std::array<pollfd, exec_stream::slots> exec_stream::interests() const {
  std::array<pollfd, slots> all{};
  all[at_link] = {connected_ && !end_ ? link_.fd() : -1,
                  static_cast<short>(POLLIN | (link_.wants_to_write() ? POLLOUT : 0)), 0};
  all[at_in] = {may_read_input() ? in_ : -1, POLLIN, 0};
  for (const auto i : {0u, 1u})
    all[at_out + i] = {drains_[i].to.pending() ? drains_[i].to.poll_fd() : -1, POLLOUT, 0};
  all[at_signals] = {signals_, POLLIN, 0};
  return all;
}

expected<void> exec_stream::handle(const std::array<pollfd, slots>& ready) {
  if (ready[at_signals].revents != 0)
    take_signals();
  if ((ready[at_link].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
    connected_ = link_.receive();
    if (auto ok = take_frames(); !ok)
      return ok;
  }
  for (const auto i : {0u, 1u})
    if (ready[at_out + i].revents != 0)
      if (auto ok = drains_[i].to.flush(); !ok)
        return ok;
  if (ready[at_in].revents != 0 && may_read_input())
    if (auto ok = read_input(); !ok)
      return ok;
  acknowledge();
  if (connected_ && link_.wants_to_write() && !link_.write() && !end_)
    connected_ = false;
  return {};
}

expected<void> exec_stream::take_frames() {
  while (!end_) {
    const auto frame = link_.next();
    if (!frame)
      return tl::unexpected(frame.error());
    if (!*frame)
      return {};
    if (auto ok = take(**frame); !ok)
      return ok;
  }
  return {};
}

expected<void> exec_stream::take(const received& frame) {
  switch (frame.head.type) {
  case frame_type::opened:
    opened_ = true;
    losses_ = 0;
    return {};
  case frame_type::data: return take_data(frame);
  case frame_type::eof:
    if (is_log_ && frame.head.stream == stream_id::out)
      end_ = outcome{ending::log_end, 0};
    return {};
  case frame_type::ack: return take_ack(frame);
  case frame_type::exited: return take_exited(frame.payload);
  case frame_type::failed: {
    const auto body = guest::decode<guest::failed_body>(frame.payload);
    return fail(errc::operation_failed, is_log_ ? "no log" : "the command was not started",
                body ? body->text : "the guest does not say why");
  }
  default: return out_of_order("a frame came that has no place here");
  }
}

expected<void> exec_stream::take_data(const received& frame) {
  if (frame.head.stream == stream_id::in)
    return out_of_order("input came back");
  auto& drain = drain_of(frame.head.stream);
  if (frame.head.offset != drain.received)
    return out_of_order("bytes are missing");
  drain.received += frame.payload.size();
  if (drain.received - drain.acked > guest::window)
    return out_of_order("more came than was allowed");
  return drain.to.put(frame.payload);
}

expected<void> exec_stream::take_ack(const received& frame) {
  const auto offset = frame.head.offset;
  if (frame.head.stream != stream_id::in || offset > in_sent_ || offset < in_acked_)
    return out_of_order("it acknowledges what was not sent");
  in_kept_.erase(0, offset - in_acked_);
  in_acked_ = offset;
  if (std::exchange(in_known_, true))
    return {};
  guest::header head;
  head.type = frame_type::data;
  head.stream = stream_id::in;
  for (std::size_t at = 0; at < in_kept_.size(); at += guest::max_payload) {
    head.offset = in_acked_ + at;
    link_.send(head, std::string_view(in_kept_).substr(at, guest::max_payload));
  }
  head.type = frame_type::eof;
  head.offset = in_sent_;
  if (in_ended_)
    link_.send(head, {});
  return {};
}

expected<void> exec_stream::take_exited(std::string_view payload) {
  const auto body = guest::decode<guest::exited_body>(payload);
  if (!body)
    return out_of_order("the exit status cannot be read");
  switch (body->kind) {
  case guest::exit_kind::exited: end_ = outcome{ending::exited, body->value}; break;
  case guest::exit_kind::signalled: end_ = outcome{ending::signalled, body->value}; break;
  case guest::exit_kind::not_found: end_ = outcome{ending::not_found, body->value}; break;
  case guest::exit_kind::not_runnable: end_ = outcome{ending::not_runnable, body->value}; break;
  }
  return {};
}

expected<void> exec_stream::read_input() {
  std::array<char, guest::max_payload> buffer;
  const auto credit = guest::window - (in_sent_ - in_acked_);
  const auto n = ::read(in_, buffer.data(), std::min<std::uint64_t>(buffer.size(), credit));
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return {};
  // A terminal that hung up reads as EIO: to the command that is the end of its input.
  if (n < 0 && errno != EIO)
    return fail_errno("cannot read standard input", errno);
  const auto size = n > 0 ? static_cast<std::size_t>(n) : 0;
  guest::header head;
  head.type = size > 0 ? frame_type::data : frame_type::eof;
  head.stream = stream_id::in;
  head.offset = in_sent_;
  link_.send(head, {buffer.data(), size});
  in_sent_ += size;
  if (again_)
    in_kept_.append(buffer.data(), size);
  in_ended_ = size == 0;
  if (in_ended_)
    in_ = -1;
  return {};
}

void exec_stream::take_signals() {
  signalfd_siginfo info{};
  while (::read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    const bool enough = patience_.add(impatience::clock::now());
    // When the command has ended, only our own output is waited for.
    if (enough || end_) {
      at_once_ = outcome{ending::gave_up, info.ssi_signo};
      return;
    }
    guest::header head;
    head.type = frame_type::signal;
    link_.send(head, guest::encode(guest::signal_body{info.ssi_signo}));
  }
}

void exec_stream::acknowledge() {
  for (const auto i : {0u, 1u}) {
    auto& drain = drains_[i];
    const auto written = drain.to.written();
    if (written < drain.acked + ack_every)
      continue;
    drain.acked = written;
    guest::header head;
    head.type = frame_type::ack;
    head.stream = i == 0 ? stream_id::out : stream_id::err;
    head.offset = written;
    link_.send(head, {});
  }
}

std::optional<outcome> exec_stream::ended() {
  if (at_once_)
    return at_once_;
  if (drains_[0].to.closed())
    return outcome{ending::output_closed, 0};
  if (end_ && !drains_[0].to.pending() && !drains_[1].to.pending())
    return end_;
  return std::nullopt;
}

} // namespace

expected<unique_fd> open_stream(const std::filesystem::path& socket, const std::string& token) {
  unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd)
    return fail_errno("cannot make a socket", errno);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto& path = socket.native();
  if (path.size() >= sizeof address.sun_path)
    return fail(errc::bad_request, "the socket path is too long: " + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno("cannot open a stream to the daemon", errno);
  if (::send(fd.get(), token.data(), token.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(token.size()))
    return fail(errc::disconnected, "the daemon refused the stream", "", "try again");
  return fd;
}

expected<outcome> run_exec_stream(unique_fd connection, const stream_ends& ends,
                                  const reattach& again) {
  return exec_stream(std::move(connection), ends, false, again).run();
}

expected<outcome> run_log_stream(unique_fd connection, int out) {
  return exec_stream(std::move(connection), {-1, out, 2, -1}, true).run();
}

} // namespace banger::cli
