// The two ends of a command's streams: bytes between a descriptor and the window of the protocol.
#pragma once

#include "guest/loop.hpp"
#include "guest/ring.hpp"

#include <optional>

namespace banger::guest {

/// stdout or stderr: what was read from the command and not yet acknowledged by the host.
class outgoing {
public:
  explicit outgoing(stream_id id) : id_(id) {}

  /// `fd` does not block. Without a `start` the stream is empty and ended.
  done start(loop& events, unique_fd fd);
  /// Moves bytes from the command to the ring. True if it moved any.
  bool read_more(loop& events);
  /// What lies in the pipe now is the last; for a command that has ended while others hold its
  /// pipe.
  void give_up();
  /// Nothing more will be read.
  bool at_end() const { return ended_; }

  /// Appends a data or eof frame to `out`, `room` bytes at most. False if there is nothing to send.
  bool next_frame(std::string& out, std::size_t room, std::uint32_t session);
  bool eof_sent() const { return eof_sent_; }
  bool acknowledge(std::uint64_t offset);
  /// Sends again from `offset`, if it is still held.
  bool rewind(std::uint64_t offset);
  bool holds(std::uint64_t offset) const {
    return offset >= ring_.begin() && offset <= ring_.end();
  }
  void close(loop& events);

private:
  stream_id id_;
  unique_fd fd_;
  ring ring_;
  std::uint64_t sent_ = 0;
  std::optional<std::uint64_t> still_; ///< bytes that may be read after `give_up`
  bool readable_ = false, ended_ = true, eof_sent_ = false;
};

/// stdin: what the host sent and the command has not yet taken.
class incoming {
public:
  done start(loop& events, unique_fd fd, bool tty);

  /// False if the bytes leave a gap or exceed the window. Bytes that came before are passed over.
  bool receive(std::uint64_t offset, std::string_view bytes);
  bool end(std::uint64_t offset);
  /// Throws away what lies before `offset`, also what is still to come of it.
  void drop_before(std::uint64_t offset);
  /// Moves bytes from the ring to the command. True if it moved any.
  bool write_more(loop& events);
  /// Bytes that were written to the command, or thrown away because it does not listen.
  std::uint64_t consumed() const { return ring_.begin(); }
  /// True once for every `window / 4` bytes consumed, and at the end.
  bool ack_due();
  /// The command reads a pipe whose content can be measured.
  bool counts() const { return counts_; }
  /// Bytes that the command has read: exact at the end, and while `counted_input` is not reached.
  std::uint64_t taken() const { return taken_; }
  /// The command listens no more; the rest is taken and thrown away.
  void close(loop& events);

private:
  bool write_some(loop& events, std::string_view bytes, std::size_t& size);
  void end_pipe(loop& events);
  void count();

  unique_fd fd_;
  unique_fd drain_; ///< after the eof: the other end, to see what the command leaves
  ring ring_;
  std::uint64_t acknowledged_ = 0, written_ = 0, taken_ = 0;
  std::uint64_t unwanted_ = 0; ///< all before it is thrown away
  std::optional<std::uint64_t> end_;
  bool writable_ = false, tty_ = false, finished_ = false;
  bool counts_ = false, slow_ = false;
};

} // namespace banger::guest
