// Our standard input on its way to a command: read as the protocol's window allows, kept until it
// is acknowledged, sent again after a lost connection. The command that comes next in a script has
// the same input: as long as the guest counts what is read there, no more is taken from it here.
#pragma once

#include "cli/frame_link.hpp"
#include "cli/input_source.hpp"
#include "cli/terminal_session.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace banger::cli {

class stream_input {
public:
  using clock = std::chrono::steady_clock;

  /// `fd` -1: there is none. `keep`: a lost connection may be replaced. `terminal`: `fd` is one,
  /// and what is typed may be meant for us.
  stream_input(int fd, bool keep, terminal_session* terminal)
      : from_(fd), keep_(keep), terminal_(terminal) {}

  /// The command has begun; input that was there before is not meant for one that ends at once.
  void begin();
  /// When the answer of `poll_fd` changes by itself.
  std::optional<clock::time_point> wake_at() const;
  /// What to poll for; -1: nothing may be read now. A terminal is read ahead of what the guest
  /// takes, so that what is meant for us is seen.
  int poll_fd(const frame_link& link) const;
  /// Sends what was read ahead, as far as the guest takes it.
  void go_on(frame_link& link);
  /// `wanted` hears what is meant for us. `operation_failed`.
  expected<void> read(frame_link& link, const std::function<void(escape_act)>& wanted);
  /// `bad_version`: it acknowledges what was not sent.
  expected<void> take_ack(std::uint64_t offset, frame_link& link);
  /// The command has read everything before `offset`. `bad_version`, as `take_ack`.
  expected<void> take_count(std::uint64_t offset);
  /// The command has ended: a file is given back what was not read. Answers how many typed bytes
  /// are lost, because a terminal takes nothing back.
  std::uint64_t settle();
  /// The next connection first tells where the guest stands; nothing is sent before.
  void lost() { known_ = false; }
  bool hung_up() const { return hung_up_; } ///< the terminal is gone

private:
  std::uint64_t credit() const;
  bool one_by_one() const;
  void take_typed(std::string_view typed, frame_link& link,
                  const std::function<void(escape_act)>& wanted);
  void put_typed(std::string_view bytes, frame_link& link);
  void press_keys(std::string_view bytes, frame_link& link) const;
  void send(std::string_view bytes, frame_link& link);
  void end(frame_link& link);

  input_source from_;
  bool keep_;
  terminal_session* terminal_;
  std::string kept_;  ///< sent and not acknowledged
  std::string ahead_; ///< typed and not sent
  std::uint64_t sent_ = 0, acked_ = 0;
  std::uint64_t read_ = 0, removed_ = 0; ///< by the command, as the guest says; from a source
  std::optional<clock::time_point> not_before_;
  bool known_ = true, ending_ = false, ended_ = false, hung_up_ = false;
  bool counted_ = false; ///< the guest says what is read
};

} // namespace banger::cli
