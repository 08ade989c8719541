// What waits to be written to a stream's client. Data is kept as bytes, not as frames: many small
// frames that wait for a slow reader become few large ones and cost no more than their bytes.
#pragma once

#include "actors/io/frames.hpp"

#include <array>
#include <deque>
#include <optional>
#include <string>

namespace banger::io {

class outgoing {
public:
  explicit outgoing(int fd) : fd_(fd) {}

  /// At most max_payload bytes that follow on what was given before for this stream. Much is sent
  /// at once if nothing waits; little waits for `flush`, so that small frames are joined.
  void data(guest::stream_id stream, std::uint64_t offset, std::string_view bytes);
  /// Anything else; after all that was given before.
  void control(const guest::header& h, std::string_view payload);
  /// Of stdin. Only the latest counts, so it replaces one that waits.
  void ack(std::uint64_t offset);
  /// Writes as much as the socket takes.
  void flush();

  bool gone() const { return gone_; } ///< the peer
  bool empty() const { return !in_flight() && !acked_ && waiting_.empty(); }
  std::size_t queued(guest::stream_id stream) const { return bytes_[index(stream)].size(); }
  std::size_t bytes() const;
  std::size_t controls() const { return controls_; } ///< frames that are not data and wait

private:
  /// Either bytes of a stream or one encoded frame.
  struct item {
    std::string frame;
    guest::stream_id stream = guest::stream_id::out;
    std::uint64_t offset = 0;
    std::size_t length = 0;
  };

  static std::size_t index(guest::stream_id s) { return static_cast<std::size_t>(s); }
  bool in_flight() const { return head_at_ < head_.size() || body_left_ > 0; }
  bool extend(guest::stream_id stream, std::size_t length);
  void begin_next();
  void begin_data(guest::stream_id stream, std::uint64_t offset, std::size_t length);

  static constexpr std::size_t worth_a_call = std::size_t{16} * 1024;
  // Beyond this many items the order between stdout and stderr gives way to the bound on memory.
  static constexpr std::size_t ordered_items = 256;

  int fd_;
  bool gone_ = false;
  std::array<byte_queue, 3> bytes_;
  std::deque<item> waiting_;
  std::size_t controls_ = 0;
  std::optional<std::uint64_t> acked_;

  // The frame that is under way: a head (header, or a whole frame that is not data), then bytes.
  std::string head_;
  std::size_t head_at_ = 0;
  guest::stream_id body_ = guest::stream_id::out;
  std::size_t body_left_ = 0;
};

} // namespace banger::io
