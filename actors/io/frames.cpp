#include "actors/io/frames.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>

namespace banger::io {

using guest::header_size;

char* scratch::get() {
  thread_local std::unique_ptr<char[]> buffer(new char[size]);
  // The analyzer takes a thread_local for a local.
  return buffer.get(); // NOLINT(clang-analyzer-cplusplus.NewDelete)
}

got read_some(int fd, char* buffer, std::size_t size, std::size_t& bytes) {
  bytes = 0;
  const auto n = ::recv(fd, buffer, size, MSG_DONTWAIT);
  if (n > 0) {
    bytes = static_cast<std::size_t>(n);
    return got::some;
  }
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return got::some;
  return got::end;
}

got frame_reader::read(int fd, const on_frame& f) {
  auto* buffer = scratch::get();
  std::memcpy(buffer, rest_.data(), rest_.size());
  std::size_t bytes = 0;
  const auto state = read_some(fd, buffer + rest_.size(), scratch::read_size, bytes);
  if (state != got::some || bytes == 0)
    return state;
  return split({buffer, rest_.size() + bytes}, f);
}

got frame_reader::feed(std::string_view bytes, const on_frame& f) {
  if (rest_.empty())
    return split(bytes, f);
  const auto all = rest_ + std::string(bytes);
  return split(all, f);
}

got frame_reader::split(std::string_view bytes, const on_frame& f) {
  while (bytes.size() >= header_size) {
    const auto h = guest::decode_header(bytes);
    if (!h)
      return got::broken;
    if (bytes.size() < header_size + h->length)
      break;
    const auto payload = bytes.substr(header_size, h->length);
    bytes.remove_prefix(header_size + h->length);
    if (!f(*h, payload))
      return got::some;
  }
  if (bytes.empty())
    rest_ = std::string(); // an idle peer holds no memory
  else
    rest_.assign(bytes);
  return got::some;
}

// Every position is tried, also inside of what looks like a hello: only epoch and body make it one.
std::optional<guest::hello_body> hello_search::feed(std::string_view bytes) {
  seen_.append(bytes);
  const auto all = std::string_view(seen_);
  auto keep = all.size();
  for (at_ = all.find('b'); at_ != std::string_view::npos; at_ = all.find('b', at_ + 1)) {
    const auto here = all.substr(at_);
    if (here.size() < header_size) {
      keep = std::min(keep, at_);
      break;
    }
    const auto h = guest::decode_header(here);
    if (!h || h->type != guest::frame_type::hello || h->length > longest_hello)
      continue;
    if (here.size() < header_size + h->length) {
      keep = std::min(keep, at_);
      continue;
    }
    auto body = guest::decode<guest::hello_body>(here.substr(header_size, h->length));
    if (body && body->epoch == epoch_) {
      at_ += header_size + h->length;
      return body;
    }
    another_ = another_ || body;
  }
  seen_.erase(0, keep);
  at_ = 0;
  return std::nullopt;
}

void byte_queue::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto used = (at_ + size_) % chunk_size;
    if (at_ + size_ == chunks_.size() * chunk_size)
      chunks_.emplace_back(new chunk);
    const auto part = bytes.substr(0, chunk_size - used);
    std::memcpy(chunks_.back()->data() + used, part.data(), part.size());
    size_ += part.size();
    bytes.remove_prefix(part.size());
  }
}

std::size_t byte_queue::front(iovec* pieces, std::size_t count, std::size_t most) const {
  most = std::min(most, size_);
  std::size_t used = 0;
  auto from = at_;
  for (const auto& c : chunks_) {
    if (used == count || most == 0)
      break;
    const auto length = std::min(most, chunk_size - from);
    pieces[used++] = {c->data() + from, length};
    most -= length;
    from = 0;
  }
  return used;
}

void byte_queue::drop(std::size_t bytes) {
  size_ -= bytes;
  at_ += bytes;
  for (; at_ >= chunk_size; at_ -= chunk_size)
    chunks_.pop_front();
  if (size_ == 0)
    clear();
}

void byte_queue::clear() {
  chunks_.clear();
  chunks_.shrink_to_fit();
  at_ = size_ = 0;
}

std::optional<std::size_t> send_some(int fd, iovec* pieces, std::size_t count) {
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = count;
  for (;;) {
    const auto n = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0)
      return static_cast<std::size_t>(n);
    if (errno == EAGAIN || errno == ENOBUFS)
      return 0;
    if (errno != EINTR)
      return std::nullopt;
  }
}

} // namespace banger::io
