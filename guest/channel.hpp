// Frames over the port. Knows when the host comes and goes, not what is said.
#pragma once

#include "guest/loop.hpp"
#include "messages/guest/protocol.hpp"

namespace banger::guest {

class channel {
public:
  /// Appends one frame, `room` bytes at most; false if there is none.
  using source = std::function<bool(std::string& out, std::size_t room)>;
  using sink = std::function<void(const frame_view&)>;

  done open(loop& events, unique_fd port);

  /// Frames of the channel itself; they go before those of sessions. Without a host they are lost.
  void send(frame_type type, std::uint32_t session, std::string_view payload);

  /// Notices a host that came or went. True if one has come.
  bool host_came();
  bool connected() const { return connected_; }

  /// True if it stopped because it had done enough for one turn, not because nothing is left.
  bool receive(const sink& take);
  bool flush(const source& more);
  /// Writes what `send` left, waiting at most so long. For the last words.
  void drain(int timeout_ms);

private:
  bool write_staged();
  void host_went();

  unique_fd port_;
  parser parser_{frame_type::sync};
  std::string control_; ///< whole frames, not yet begun
  std::string staged_;  ///< what is being written, from `at_` on
  std::size_t at_ = 0;
  bool connected_ = false, readable_ = false, writable_ = false;
};

} // namespace banger::guest
