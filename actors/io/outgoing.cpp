#include "actors/io/outgoing.hpp"

#include <algorithm>

namespace banger::io {

using guest::frame_type;
using guest::header;
using guest::header_size;
using guest::stream_id;

namespace {

// The session of a stream connection is always 1.
header head_of(frame_type type, stream_id stream, std::size_t length, std::uint64_t offset) {
  return {type, stream, 1, static_cast<std::uint32_t>(length), offset};
}

} // namespace

void outgoing::data(stream_id stream, std::uint64_t offset, std::string_view bytes) {
  if (gone_ || bytes.empty())
    return;
  if (!empty() || bytes.size() < worth_a_call) {
    bytes_[index(stream)].append(bytes);
    if (!extend(stream, bytes.size()))
      waiting_.push_back({{}, stream, offset, bytes.size()});
    return;
  }
  begin_data(stream, offset, bytes.size());
  iovec pieces[] = {{head_.data(), head_.size()}, {const_cast<char*>(bytes.data()), bytes.size()}};
  const auto sent = send_some(fd_, pieces, 2);
  gone_ = !sent;
  head_at_ = std::min(sent.value_or(0), head_.size());
  const auto body_sent = sent.value_or(0) - head_at_;
  body_left_ = bytes.size() - body_sent;
  bytes_[index(stream)].append(bytes.substr(body_sent));
}

bool outgoing::extend(stream_id stream, std::size_t length) {
  for (auto it = waiting_.rbegin(); it != waiting_.rend(); ++it) {
    if (it->frame.empty() && it->stream == stream) {
      it->length += length;
      return true;
    }
    if (waiting_.size() < ordered_items)
      return false;
  }
  return false;
}

void outgoing::control(const header& h, std::string_view payload) {
  item next;
  auto head = h;
  head.session = 1;
  guest::encode(next.frame, head, payload);
  waiting_.push_back(std::move(next));
  ++controls_;
  flush();
}

void outgoing::ack(std::uint64_t offset) {
  acked_ = offset;
  flush();
}

void outgoing::begin_data(stream_id stream, std::uint64_t offset, std::size_t length) {
  head_.resize(header_size);
  guest::encode_header(head_.data(), head_of(frame_type::data, stream, length, offset));
  head_at_ = 0;
  body_ = stream;
  body_left_ = length;
}

void outgoing::begin_next() {
  if (acked_) {
    head_.clear();
    guest::encode(head_, head_of(frame_type::ack, stream_id::in, 0, *acked_), {});
    head_at_ = 0;
    acked_.reset();
    return;
  }
  auto& next = waiting_.front();
  if (!next.frame.empty()) {
    head_ = std::move(next.frame);
    head_at_ = 0;
    --controls_;
    waiting_.pop_front();
    return;
  }
  const auto length = std::min(next.length, guest::max_payload);
  begin_data(next.stream, next.offset, length);
  next.offset += length;
  next.length -= length;
  if (next.length == 0)
    waiting_.pop_front();
}

void outgoing::flush() {
  while (!gone_ && !empty()) {
    if (!in_flight())
      begin_next();
    std::array<iovec, 4> pieces{};
    pieces[0] = {head_.data() + head_at_, head_.size() - head_at_};
    auto& body = bytes_[index(body_)];
    const auto count = 1 + body.front(&pieces[1], 3, body_left_);
    const auto sent = send_some(fd_, pieces.data(), count);
    gone_ = !sent;
    if (sent.value_or(0) == 0)
      return;
    const auto of_head = std::min(*sent, head_.size() - head_at_);
    head_at_ += of_head;
    body.drop(*sent - of_head);
    body_left_ -= *sent - of_head;
  }
}

std::size_t outgoing::bytes() const {
  auto sum = head_.size() - head_at_;
  for (const auto& q : bytes_)
    sum += q.size();
  for (const auto& i : waiting_)
    sum += i.frame.size();
  return sum;
}

} // namespace banger::io
