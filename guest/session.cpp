#include "guest/session.hpp"

#include "guest/cgroups.hpp"
#include "guest/spawn.hpp"
#include "guest/terminal.hpp"

#include <csignal>
#include <fcntl.h>
#include <sys/wait.h>

namespace banger::guest {

namespace {

// As long as `docker exec` waits for others that hold the command's output open.
constexpr std::uint64_t linger_ms = 2000;

} // namespace

done session::open(const open_body& order) {
  cgroup_ = make_cgroup(id_);
  const unique_fd folder(cgroup_.empty() ? -1 : ::open(cgroup_.c_str(), O_DIRECTORY | O_CLOEXEC));
  auto child = spawn(order, folder.get());
  if (!child) {
    remove_cgroup(std::move(cgroup_));
    return tl::unexpected(child.error());
  }
  pid_ = child->pid;
  running_ = true;
  tty_ = order.tty;
  failure_ = std::move(child->failure);
  done ok;
  if (tty_)
    terminal_.reset(::fcntl(child->out.get(), F_DUPFD_CLOEXEC, 3));
  if (child->in && ok)
    ok = in_.start(events_, std::move(child->in), tty_);
  if (ok)
    ok = out_.start(events_, std::move(child->out));
  if (child->err && ok)
    ok = err_.start(events_, std::move(child->err));
  taken_due_ = in_.counts();
  return ok;
}

session::~session() {
  events_.cancel(linger_);
  if (running_)
    kill();
  in_.close(events_);
  out_.close(events_);
  err_.close(events_);
  remove_cgroup(std::move(cgroup_));
}

// The group is there once the child has come to make it.
bool session::send_signal(int number) const {
  return ::kill(-pid_, number) == 0 || (errno == ESRCH && ::kill(pid_, number) == 0);
}

void session::kill() {
  if (!kill_cgroup(cgroup_) && running_)
    send_signal(SIGKILL);
}

done session::receive(const frame_view& f) {
  const auto offset = f.head.offset;
  const auto& body = f.payload;
  switch (f.head.type) {
  case frame_type::data:
    return in_.receive(offset, body) ? done{} : refused("stdin: bytes beyond the window", EPROTO);
  case frame_type::eof:
    return in_.end(offset) ? done{} : refused("stdin: it ends elsewhere", EPROTO);
  case frame_type::ack:
    if (f.head.stream == stream_id::out ? out_.acknowledge(offset) : err_.acknowledge(offset))
      return {};
    return refused("acknowledged more than was sent", EPROTO);
  case frame_type::signal:
    if (const auto order = decode<signal_body>(body))
      return signal(order->number);
    break;
  case frame_type::resize:
    if (const auto order = decode<resize_body>(body))
      return terminal_ ? resize_terminal(terminal_.get(), order->rows, order->cols)
                       : refused("not a terminal", ENOTTY);
    break;
  case frame_type::urgent:
    if (terminal_ && body.size() == 1) {
      if (press_signal_key(terminal_.get(), body.front()))
        in_.drop_before(offset + 1);
      return {};
    }
    break;
  case frame_type::attach:
    if (const auto order = decode<attach_body>(body))
      return attach(*order);
    break;
  default: break;
  }
  return refused("a frame that cannot be read, or is not for a session", EPROTO);
}

done session::signal(std::uint32_t number) {
  ack_due_ = true;
  if (running_ && !send_signal(static_cast<int>(number)))
    return failed_to("signal " + std::to_string(number));
  return {};
}

done session::attach(const attach_body& from) {
  if (!out_.holds(from.out) || !err_.holds(from.err))
    return refused("cannot go back to bytes that were acknowledged", ERANGE);
  out_.rewind(from.out);
  err_.rewind(from.err);
  attached_ = opened_due_ = ack_due_ = true;
  taken_due_ = in_.counts();
  exited_sent_ = false;
  why_due_ = !why_.empty();
  return {};
}

bool session::move() {
  bool moved = in_.write_more(events_);
  moved = out_.read_more(events_) || moved;
  moved = err_.read_more(events_) || moved;
  ack_due_ = in_.ack_due() || ack_due_;
  taken_due_ = taken_due_ || in_.taken() != taken_told_;
  return moved;
}

bool session::next_frame(std::string& out, std::size_t room) {
  if (!attached_ || room < header_size + 64)
    return false;
  const auto put = [&](frame_type type, std::uint64_t offset, std::string_view payload) {
    encode(out, header{type, stream_id::in, id_, 0, offset}, payload);
    return true;
  };
  if (taken_due_) {
    taken_due_ = false;
    taken_told_ = in_.taken();
    return put(frame_type::taken, taken_told_, {});
  }
  if (opened_due_) {
    opened_due_ = false;
    return put(frame_type::opened, 0, encode(opened_body{static_cast<std::uint32_t>(pid_)}));
  }
  if (ack_due_) {
    ack_due_ = false;
    return put(frame_type::ack, in_.consumed(), {});
  }
  if (err_.next_frame(out, room, id_) || out_.next_frame(out, room, id_))
    return true;
  if (!status_ || exited_sent_ || !out_.eof_sent() || !err_.eof_sent())
    return false;
  if (std::exchange(why_due_, false))
    return put(frame_type::failed, 0,
               encode(failed_body{frame_type::exited, status_->value, why_}));
  exited_sent_ = true;
  return put(frame_type::exited, 0, encode(*status_));
}

void session::child_ended(int wait_status) {
  running_ = false;
  if (WIFSIGNALED(wait_status))
    status_ = exited_body{exit_kind::signalled, static_cast<std::uint32_t>(WTERMSIG(wait_status))};
  else
    status_ = exited_body{exit_kind::exited, static_cast<std::uint32_t>(WEXITSTATUS(wait_status))};
  if (auto failure = read_failure(failure_.get())) {
    status_ = failure->end;
    why_ = std::move(failure->why);
    why_due_ = !why_.empty();
  }
  failure_.reset();
  in_.close(events_);
  taken_due_ = in_.counts();
  linger_ = events_.after_ms(linger_ms, [this] {
    out_.give_up();
    err_.give_up();
  });
}

} // namespace banger::guest
