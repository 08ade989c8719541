#include "actors/io/stream_client.hpp"

#include <algorithm>
#include <array>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace banger::io {

namespace {

constexpr std::size_t token_digits = 32;

}

stream_client::stream_client(reactor& loop, unique_fd socket, const stream_limits& limits,
                             redeem find, std::function<void(int)> on_closed)
    : loop_(loop), socket_(std::move(socket)), limits_(limits), find_(std::move(find)),
      on_closed_(std::move(on_closed)), out_(socket_.get()) {}

void stream_client::start() {
  armed_ = EPOLLIN | EPOLLRDHUP;
  loop_.watch(socket_.get(), armed_,
              [self = shared_from_this()](std::uint32_t events) { self->on_ready(events); });
  set_deadline(limits_.token_wait);
}

void stream_client::on_ready(std::uint32_t events) {
  // A client that went away reads nothing any more, whatever it still sent.
  const bool gone = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (gone && stage_ != stage::token)
    return close();
  if ((events & EPOLLOUT) != 0) {
    out_.flush();
    written();
    if (stage_ == stage::streaming && out_.empty())
      stream_->on_room();
  }
  if (stage_ != stage::closed && (events & EPOLLIN) != 0)
    read();
  if (gone)
    close();
}

void stream_client::read() {
  switch (stage_) {
  case stage::token: return read_token();
  case stage::streaming: return read_frames();
  case stage::flushing:
  case stage::lingering: return discard();
  case stage::closed: return;
  }
}

void stream_client::read_token() {
  std::array<char, token_digits> buffer;
  std::size_t bytes = 0;
  const auto state = read_some(socket_.get(), buffer.data(), token_digits - token_.size(), bytes);
  if (state != got::some)
    return close();
  token_.append(buffer.data(), bytes);
  if (token_.size() == token_digits)
    begin(token_);
}

void stream_client::begin(const std::string& token) {
  loop_.cancel(std::exchange(deadline_, 0));
  stage_ = stage::streaming;
  stream_ = find_(token);
  if (!stream_)
    return fail_with("the stream token is unknown, was used before or is too old");
  const auto keep = stream_;
  keep->begin(*this);
}

void stream_client::read_frames() {
  std::string wrong;
  const auto state =
      reader_.read(socket_.get(), [&](const guest::header& h, std::string_view payload) {
        if (stage_ != stage::streaming)
          return false;
        const auto keep = stream_; // it may end itself
        wrong = h.session != 1 ? "a stream connection has only session 1"
                               : keep->from_client(h, payload);
        return wrong.empty();
      });
  if (stage_ != stage::streaming)
    return;
  if (state == got::end)
    return close();
  if (state == got::broken)
    wrong = "what came is not a frame";
  if (!wrong.empty())
    return fail_with("the client broke the protocol: " + wrong);
  written();
}

void stream_client::discard() {
  std::size_t bytes = 0;
  if (read_some(socket_.get(), scratch::get(), scratch::read_size, bytes) == got::end)
    close();
}

void stream_client::written() {
  if (stage_ == stage::closed)
    return;
  if (out_.gone())
    return close();
  if (stage_ == stage::flushing && out_.empty()) {
    stage_ = stage::lingering; // the client closes first: what it sent meanwhile is no error to it
    ::shutdown(socket_.get(), SHUT_WR);
    set_deadline(limits_.linger);
  }
  arm();
}

void stream_client::resume() { written(); }

void stream_client::arm() {
  std::uint32_t events = EPOLLRDHUP;
  if (stage_ != stage::streaming || stream_->wants_input())
    events |= EPOLLIN;
  if (!out_.empty())
    events |= EPOLLOUT;
  if (std::exchange(armed_, events) != events)
    loop_.rearm(socket_.get(), events);
}

void stream_client::finish() {
  if (stage_ != stage::streaming)
    return;
  stage_ = stage::flushing;
  if (const auto s = detach())
    s->end();
  written();
}

void stream_client::fail_with(const std::string& why) {
  if (stage_ != stage::streaming)
    return;
  guest::header h;
  h.type = guest::frame_type::failed;
  out_.control(h, guest::encode(guest::failed_body{guest::frame_type::open, 0, why}));
  finish();
}

void stream_client::set_deadline(std::chrono::milliseconds after) {
  loop_.cancel(deadline_);
  deadline_ = loop_.at(reactor::clock::now() + after, [this] {
    deadline_ = 0;
    close();
  });
}

std::shared_ptr<stream> stream_client::detach() { return std::exchange(stream_, nullptr); }

void stream_client::close() {
  if (std::exchange(stage_, stage::closed) == stage::closed)
    return;
  loop_.post([keep = shared_from_this()] {}); // the handler may hold the last reference
  loop_.cancel(std::exchange(deadline_, 0));
  if (const auto s = detach())
    s->end();
  close_socket();
}

void stream_client::let_go() {
  if (stage_ == stage::streaming)
    if (const auto s = detach())
      s->let_go();
  close();
}

void stream_client::close_socket() {
  const int fd = socket_.get();
  loop_.unwatch(fd);
  on_closed_(fd);
  socket_.reset();
}

std::size_t stream_client::buffered_bytes() const {
  return out_.bytes() + reader_.buffered() + (stream_ ? stream_->buffered_bytes() : 0);
}

} // namespace banger::io
