#include "cli/exec_stream.hpp"

#include "cli/exit_codes.hpp"
#include "cli/frame_link.hpp"
#include "cli/guest_silence.hpp"
#include "cli/outlet.hpp"
#include "cli/signals.hpp"
#include "cli/stream_input.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <poll.h>
#include <sys/signalfd.h>
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

// So long a command that was hung up has to end, before it is killed.
constexpr std::chrono::milliseconds last_moments{1000};

tl::unexpected<failure> out_of_order(const char* why) {
  return fail(errc::bad_version, "cannot read the stream", why, "see `banger daemon logs`");
}

struct drain { // one of the two ways out
  explicit drain(int fd) : to(fd) {}

  outlet to;
  std::uint64_t received = 0, acked = 0;
};

class exec_stream {
public:
  exec_stream(unique_fd connection, const stream_ends& ends, bool is_log, reattach again = {})
      : link_(std::move(connection)), again_(std::move(again)), terminal_(ends.terminal),
        in_(ends.in, again_ != nullptr, ends.terminal), signals_(ends.signals),
        silence_(ends.on_silence), is_log_(is_log), drains_{drain(ends.out), drain(ends.err)} {}

  expected<outcome> run();

private:
  using clock = std::chrono::steady_clock;
  enum slot : std::size_t { at_link, at_in, at_out, at_err, at_signals, slots };

  std::array<pollfd, slots> interests() const;
  expected<void> handle(const std::array<pollfd, slots>& ready);
  expected<void> take_frames();
  expected<void> take(const received& frame);
  expected<void> take_data(const received& frame);
  expected<void> take_exited(std::string_view payload);
  expected<void> take_opened();
  expected<void> take_failed(std::string_view payload);
  expected<void> go_on();
  expected<void> read_input();
  expected<void> take_signals();
  expected<void> take_signal(std::uint32_t number);
  expected<void> take_terminal_signal(std::uint32_t number);
  expected<void> take_up_terminal();
  void send_signal(std::uint32_t number);
  void send_size();
  void leave(const outcome& how);
  void acknowledge();
  int patience() const;
  std::optional<outcome> ended();

  bool wants_input() const { return opened_ && !end_ && !leaving_; }
  bool wants_terminal() const { return terminal_ != nullptr && wants_input(); }
  drain& drain_of(stream_id stream) { return drains_[stream == stream_id::err ? 1 : 0]; }

  frame_link link_;
  reattach again_;
  terminal_session* terminal_;
  stream_input in_;
  int signals_;
  guest_silence silence_;
  bool is_log_, opened_ = false, connected_ = true;
  std::array<drain, 2> drains_;
  int losses_ = 0;                 ///< of connections, one after the other
  std::optional<outcome> leaving_; ///< the terminal's session is over; the command may yet end
  clock::time_point leave_by_;
  std::string why_;                ///< the guest's words to an end that follows
  std::optional<outcome> end_;     ///< told by the other side; our output may still be on its way
  std::optional<outcome> at_once_; ///< decided here; nothing is waited for
  impatience patience_;
};

expected<outcome> exec_stream::run() {
  for (;;) {
    auto ready = interests();
    if (::poll(ready.data(), ready.size(), patience()) < 0) {
      if (errno == EINTR)
        continue;
      return fail_errno("cannot wait for the stream", errno);
    }
    if (auto ok = handle(ready); !ok)
      return tl::unexpected(ok.error());
    if (!is_log_ && !end_)
      if (const auto number = silence_.look())
        at_once_ = outcome{ending::gave_up, *number};
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
  in_.lost();
  if (const auto number = silence_.ask_again())
    send_signal(*number);
  for (auto& drain : drains_)
    drain.acked = drain.received;
  return {};
}

std::array<pollfd, exec_stream::slots> exec_stream::interests() const {
  std::array<pollfd, slots> all{};
  all[at_link] = {connected_ && !end_ ? link_.fd() : -1,
                  static_cast<short>(POLLIN | (link_.wants_to_write() ? POLLOUT : 0)), 0};
  all[at_in] = {wants_input() ? in_.poll_fd(link_) : -1, POLLIN, 0};
  for (const auto i : {0u, 1u})
    all[at_out + i] = {drains_[i].to.pending() ? drains_[i].to.poll_fd() : -1, POLLOUT, 0};
  all[at_signals] = {signals_, POLLIN, 0};
  return all;
}

expected<void> exec_stream::handle(const std::array<pollfd, slots>& ready) {
  if (ready[at_signals].revents != 0)
    if (auto ok = take_signals(); !ok)
      return ok;
  if ((ready[at_link].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
    connected_ = link_.receive();
    if (auto ok = take_frames(); !ok)
      return ok;
  }
  for (const auto i : {0u, 1u})
    if (ready[at_out + i].revents != 0)
      if (auto ok = drains_[i].to.flush(); !ok)
        return ok;
  if (ready[at_in].revents != 0 && wants_input())
    if (auto ok = read_input(); !ok)
      return ok;
  if (wants_terminal() && !terminal_->raw.holds())
    if (auto ok = take_up_terminal(); !ok)
      return ok;
  if (wants_input())
    in_.go_on(link_);
  if (terminal_ != nullptr && !leaving_ && drains_[0].to.hung_up())
    leave({ending::gave_up, SIGHUP});
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
  // Of a signal, too, the guest says where its standard input stands.
  if (frame.head.type == frame_type::ack || frame.head.type == frame_type::failed)
    silence_.confirmed();
  switch (frame.head.type) {
  case frame_type::opened: return take_opened();
  case frame_type::data: return take_data(frame);
  case frame_type::eof:
    if (is_log_ && frame.head.stream == stream_id::out)
      end_ = outcome{ending::log_end, 0};
    return {};
  case frame_type::ack:
    return frame.head.stream == stream_id::in ? in_.take_ack(frame.head.offset, link_)
                                              : out_of_order("it acknowledges its own output");
  case frame_type::taken: return in_.take_count(frame.head.offset);
  case frame_type::exited: return take_exited(frame.payload);
  case frame_type::failed: return take_failed(frame.payload);
  default: return out_of_order("a frame came that has no place here");
  }
}

// Only now the terminal is the guest's: before, Ctrl-C was for us. Its size may have changed on the
// way, or while the connection was lost.
expected<void> exec_stream::take_opened() {
  opened_ = true;
  silence_.opened();
  losses_ = 0;
  in_.begin();
  return wants_terminal() ? take_up_terminal() : expected<void>{};
}

expected<void> exec_stream::take_up_terminal() {
  if (auto ok = terminal_->raw.enter(); !ok)
    return ok;
  if (terminal_->raw.holds())
    send_size();
  return {};
}

expected<void> exec_stream::take_failed(std::string_view payload) {
  const auto body = guest::decode<guest::failed_body>(payload);
  const auto of = body ? body->request : frame_type::open;
  why_ = of == frame_type::exited ? body->text : why_;
  // The others came too late for a command that has just ended.
  if (of == frame_type::exited || of == frame_type::signal || of == frame_type::resize)
    return {};
  if (body && opened_)
    return fail(errc::operation_failed, body->text);
  return fail(errc::operation_failed, is_log_ ? "no log" : "the command was not started",
              body ? body->text : "the guest does not say why");
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

expected<void> exec_stream::take_exited(std::string_view payload) {
  const auto body = guest::decode<guest::exited_body>(payload);
  if (!body)
    return out_of_order("the exit status cannot be read");
  end_ = outcome{ending_of(body->kind), body->value};
  end_->why = std::move(why_);
  end_->unread = in_.settle();
  return {};
}

expected<void> exec_stream::read_input() {
  auto ok = in_.read(link_, [this](escape_act act) {
    if (act == escape_act::leave)
      leave({ending::left, SIGHUP});
    else if (act == escape_act::suspend)
      ::kill(0, SIGTSTP); // and whoever else is in our job
    else
      terminal_session::say(terminal_->escapes.help());
  });
  if (in_.hung_up())
    leave({ending::gave_up, SIGHUP});
  return ok;
}

expected<void> exec_stream::take_signals() {
  signalfd_siginfo info{};
  while (!at_once_ && ::read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
    if (auto ok = terminal_ != nullptr ? take_terminal_signal(info.ssi_signo)
                                       : take_signal(info.ssi_signo);
        !ok)
      return ok;
  return {};
}

expected<void> exec_stream::take_signal(std::uint32_t number) {
  const bool enough = patience_.add(impatience::clock::now());
  // When the command has ended, only our own output is waited for. A log has nothing to signal.
  if (enough || end_ || is_log_ || !opened_) {
    at_once_ = outcome{ending::gave_up, number};
    return {};
  }
  send_signal(number);
  silence_.signalled(number);
  return {};
}

// Keys come as bytes. So a signal is from outside, and for us.
expected<void> exec_stream::take_terminal_signal(std::uint32_t number) {
  auto ok = number == SIGTSTP ? terminal_->raw.suspend() : expected<void>{};
  if (number != SIGTSTP && number != SIGCONT && number != SIGWINCH)
    leave({ending::gave_up, number});
  else if (ok && wants_terminal())
    return take_up_terminal();
  else
    terminal_->raw.leave();
  return ok;
}

void exec_stream::send_signal(std::uint32_t number) {
  guest::header head;
  head.type = frame_type::signal;
  link_.send(head, guest::encode(guest::signal_body{number}));
}

void exec_stream::send_size() {
  const auto size = window_of(terminal_->fd);
  guest::header head;
  head.type = frame_type::resize;
  link_.send(head, guest::encode(guest::resize_body{size.rows, size.cols}));
}

// As when a line hangs up: the shell hears of it, and what it started with nohup lives on. The
// terminal is ours again at once.
void exec_stream::leave(const outcome& how) {
  if (leaving_ || !opened_ || end_) {
    at_once_ = leaving_.value_or(how);
    return;
  }
  leaving_ = how;
  leave_by_ = clock::now() + last_moments;
  terminal_->raw.leave();
  for (auto& drain : drains_)
    drain.to.swallow();
  send_signal(SIGHUP);
}

int exec_stream::patience() const {
  auto until = clock::time_point::max();
  const auto no_later_than = [&until](clock::time_point t) { until = std::min(until, t); };
  if (const auto at = in_.wake_at(); at && wants_input())
    no_later_than(*at);
  if (wants_terminal() && !terminal_->raw.holds())
    no_later_than(clock::now() + look_again);
  if (const auto at = silence_.wake_at(); at && !is_log_ && !end_)
    no_later_than(*at);
  if (leaving_)
    until = leave_by_;
  if (until == clock::time_point::max())
    return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
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
  if (leaving_)
    return end_ || !connected_ || clock::now() >= leave_by_ ? leaving_ : std::nullopt;
  if (drains_[0].to.closed())
    return outcome{ending::output_closed, 0};
  if (end_ && !drains_[0].to.pending() && !drains_[1].to.pending())
    return end_;
  return std::nullopt;
}

} // namespace

expected<outcome> run_exec_stream(unique_fd connection, const stream_ends& ends,
                                  const reattach& again) {
  return exec_stream(std::move(connection), ends, false, again).run();
}

expected<outcome> run_log_stream(unique_fd connection, int out, int signals) {
  return exec_stream(std::move(connection), {-1, out, 2, signals}, true).run();
}

} // namespace banger::cli
