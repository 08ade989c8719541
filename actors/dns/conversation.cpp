#include "actors/dns/conversation.hpp"

#include "actors/dns/query.hpp"

#include <array>
#include <cerrno>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <utility>

namespace banger::dns {

namespace {

constexpr std::size_t length_size = 2;

std::size_t length_at_front(std::string_view bytes) {
  return std::size_t{static_cast<unsigned char>(bytes[0])} << 8 |
         static_cast<unsigned char>(bytes[1]);
}

void append_framed(std::string& to, std::string_view message) {
  to += static_cast<char>(message.size() >> 8 & 0xff);
  to += static_cast<char>(message.size() & 0xff);
  to += message;
}

} // namespace

conversation::conversation(io::reactor& loop, unique_fd socket, std::chrono::milliseconds idle,
                           answer_to answer, std::function<void(int)> on_end)
    : loop_(loop), socket_(std::move(socket)), idle_(idle), answer_(std::move(answer)),
      on_end_(std::move(on_end)) {}

void conversation::start() {
  loop_.watch(socket_.get(), EPOLLIN,
              [self = shared_from_this()](std::uint32_t events) { self->ready(events); });
  await_idle();
}

void conversation::close() {
  if (!socket_)
    return;
  loop_.post([keep = shared_from_this()] {}); // the handler may hold the last reference
  loop_.cancel(timer_);
  loop_.unwatch(socket_.get());
  socket_.reset();
}

void conversation::end() {
  const auto self = shared_from_this();
  const int fd = socket_.get();
  close();
  on_end_(fd);
}

// One read, one round of answers and one write per call, so that others have their turn.
void conversation::ready(std::uint32_t events) {
  if ((events & EPOLLERR) != 0)
    return end();
  if (!write_some())
    return end();
  if (out_.empty() && (!read_some() || !answer_some() || !write_some()))
    return end();
  if (peer_ended_ && out_.empty() && !has_query())
    return end();
  await_next();
}

bool conversation::read_some() {
  if (peer_ended_ || has_query())
    return true;
  std::array<char, length_size + most_query> buffer;
  const auto n = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (n > 0)
    in_.append(buffer.data(), static_cast<std::size_t>(n));
  peer_ended_ = n == 0;
  return n >= 0 || errno == EAGAIN || errno == EINTR;
}

// False: it is no use to go on. A peer that sends what is no query does not get a second word.
bool conversation::answer_some() {
  std::size_t at = 0;
  for (std::size_t count = 0; count < most_in_flight; ++count) {
    const auto rest = std::string_view(in_).substr(at);
    if (rest.size() < length_size)
      break;
    const auto length = length_at_front(rest);
    if (length < header_size || length > most_query)
      return false;
    if (rest.size() < length_size + length)
      break;
    const auto answer = answer_(rest.substr(length_size, length));
    if (!answer)
      return false;
    append_framed(out_, *answer);
    at += length_size + length;
  }
  in_.erase(0, at);
  if (at > 0)
    await_idle();
  return true;
}

bool conversation::write_some() {
  if (out_.empty())
    return true;
  const auto n = ::send(socket_.get(), out_.data(), out_.size(), MSG_NOSIGNAL);
  if (n > 0)
    out_.erase(0, static_cast<std::size_t>(n));
  return n >= 0 || errno == EAGAIN || errno == EINTR;
}

/// A whole one, or one that is wrong already.
bool conversation::has_query() const {
  if (in_.size() < length_size)
    return false;
  const auto length = length_at_front(in_);
  return length < header_size || length > most_query || in_.size() >= length_size + length;
}

void conversation::await_next() {
  // Queries that are here already wait for no byte: the socket's readiness to write calls us again.
  const bool write = !out_.empty() || has_query();
  loop_.rearm(socket_.get(), write ? EPOLLOUT : EPOLLIN);
}

// Counted from the last whole query, so that single bytes do not keep a connection.
void conversation::await_idle() {
  loop_.cancel(timer_);
  timer_ = loop_.at(io::reactor::clock::now() + idle_, [this] { end(); });
}

} // namespace banger::dns
