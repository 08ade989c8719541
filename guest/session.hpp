// One executed command: from `open` until the host forgets it.
#pragma once

#include "guest/streams.hpp"

#include <string>
#include <sys/types.h>

namespace banger::guest {

class session {
public:
  session(loop& events, std::uint32_t id) : events_(events), id_(id) {}
  ~session();
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  /// Starts the command. Nothing was started if it answers a problem.
  done open(const open_body& order);

  /// A frame for this session other than `open` and `close`.
  done receive(const frame_view& f);
  /// Moves bytes between command and rings. True if it moved any.
  bool move();
  /// Appends the next frame for the host, `room` bytes at most. False if there is none.
  bool next_frame(std::string& out, std::size_t room);
  /// The host was lost: nothing is sent before it attaches again.
  void detach() { attached_ = false; }
  void child_ended(int wait_status);
  void kill();

  pid_t pid() const { return pid_; }

private:
  done attach(const attach_body& from);
  done signal(std::uint32_t number);
  bool send_signal(int number) const;

  loop& events_;
  std::uint32_t id_;
  pid_t pid_ = 0; ///< of the command, also when it has ended
  bool tty_ = false, running_ = false;
  bool attached_ = true;
  bool opened_due_ = true, ack_due_ = false, taken_due_ = false, exited_sent_ = false;
  std::uint64_t taken_told_ = 0;
  std::string why_; ///< it could not be executed
  bool why_due_ = false;
  incoming in_;
  outgoing out_{stream_id::out}, err_{stream_id::err};
  unique_fd terminal_, failure_;
  std::string cgroup_;
  std::optional<exited_body> status_;
  loop::timer linger_ = 0;
};

} // namespace banger::guest
