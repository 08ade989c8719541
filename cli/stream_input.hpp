// Our standard input on its way to a command: read as the protocol's window allows, kept until it
// is acknowledged, sent again after a lost connection.
#pragma once

#include "cli/frame_link.hpp"
#include "cli/terminal_session.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace banger::cli {

class stream_input {
public:
  /// `fd` -1: there is none. `keep`: a lost connection may be replaced. `terminal`: `fd` is one,
  /// and what is typed may be meant for us.
  stream_input(int fd, bool keep, terminal_session* terminal)
      : fd_(fd), keep_(keep), terminal_(terminal) {}

  /// What to poll for; -1: nothing may be read now.
  int poll_fd(const frame_link& link) const;
  /// `wanted` hears what is meant for us. `operation_failed`.
  expected<void> read(frame_link& link, const std::function<void(escape_act)>& wanted);
  /// `bad_version`: it acknowledges what was not sent.
  expected<void> take_ack(std::uint64_t offset, frame_link& link);
  /// The next connection first tells where the guest stands; nothing is sent before.
  void lost() { known_ = false; }
  bool hung_up() const { return hung_up_; } ///< the terminal is gone

private:
  std::uint64_t credit() const;
  void take_typed(std::string_view typed, frame_link& link,
                  const std::function<void(escape_act)>& wanted);
  void send(std::string_view bytes, frame_link& link);
  void end(frame_link& link);

  int fd_;
  bool keep_;
  terminal_session* terminal_;
  std::string kept_; ///< sent and not acknowledged
  std::uint64_t sent_ = 0, acked_ = 0;
  bool known_ = true, ended_ = false, hung_up_ = false;
};

} // namespace banger::cli
